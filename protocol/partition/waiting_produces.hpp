// Batches that were decided and are not committed, and the requests that wait for that: in order of offset.
//
// A batch stays here until it is committed or undone, also when nobody waits for it any more (answered at
// once with acks=none, or timed out), because its bytes are still held. A repetition of such a batch waits
// beside it and leaves with its answer. What is held is counted in bytes, so that the caller can bound it.
#pragma once

#include "protocol/partition/requests.hpp"
#include "schema/record_batch.hpp"
#include "schema/seams/clock.hpp"

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace pessoa::protocol {

struct waiting_produce {
  request_id id = 0;
  acks level = acks::all;
  batch_header header;   // as decided: base offset, epoch, times
  timestamp append_time; // as it will be answered
  instant deadline;
  bool duplicate = false; // waits for a batch that another request brought
  bool answered = false;  // nobody waits for it any more

  [[nodiscard]] offset base() const { return header.base_offset; }
  [[nodiscard]] offset end() const { return header.next_offset(); }
  // What it is counted as: a repetition's bytes are not kept, and every request costs its bookkeeping.
  static constexpr size_t bookkeeping_bytes = 256;
  [[nodiscard]] size_t bytes() const { return bookkeeping_bytes + (duplicate ? 0 : header.size()); }
};

class waiting_produces {
public:
  void add(const waiting_produce& item);

  // In order of offset, and of arrival where that is the same.
  std::vector<waiting_produce> take_committed(offset high_watermark); // that end at or below it
  std::vector<waiting_produce> take_undone(offset log_end);           // that end above it
  std::vector<waiting_produce> take_all();
  // Those that wait no longer. Batches stay, marked as answered; repetitions go.
  std::vector<waiting_produce> expire(instant now);

  [[nodiscard]] std::optional<instant> next_deadline() const;
  [[nodiscard]] bool empty() const { return items_.empty(); }
  [[nodiscard]] size_t bytes() const { return bytes_; }
  [[nodiscard]] size_t unanswered() const { return deadlines_.size(); }
  [[nodiscard]] std::vector<waiting_produce> all() const;
  // Do the counts and orders agree with what is held? For the invariants.
  [[nodiscard]] bool consistent() const;

private:
  using place = std::pair<offset, uint64_t>; // end offset, arrival
  using items = std::map<place, waiting_produce>;
  std::vector<waiting_produce> take(items::iterator begin, items::iterator end);

  items items_;
  std::set<std::pair<instant, place>> deadlines_; // of the unanswered
  uint64_t arrivals_ = 0;
  size_t bytes_ = 0;
};

} // namespace pessoa::protocol
