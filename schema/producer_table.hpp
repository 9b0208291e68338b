// What a partition remembers of each idempotent producer: its epoch and its last five batches (rules.md 2, Kafka's
// ProducerStateEntry). (producer, epoch, sequence) maps to one offset for ever (failures T16).
//
// A value: the log object keeps one that follows what was written, the leader keeps one that runs ahead with what it
// decided. Lookup and admission rules are in protocol/partition; here is only the memory and how batches enter it.
#pragma once

#include "schema/record_batch.hpp"

#include <array>
#include <map>
#include <utility>
#include <vector>

namespace pessoa {

struct producer_batch {
  int32_t first_sequence = 0;
  int32_t last_sequence = 0;
  offset first_offset{0};
  offset last_offset{0};
  timestamp time = no_timestamp; // append time as answered: log-append time, or -1

  friend bool operator==(const producer_batch&, const producer_batch&) = default;
};

struct producer_entry {
  static constexpr size_t batches_max = 5;

  producer_epoch epoch{-1};
  std::array<producer_batch, batches_max> batches{}; // oldest first
  uint8_t count = 0;
  timestamp last_used = no_timestamp; // wall time of the last append, for expiry

  [[nodiscard]] const producer_batch& newest() const; // Requires: count > 0
  friend bool operator==(const producer_entry&, const producer_entry&) = default;
};

// How long a producer that does not write is known. Between two producers' last uses, one after the other, no more than
// `gap_max_ms` counts, because a wall clock that jumps looks like time that nobody used (failures N4): a producer that repeats
// what is in doubt must be known after a jump. So a few of the oldest may outlive `age_ms`, at most age_ms / gap_max_ms of
// them. All at least 0.
struct producer_expiry {
  int64_t age_ms;
  int64_t gap_max_ms;
  // How long nobody has used the table, as far as a clock that does not jump can tell: so much counts in any case.
  int64_t unused_ms = 0;

  // Sixteen jumps make an age.
  static producer_expiry after(int64_t age_ms, int64_t unused_ms = 0) {
    return {age_ms, age_ms / 16, unused_ms};
  }
};

class producer_table {
public:
  // Notes an appended batch. No-op for batches without a producer, and for batches at or below the newest one noted of
  // that producer: a log may be replayed into a snapshot from before the snapshot's end. A new epoch forgets the batches
  // of the old one. `now` is the append's wall time.
  void apply(const batch_header& header, timestamp now);
  [[nodiscard]] const producer_entry* find(producer_id id) const;
  // Forgets producers that are too old at `now`, and beyond `producers_max` the longest unused. Returns how many.
  size_t expire(timestamp now, producer_expiry limits, size_t producers_max);
  // The latter only.
  size_t crop(size_t producers_max);
  // Forgets batches at or above `end`: the log was truncated there. A producer of which nothing is left is forgotten.
  // Returns whether this is still what a replay of the log up to `end` would give; if not (older batches, pushed out by
  // those that are now gone, lie below `end`), the caller rebuilds the table from a snapshot and the log.
  bool truncate(offset end);

  [[nodiscard]] size_t size() const { return entries_.size(); }
  [[nodiscard]] const std::map<producer_id, producer_entry>& entries() const { return entries_; }

  // A snapshot with format version and CRC (docs/formats/producer-snapshot.md). decode refuses anything else.
  [[nodiscard]] std::vector<uint8_t> encode() const;
  static result<producer_table> decode(byte_view data);

  friend bool operator==(const producer_table&, const producer_table&) = default;

private:
  [[nodiscard]] std::vector<std::pair<timestamp, producer_id>> uses() const;

  std::map<producer_id, producer_entry> entries_;
};

} // namespace pessoa
