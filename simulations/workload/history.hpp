// What clients did and saw, and what follows from it: the oracle behind most checkers.
//
// Every record that is written has a name of its own. An acknowledgement says where it lies; an error says that it is not
// there (definite) or that nobody knows; a read says what lies at an offset. Two statements that contradict each other fail
// the run at once, under the name of the checker.
//
// A consumer sees a prefix of the truth: it is checked against all earlier statements, and what it saw binds later ones.
#pragma once

#include "pessoa/error.hpp"
#include "simulations/check/damage.hpp"
#include "simulations/world/world.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
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
  // The record's name is its value. Requires: it was not sent before. `idempotent`: it may be stored once only. `patient`:
  // its client goes on trying for as long as a node needs that had just begun to start when the calm came.
  void sent(const std::string& name, const place& to, bool idempotent, bool patient);
  void acknowledged(const std::string& name, const place& at, int64_t offset);
  void failed(const std::string& name, const client::error& why);
  // The producer has taken it, and will answer; or it did not even take it.
  void taken(const std::string& name);
  void turned_away(const std::string& name, const client::error& why);
  // Nothing goes wrong any more: what an idempotent producer sends from now on must be stored, as long as `online` says
  // that every partition is served. A log that failed is not, until its node starts again.
  void calm(std::function<bool()> online) { online_ = std::move(online); }
  // A producer was given this id.
  void id_given(int64_t id);

  // The node remembers few producers, and the longest idle one makes room: it may be in doubt, and its repetition is stored again
  // (docs/guarantees.md).
  void forgets_producers() { forgetful_ = true; }

  // -- readers ---
  // Offsets of one reader's partition come in ascending order, without a gap unless the start has moved.
  void read(const place& at, int64_t offset, const std::string& name);
  // A reader was given the record there. `shown` knows the highest high watermark that a partition's leaders have had.
  void seen(const partition_key& key, int64_t offset);
  void high_watermarks(std::function<offset(const partition_key&)> shown) { shown_ = std::move(shown); }

  // -- what is allowed to go ---
  // Somebody asked for the removal of the records below it: nothing below is owed any more.
  void removed(const place& at, int64_t below);
  // The node may remove its oldest records at any time: only that it begins somewhere later is allowed.
  void may_shrink(const std::string& topic) { shrinking_.insert(topic); }
  // What a batch of the topic may weigh changes: one that was made before may be refused, also after an attempt that is in doubt.
  void resized(const std::string& topic) { resized_.insert(topic); }
  // The topic is deleted and created again under its name: only that nothing is invented is owed.
  void comes_and_goes(const std::string& topic) { dropped_.insert(topic); }
  // It was created, and that is certain, until somebody wants it deleted.
  void stands(const std::string& topic) { standing_[topic] = sent_; }
  void falls(const std::string& topic) { standing_.erase(topic); }
  // The disk has damaged the partition of that key ("TOPICID-INDEX"), or all of them: what is served is what was written, and
  // it need not be all. `known_as` says whose key it is.
  void damaged(const std::string& key, damage how) {
    auto& worst = damaged_[key];
    worst = std::max(worst, how);
  }
  void all_damaged() { all_damaged_ = true; }
  void known_as(const std::string& topic, const std::string& id) { topic_ids_[topic] = id; }
  // Who asked was told that the partition begins there: it never begins earlier. `before` is start_of() when it asked.
  void start_told(const place& at, int64_t start, int64_t before);

  // -- the end: a reader looks at the partition from its start, and has seen [start, end) whole ---
  void begin_whole(const place& at) { partitions_[at].seen.clear(); }
  void read_whole(const place& at, int64_t start, int64_t end);

  [[nodiscard]] uint64_t acknowledged_count() const { return acknowledged_; }
  [[nodiscard]] uint64_t unknown_count() const { return unknown_; }
  [[nodiscard]] uint64_t failed_count() const { return failed_; }
  [[nodiscard]] uint64_t read_count() const { return reads_; }
  [[nodiscard]] size_t pending() const { return pending_; }
  // May offsets below it be missing?
  [[nodiscard]] bool may_begin_at(const place& at, int64_t offset) const;
  [[nodiscard]] bool is_loose(const std::string& topic) const { return dropped_.count(topic) > 0; }
  [[nodiscard]] bool is_damaged(const std::string& key) const {
    return all_damaged_ || damaged_.count(key) > 0;
  }
  [[nodiscard]] bool is_damaged(const place& at) const;
  [[nodiscard]] bool has_damage(const std::string& topic) const; // one of its partitions
  [[nodiscard]] damage damage_of(const std::string& key) const {
    auto found = damaged_.find(key);
    return all_damaged_ ? damage::writing : found == damaged_.end() ? damage::none : found->second;
  }
  [[nodiscard]] bool any_damaged() const { return all_damaged_ || !damaged_.empty(); }
  [[nodiscard]] int64_t removed_below(const place& at) const;
  [[nodiscard]] int64_t known_end(const place& at) const;        // above all that was acknowledged or read
  [[nodiscard]] int64_t acknowledged_end(const place& at) const; // above all that was acknowledged
  [[nodiscard]] int64_t start_of(const place& at) const;         // the largest start that was told

private:
  enum class state : uint8_t { pending, acknowledged, unknown, refused };
  struct record {
    place to;
    bool idempotent = true;
    bool owed = false;   // sent in calm, by somebody patient
    uint64_t number = 0; // in the order of sending
    state is = state::pending;
    std::optional<int64_t> at; // where it was seen or acknowledged
  };
  struct partition {
    std::map<int64_t, std::string> known; // offset -> name, from acknowledgements and reads
    std::set<int64_t> seen;               // in the last whole read
    int64_t removed_below = 0;
    int64_t start = 0; // told
    int64_t acknowledged_end = 0;
  };
  [[nodiscard]] const partition* find(const place& at) const;
  void ended(record& what, bool unknown, const client::error& why);
  // Acknowledged records of one idempotent producer lie in the order in which they were sent.
  void check_order(const place& at, const partition& p, int64_t start);
  // A statement that `name` lies there.
  void lies(const std::string& name, record& what, const place& at, int64_t offset, const char* who);

  world& world_;
  std::map<std::string, record> records_;
  std::map<place, partition> partitions_;
  std::set<std::string> dropped_, shrinking_, resized_; // topics
  // Of topics: how many records had been sent when they came. Of a writer and a topic: the first record that had to wait for news
  // of the topic, since there was any.
  std::map<std::string, uint64_t> standing_;
  std::map<std::pair<std::string, std::string>, uint64_t> asked_;
  std::map<std::string, damage> damaged_; // partitions, by key
  bool all_damaged_ = false, forgetful_ = false;
  std::map<std::string, std::string> topic_ids_;
  std::set<int64_t> producer_ids_;
  std::function<offset(const partition_key&)> shown_;
  std::function<bool()> online_; // empty before the calm
  uint64_t sent_ = 0;
  uint64_t acknowledged_ = 0, unknown_ = 0, failed_ = 0, reads_ = 0;
  size_t pending_ = 0;
};

} // namespace pessoa::sim
