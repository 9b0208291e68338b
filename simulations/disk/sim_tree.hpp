// The names of the simulated disk: directories whose entries are durable, or pending until a directory sync.
//
// Two kinds of file system. Strict: a name is safe only after its directory was synced, and a power cut keeps
// any subset of the pending entry operations that a file system could have kept (operations on one name stay
// in order, a rename is whole). Ordered, as ext4 does it: one journal; a file's sync carries all entry
// operations before it, and a power cut keeps a prefix of them.
#pragma once

#include "schema/result.hpp"
#include "simulations/disk/sim_file.hpp"

#include <map>
#include <memory>
#include <string>

namespace pessoa::sim {

struct sim_node {
  bool is_directory = false;
  bool linked = true;        // has a name a reader can see
  uint32_t open_handles = 0; // of the current life
  sim_file file;
  std::map<std::string, std::shared_ptr<sim_node>, std::less<>> now;     // what a reader sees
  std::map<std::string, std::shared_ptr<sim_node>, std::less<>> durable; // what a power cut leaves for sure
};
using node_ptr = std::shared_ptr<sim_node>;

class sim_tree {
public:
  explicit sim_tree(bool strict, bool stale_sectors = false)
      : strict_(strict), stale_sectors_(stale_sectors), root_(std::make_shared<sim_node>()) {
    root_->is_directory = true;
  }

  [[nodiscard]] node_ptr find(const std::string& path) const; // null if missing
  // The directory that holds (or would hold) `path`, and the last name in it. ec::not_found without the
  // directory.
  result<std::pair<node_ptr, std::string>> locate(const std::string& path) const;

  node_ptr add(const node_ptr& directory, const std::string& name, bool is_directory);
  void unlink(const node_ptr& directory, const std::string& name);
  // Requires: `from` exists. What was at `to` loses its name.
  void move(const node_ptr& from_directory, const std::string& from, const node_ptr& to_directory,
            const std::string& to);

  void sync_directory(const node_ptr& directory);
  void sync_file(const node_ptr& node);
  void fail_sync_file(const node_ptr& node, random_source& random) { node->file.fail_sync(random); }
  // Returns whether any name or byte was lost.
  bool lose_power(random_source& random, bool keep_everything);
  // A process died: names without a handle go for good.
  void forget_handles();

  // Every name on the way is durable.
  [[nodiscard]] bool is_durable_name(const std::string& path) const;
  [[nodiscard]] uint64_t bytes_used() const { return bytes_of(*root_); }

private:
  struct change {
    node_ptr directory;
    std::string name;
    node_ptr target; // null: removed
  };
  using operation = std::vector<change>; // kept or lost as one

  static std::vector<std::string> split(const std::string& path);
  static uint64_t bytes_of(const sim_node& node);
  void settle(const operation& op);
  bool lose_data(const node_ptr& node, random_source& random, bool keep_everything);

  bool strict_;
  bool stale_sectors_; // sim_file.hpp
  node_ptr root_;
  std::vector<operation> pending_; // of all directories, in order
};

} // namespace pessoa::sim
