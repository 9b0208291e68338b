// The reading behind one Fetch: from many partitions at a time within one bound, and waiting until there is enough.
//
// A reading goes in rounds. One round asks every partition at once; where the bound may not hold what they could give, it
// asks first who has anything. The first partition of the request that has data gives a whole batch even when that is
// larger than every bound, so that nobody is stuck (KIP-74); the others give what fits. Between rounds all partitions are
// waited on together: each wakes at its part of the bytes that are missing, so that no sum is missed. Nothing is held
// while it waits. Record bytes are what the log was read into, never copied.
//
// Lives on one loop. Dropping the promise of gather() abandons all that waits.
#pragma once

#include "kafka/gateway.hpp"

#include <optional>
#include <vector>

namespace pessoa::kafka {

// What one answer may hold, whatever the client asks for; more only by one batch.
inline constexpr size_t fetch_answer_bytes_max = 8u << 20;
// After so many an answer goes out with what there is: else a few bytes here and there could make thousands of partitions
// be asked again and again.
inline constexpr int fetch_rounds_max = 16;

struct partition_read {
  // -- asked ---
  topic_id topic;
  partition_id partition{0};
  offset from{0};
  size_t bytes_max = 0;
  std::optional<leader_epoch> known_epoch, last_epoch; // last_epoch: that wrote the client's last record
  // -- found ---
  std::optional<error> failed;
  std::optional<protocol::epoch_end>
      diverging;       // the client's log went another way: this is where ours parts from it
  actors::fetched got; // empty: nothing (more) fits, or is there
  bool read = false;   // in this round, with room for data

  [[nodiscard]] bool settled() const { return failed || diverging; }
  [[nodiscard]] bool has_data() const { return !settled() && from < got.high_watermark; }
};

struct fetch_bounds {
  size_t bytes_min = 0, bytes_max = 0;
  instant deadline;
};

class fetch_reads {
public:
  fetch_reads(gateway& to, std::vector<partition_read> all, fetch_bounds bounds);

  // Until bytes_min are there, a partition fails or diverges, or the deadline comes. Lives until it is done.
  kj::Promise<void> gather();

  [[nodiscard]] std::vector<partition_read>& all() { return all_; }
  // Something could not be read, or not be waited for, because a bound of the node was reached: ask a little later.
  [[nodiscard]] bool held_back() const { return held_back_; }

private:
  kj::Promise<void> find_divergence();
  kj::Promise<void> next_round();
  kj::Promise<void> first_wave();
  kj::Promise<void> first_batch();
  kj::Promise<void> later_waves();
  kj::Promise<void> ask_held_back_for_facts();
  kj::Promise<void> ask(partition_read& which, size_t bytes_max, bool whole_batch);
  void take(partition_read& which, size_t bytes_max, result<actors::fetched> outcome);
  kj::Promise<void> wait();
  kj::Promise<void> woken();
  [[nodiscard]] bool done() const;
  [[nodiscard]] size_t bytes() const;
  [[nodiscard]] size_t count_open() const;

  gateway& to_;
  std::vector<partition_read> all_;
  fetch_bounds bounds_;
  bool held_back_ = false;
  bool late_ = false; // the deadline has come
  int rounds_left_ = fetch_rounds_max;

  struct wake {
    size_t index;
    size_t bytes_max;
    result<actors::fetched> outcome;
  };
  std::vector<wake> wakes_;
  std::vector<kj::Promise<void>> parked_;
};

} // namespace pessoa::kafka
