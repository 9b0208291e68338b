// The leader's view of one partition in one leadership epoch: assigns offsets, removes duplicates, decides
// the high watermark, parks fetches and produce answers until they are due.
//
// Pure: no clock, file, thread or actor. Input, now and state in; effects out. The caller carries out the
// effects in their order; what must be durable first is not an effect until committed() says that it is.
//
// Does not: read or check the bytes of a batch (schema's validate_batch does, before), write (the commit
// service does).
//
// Invariants (check_invariants): log_start <= high_watermark <= log_end; log_start and high_watermark never
// move back within the epoch, log_end only by refused(); every acknowledged append lies below the high
// watermark; what is decided and not committed lies without a gap between high watermark and log end; no
// parked fetch is due; what waits is bounded by `parked_fetches_max` and `waiting_bytes_max`.
//
// How a request goes through it, and the differences from Kafka: docs/protocols/partition.md.
//
// Sources: rules.md 2; kafka-protocol.md 3 (append checks in Kafka's order); KIP-98 (idempotence); KIP-74,
// KIP-227.
#pragma once

#include "protocol/partition/appended_bytes.hpp"
#include "protocol/partition/parked_fetches.hpp"
#include "protocol/partition/producer_rules.hpp"
#include "protocol/partition/requests.hpp"
#include "protocol/partition/waiting_produces.hpp"
#include "schema/producer_table.hpp"
#include "schema/record_batch.hpp"
#include "schema/seams/clock.hpp"
#include "schema/topic_config.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pessoa::protocol {

struct leader_settings {
  topic_config config;
  size_t waiting_bytes_max =
      64u << 20; // decided, not yet committed; beyond it produce is refused as overloaded
  size_t parked_fetches_max = 10'000; // beyond it a fetch is answered at once, with what there is
  size_t producers_max = 10'000;      // exceeded by at most an eighth between two expiries
  duration producer_expiry = std::chrono::hours{24};
};

// What the log says when it is lent to the epoch. A lent log is durable to its end (rules.md 1).
struct leader_start {
  partition_key key;
  leader_epoch epoch{0};
  offset log_start{0};
  offset log_end{0};
  producer_table producers;
  leader_settings settings;
};

// -- inputs ---

struct produce_input {
  request_id id = 0;
  batch_facts facts; // of validate_batch
  acks level = acks::all;
  instant deadline; // answered timed_out (it may still happen) when not acknowledged by then
  std::optional<leader_epoch> known_epoch; // what the client believes; checked when given
};

struct fetch_input {
  request_id id = 0;
  offset from{0};
  size_t bytes_min = 1;
  size_t bytes_max = 1 << 20;
  instant deadline; // answered with what there is by then
  std::optional<leader_epoch> known_epoch;
};

// -- effects, to be carried out in order ---

struct append_batch { // stamp the request's batch and hand it to the commit service
  request_id id = 0;
  offset base{0};
  leader_epoch epoch{0};
  timestamp now;                                // the frame's append time
  bool stamp_append_time = false;               // topic uses LogAppendTime
  std::optional<timestamp> stamp_max_timestamp; // the header's was wrong
};

struct produced {
  offset base{0}; // no_offset with acks::none: nothing is promised about where, or whether
  timestamp append_time = no_timestamp; // -1 with CreateTime
  offset log_start{0};
  bool duplicate = false; // it was there already, at this offset
  friend bool operator==(const produced&, const produced&) = default;
};

struct answer_produce {
  request_id id = 0;
  result<produced> outcome;
};

struct read_log { // read [from, limit) and answer the fetch with it
  request_id id = 0;
  offset from{0};
  offset limit{0};
  size_t bytes_max = 0;
  offset high_watermark{0};
  offset log_start{0};
};

struct fetch_nothing {
  offset high_watermark{0};
  offset log_start{0};
  friend bool operator==(const fetch_nothing&, const fetch_nothing&) = default;
};

struct answer_fetch { // without data: nothing yet, or an error
  request_id id = 0;
  result<fetch_nothing> outcome;
};

using effect = std::variant<append_batch, answer_produce, read_log, answer_fetch>;
using effects = std::vector<effect>;

class partition_leader {
public:
  explicit partition_leader(leader_start start);

  // -- clients ---
  // Decides about one batch. Exactly one answer_produce follows for `id`, now or later (with acks::none at
  // once, before the append_batch). A repetition of a batch that is not committed yet waits for it; of a
  // committed one is answered at once, with what was answered first. Errors: not_leader, fenced_leader_epoch,
  // unknown_leader_epoch, those of check_append and admit (producer_rules.hpp), overloaded, timed_out (it may
  // still happen), those of refused() and failed(). All but timed_out and unknown_result mean that nothing
  // was appended.
  effects produce(const produce_input& input, instant now, timestamp wall);
  // Exactly one read_log or answer_fetch follows for `id`, unless it is forgotten before. Data is read when
  // `bytes_min` of it lie between the batch of `from` and the high watermark, or the deadline comes;
  // `bytes_min` above `bytes_max` counts as `bytes_max`. Errors: not_leader, fenced_leader_epoch,
  // unknown_leader_epoch, offset_out_of_range (below the log start, above the log end).
  effects fetch(const fetch_input& input, instant now);
  // The client of a parked fetch has gone. No effect follows for it any more. No-op when it is not parked.
  void forget_fetch(request_id id);

  // -- the log ---
  // Everything below `durable_end` is on disk here. An older end than was told before changes nothing.
  effects committed(offset durable_end);
  // Nothing at or above `log_end` was written (disk full, or refused before the first byte): what was decided
  // there is answered with `why` (definite), offsets go back to `log_end`, producers to what the log holds.
  // Batches decided after the refused ones go with them: the caller hands none of them to the log any more.
  // The refused sequences may come again, and until they do what follows them is refused with the same code
  // (retriable) instead of out_of_order_sequence. Requires: high_watermark() <= log_end <= log_end(), at the
  // end of a batch; `producers` knows nothing above it.
  effects refused(const error& why, offset log_end, producer_table producers);
  // The log failed: what was decided and not committed is answered unknown_result, and every later produce
  // with `why`. Fetches below the high watermark are still read.
  effects failed(const error& why);
  // Retention or DeleteRecords moved the start. Parked fetches below it are answered offset_out_of_range.
  // Requires: log_start <= high_watermark(). An older start than was told before changes nothing.
  effects start_moved(offset log_start);

  // -- time ---
  effects tick(instant now, timestamp wall);
  // When tick() must run next, if anything waits.
  [[nodiscard]] std::optional<instant> next_deadline() const;

  // -- the end of the epoch ---
  // Answers all that waits: fetches with not_leader; produce requests that were decided with unknown_result.
  // Whatever is asked afterwards is answered not_leader.
  effects end();

  void apply(const leader_settings& settings);

  // -- facts ---
  // Is this the epoch the client means, and does it last? Errors: not_leader, fenced_leader_epoch,
  // unknown_leader_epoch.
  [[nodiscard]] result<void> check_epoch(const std::optional<leader_epoch>& known) const;
  [[nodiscard]] const partition_key& key() const { return key_; }
  [[nodiscard]] leader_epoch epoch() const { return epoch_; }
  [[nodiscard]] offset begin() const { return begin_; } // where the epoch began to append
  [[nodiscard]] offset log_start() const { return log_start_; }
  [[nodiscard]] offset log_end() const { return log_end_; } // decided, durable or not
  [[nodiscard]] offset high_watermark() const { return high_watermark_; }
  [[nodiscard]] size_t waiting_bytes() const { return waiting_.bytes(); } // decided, not committed
  [[nodiscard]] size_t waiting_produces() const {
    return waiting_.unanswered();
  } // requests still to be answered
  [[nodiscard]] size_t parked_fetches() const { return parked_.size(); }
  [[nodiscard]] size_t known_producers() const { return producers_.size(); }

  // The first broken invariant in words; nullopt when all hold. Called after every step in the simulator.
  [[nodiscard]] std::optional<std::string> check_invariants() const;

private:
  effects append(const produce_input& input, timestamp wall);
  effects repeat(const produce_input& input, const producer_batch& original);
  [[nodiscard]] result<void> check_room(size_t bytes) const;
  // The end up to which the whole in-sync set has everything on disk.
  [[nodiscard]] offset in_sync_durable_end() const;
  // Moves the high watermark there and answers what that makes due.
  void advance(effects& out);
  void answer(effects& out, const waiting_produce& item);
  void read_or_nothing(effects& out, request_id id, offset from, size_t bytes_max) const;
  [[nodiscard]] error out_of_range(offset from) const;
  void expire_producers(instant now, timestamp wall);
  // How far the table may grow beyond its bound between two passes, so that the passes cost little per batch.
  [[nodiscard]] size_t producers_with_slack() const {
    return settings_.producers_max + settings_.producers_max / 8 + 1;
  }

  partition_key key_;
  leader_epoch epoch_;
  offset begin_{0};
  offset log_start_{0};
  offset log_end_{0};
  offset high_watermark_{0};
  offset durable_end_{0}; // here
  producer_table producers_;
  leader_settings settings_;
  std::optional<error> failure_;
  bool ended_ = false;

  appended_bytes appended_;
  uint64_t committed_position_ = 0; // of the high watermark, in bytes appended in this epoch
  protocol::waiting_produces waiting_;
  protocol::parked_fetches parked_;
  refused_sequences refused_;
  offset acknowledged_end_{0}; // the highest end that was acknowledged
  // What was let in under a higher bound may exceed the present one until it has gone.
  size_t waiting_bytes_allowed_ = 0;
  size_t parked_fetches_allowed_ = 0;
  std::optional<instant> next_expiry_;
  std::optional<instant> producers_used_; // in this epoch, or when it was first looked at
  instant now_{}; // as last heard
};

} // namespace pessoa::protocol
