// A partition's leader with a hand on its clock and a toy log beneath it: verbs for tests, and a record of
// every effect.
//
// Checks after each step that the invariants hold and that no request is answered twice.
#pragma once

#include "protocol/partition/partition_leader.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <optional>
#include <vector>

namespace pessoa::protocol {

// The facts of a batch of `count` records that takes `bytes` on the wire.
inline batch_facts plain_batch(int32_t count = 1, size_t bytes = 100) {
  batch_facts facts;
  facts.header.length = static_cast<int32_t>(bytes - batch_length_prefix);
  facts.header.record_count = count;
  facts.header.last_offset_delta = count - 1;
  facts.header.base_timestamp = facts.header.max_timestamp = timestamp{1'000'000};
  facts.min_timestamp = facts.max_timestamp = timestamp{1'000'000};
  return facts;
}

inline batch_facts batch_of(int64_t producer, int16_t epoch, int32_t sequence, int32_t count = 1) {
  auto facts = plain_batch(count);
  facts.header.producer = producer_id{producer};
  facts.header.pepoch = producer_epoch{epoch};
  facts.header.base_sequence = sequence;
  return facts;
}

struct partition_fixture {
  // -- what was seen ---
  struct written {
    batch_header header; // as stamped
    timestamp time;
  };
  std::map<request_id, result<produced>> produce_answers;
  std::map<request_id, result<fetch_nothing>> fetch_answers;
  std::map<request_id, read_log> reads;
  std::map<request_id, append_batch> appends;
  std::vector<written> log; // decided, in order of offset
  std::vector<effect> last; // effects of the last step

  // -- what is given ---
  instant now{};
  timestamp wall{1'000'000};
  leader_settings settings;
  producer_table before; // what the log held when it was lent
  std::optional<partition_leader> leader;

  partition_fixture() { begin(); }

  // -- verbs ---
  void begin(int64_t log_start = 0, int64_t log_end = 0, int32_t epoch = 0) {
    leader.emplace(leader_start{{topic_id{}, partition_id{0}},
                                leader_epoch{epoch},
                                offset{log_start},
                                offset{log_end},
                                before,
                                settings});
    log.clear();
    note({});
  }
  request_id produce(const batch_facts& facts, acks level = acks::all, int64_t timeout_ms = 30'000,
                     std::optional<leader_epoch> known = std::nullopt) {
    auto id = next_id_++;
    asked_[id] = facts;
    note(leader->produce({id, facts, level, now + std::chrono::milliseconds{timeout_ms}, known}, now, wall));
    return id;
  }
  request_id fetch(int64_t from, size_t bytes_min = 1, int64_t wait_ms = 500, size_t bytes_max = 1 << 20,
                   std::optional<leader_epoch> known = std::nullopt) {
    auto id = next_id_++;
    note(leader->fetch(
        {id, offset{from}, bytes_min, bytes_max, now + std::chrono::milliseconds{wait_ms}, known}, now));
    return id;
  }
  void commit(int64_t durable_end) { note(leader->committed(offset{durable_end})); }
  void commit_all() { commit(leader->log_end().value()); }
  // The log refuses what lies at or above `log_end`.
  void refuse(int64_t log_end, ec why = ec::disk_full) {
    while (!log.empty() && log.back().header.base_offset >= offset{log_end})
      log.pop_back();
    auto held = before;
    for (auto& batch : log)
      held.apply(batch.header, batch.time);
    note(leader->refused({why, "12 MiB are free, 64 MiB are kept in reserve"}, offset{log_end}, held));
  }
  void fail() { note(leader->failed({ec::storage_failed, "sync: Input/output error"})); }
  void move_start(int64_t to) { note(leader->start_moved(offset{to})); }
  void pass(int64_t ms) {
    now += std::chrono::milliseconds{ms};
    wall += ms;
    note(leader->tick(now, wall));
  }
  void end() { note(leader->end()); }

  // -- questions ---
  [[nodiscard]] bool answered(request_id id) const { return produce_answers.contains(id); }
  [[nodiscard]] ec error_of(request_id id) const {
    auto at = produce_answers.find(id);
    if (at == produce_answers.end() || at->second.ok()) return ec::none;
    return at->second.error().code;
  }
  [[nodiscard]] produced answer_of(request_id id) const {
    REQUIRE(answered(id));
    REQUIRE(error_of(id) == ec::none);
    return produce_answers.at(id).value();
  }
  [[nodiscard]] bool parked(request_id id) const {
    return !reads.contains(id) && !fetch_answers.contains(id);
  }
  [[nodiscard]] ec fetch_error_of(request_id id) const {
    auto at = fetch_answers.find(id);
    if (at == fetch_answers.end() || at->second.ok()) return ec::none;
    return at->second.error().code;
  }

  void note(const effects& out) {
    last = out;
    for (auto& e : out) {
      std::visit([this](auto& x) { note_one(x); }, e);
    }
    auto wrong = leader->check_invariants();
    INFO(wrong.value_or(""));
    REQUIRE_FALSE(wrong);
  }

private:
  void note_one(const append_batch& e) {
    appends[e.id] = e;
    auto header = asked_.at(e.id).header;
    header.base_offset = e.base;
    header.epoch = e.epoch;
    if (e.stamp_append_time) {
      header.attributes |= 0x08;
      header.max_timestamp = e.now;
    }
    if (e.stamp_max_timestamp) header.max_timestamp = *e.stamp_max_timestamp;
    REQUIRE((log.empty() || log.back().header.next_offset() == e.base)); // dense
    log.push_back({header, e.now});
  }
  void note_one(const answer_produce& e) { REQUIRE(produce_answers.emplace(e.id, e.outcome).second); }
  void note_one(const read_log& e) {
    REQUIRE_FALSE(fetch_answers.contains(e.id));
    REQUIRE(reads.emplace(e.id, e).second);
    REQUIRE(e.from < e.limit);
    REQUIRE(e.limit <= leader->high_watermark()); // nothing uncommitted is read
  }
  void note_one(const answer_fetch& e) {
    REQUIRE_FALSE(reads.contains(e.id));
    REQUIRE(fetch_answers.emplace(e.id, e.outcome).second);
  }

  std::map<request_id, batch_facts> asked_;
  request_id next_id_ = 1;
};

} // namespace pessoa::protocol
