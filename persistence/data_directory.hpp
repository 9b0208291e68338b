// A node's data directory: its lock, its identity, how its last life ended, and where everything lies in it.
//
//   pessoa.lock  identity  clean-stop       this file; docs/formats/data-directory.md
//   topics/TOPICID-INDEX/                   one partition's log each
//   topics/deleted-*                        being deleted
//   metadata/  journal/  tables/NAME/       of those who own them
//
// Promises: one process at a time has it (failures S18). A directory that is not ours, of another cluster,
// damaged or of a newer release is refused and not touched. Opening a known one changes nothing in it;
// begin_writing() is the first change, and takes the clean-stop mark away durably before any other (failures
// R20). What this class creates, renames or removes is durable by name when the call returns.
//
// Does not: open logs or tables, or decide what a missing clean-stop mark means to them. For one caller at a
// time, on a thread that may block; getters and check_space() may run beside it.
#pragma once

#include "persistence/directory_identity.hpp"
#include "persistence/storage_env.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pessoa::persistence {

enum class directory_kind : uint8_t {
  missing, // no such directory: opening creates it
  fresh,   // empty, or left by a first start that did not get far
  known,   // has an identity
};

struct data_directory_options {
  std::optional<cluster_id> expected_cluster; // another one is ec::directory_foreign
  uint64_t reserve_bytes = 128ull << 20;      // of free space, kept back for recovery, deletion and metadata
};

class data_directory {
public:
  // Looks without touching. Errors: directory_foreign (not empty and not ours); storage_failed.
  static result<directory_kind> inspect(storage_env& env, const std::string& path);

  // Locks it and reads its identity. Errors: as inspect, and directory_in_use, directory_foreign (of another
  // cluster), unsupported_version, corrupt_data.
  static result<std::unique_ptr<data_directory>> open(storage_env& env, const std::string& path,
                                                      data_directory_options options = {});

  // -- who it is ---
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool is_fresh() const { return !identity_; }
  [[nodiscard]] const directory_identity& identity() const; // Requires: !is_fresh()
  // The last life ended with mark_clean_stop(), and nothing was written since. A fresh one is clean.
  [[nodiscard]] bool was_clean_stop() const { return was_clean_; }

  // The first start: writes the identity, durably. Requires: is_fresh().
  result<void> initialise(const directory_identity& identity);
  // Takes the clean-stop mark away, makes the folders, clears away what a crash left (*.tmp, deleted-*). To
  // be called before anything in the directory is written, recovery included. Requires: !is_fresh(). Works on
  // a full disk.
  result<void> begin_writing();
  // The clean end: to be called after everything in the directory was synced and closed. Nothing may be
  // written after it.
  result<void> mark_clean_stop();

  // -- where things are ---
  [[nodiscard]] std::string topics_path() const { return path_ + "/topics"; }
  [[nodiscard]] std::string metadata_path() const { return path_ + "/metadata"; }
  [[nodiscard]] std::string journal_path() const { return path_ + "/journal"; }
  [[nodiscard]] std::string table_path(std::string_view name) const {
    return path_ + "/tables/" + std::string{name};
  }
  [[nodiscard]] std::string partition_path(const partition_key& key) const {
    return topics_path() + "/" + to_string(key);
  }

  // -- partitions ---
  struct partition_list {
    std::vector<partition_key> partitions; // ascending
    std::vector<std::string> unknown;      // names that mean nothing here; left alone
  };
  result<partition_list> partitions();
  // Ok if it is there. Returns its path.
  result<std::string> create_partition(const partition_key& key);
  // After this it is gone for every later start; its bytes are freed by finish_deletions(). Ok when it is
  // already gone. Requires: nobody has the log open.
  result<void> delete_partition(const partition_key& key);
  // Frees what delete_partition() left. May take long. Returns how many partitions.
  result<size_t> finish_deletions();

  // -- room ---
  result<space_info> space() const { return env_.space(path_); }
  // May `bytes` more be written? ec::disk_full, with the figures, if less than the reserve would be left.
  result<void> check_space(uint64_t bytes) const;

private:
  data_directory(storage_env& env, std::string path, data_directory_options options)
      : env_(env), path_(std::move(path)), options_(options) {}
  [[nodiscard]] std::string mark_path() const { return path_ + "/clean-stop"; }
  result<void> read_identity();
  result<void> read_mark();
  result<void> remove_leftovers(const std::string& directory);

  storage_env& env_;
  std::string path_;
  data_directory_options options_;
  std::unique_ptr<storage_env::lock> lock_; // for the life of this object
  std::optional<directory_identity> identity_;
  bool was_clean_ = false;
  bool has_mark_ = false;
  bool writing_ = false;
};

} // namespace pessoa::persistence
