// What clients did and saw, and what follows from it: the oracle behind most checkers.
//
// Every record that is written has a name of its own. An acknowledgement says where it lies; an error says that it is not
// there (definite) or that nobody knows; a read says what lies at an offset. Two statements that contradict each other fail
// the run at once, under the name of the checker.
//
// A consumer sees a prefix of the truth: it is checked against all earlier statements, and what it saw binds later ones.
#pragma once

#include "pessoa/error.hpp"
#include "simulations/world/world.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace pessoa::sim {

struct place {
  std::string topic;
  int32_t partition = 0;
  friend auto operator<=>(const place&, const place&) = default;
};

class history {
public:
  explicit history(world& of) : world_(of) {}

  // -- writers ---
  // The record's name is its value. Requires: it was not sent before. `idempotent`: it may be stored once only.
  void sent(const std::string& name, const place& to, bool idempotent);
  void acknowledged(const std::string& name, const place& at, int64_t offset);
  void failed(const std::string& name, const client::error& why);

  // -- readers ---
  // Offsets of one reader's partition come in ascending order, without a gap unless the start has moved.
  void read(const place& at, int64_t offset, const std::string& name);
  // The records below it were removed, on purpose: nothing below is owed any more.
  void removed(const place& at, int64_t below);
  // Everything of the topic is gone, or will be: nothing of it is owed.
  void dropped(const std::string& topic);

  // -- the end: a reader looks at the partition from its start, and has seen [start, end) whole ---
  void begin_whole(const place& at) { partitions_[at].seen.clear(); }
  void read_whole(const place& at, int64_t start, int64_t end);

  [[nodiscard]] uint64_t acknowledged_count() const { return acknowledged_; }
  [[nodiscard]] uint64_t unknown_count() const { return unknown_; }
  [[nodiscard]] uint64_t failed_count() const { return failed_; }
  [[nodiscard]] uint64_t read_count() const { return reads_; }
  [[nodiscard]] size_t pending() const { return pending_; }
  [[nodiscard]] int64_t removed_below(const place& at) const {
    auto found = partitions_.find(at);
    return found == partitions_.end() ? 0 : found->second.removed_below;
  }
  [[nodiscard]] const std::set<std::string>& dropped_topics() const { return dropped_; }

private:
  enum class state : uint8_t { pending, acknowledged, unknown, refused };
  struct record {
    place to;
    bool idempotent = true;
    state is = state::pending;
    std::optional<int64_t> at; // where it was seen or acknowledged
  };
  struct partition {
    std::map<int64_t, std::string> known; // offset -> name, from acknowledgements and reads
    std::set<int64_t> seen;               // in the last whole read
    int64_t removed_below = 0;
  };
  // A statement that `name` lies there.
  void lies(const std::string& name, record& what, const place& at, int64_t offset, const char* who);

  world& world_;
  std::map<std::string, record> records_;
  std::map<place, partition> partitions_;
  std::set<std::string> dropped_;
  uint64_t acknowledged_ = 0, unknown_ = 0, failed_ = 0, reads_ = 0;
  size_t pending_ = 0;
};

} // namespace pessoa::sim
