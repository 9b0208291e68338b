// The leader's view of one partition in one leadership epoch: assigns offsets, removes duplicates, decides the high
// watermark, parks fetches and produce answers until they are due.
//
// Pure: no clock, file, thread or actor. Input, now and state in; effects out. The caller carries out the effects in
// their order; what must be durable first is not an effect until committed() says that it is.
//
// Does not: read or check the bytes of a batch (schema's validate_batch does, before), write (the commit service does).
//
// Invariants (check_invariants): log_start <= high_watermark <= log_end; neither moves back within the epoch; every
// answered acks=all append lies below the high watermark; waiting produce requests are in order of offset; what is
// parked is bounded by `parked_fetches_max` and `waiting_bytes_max`.
// Sources: rules.md 2; kafka-protocol.md 3 (append checks in Kafka's order); KIP-98 (idempotence); KIP-74, KIP-227.
#pragma once

#include "schema/producer_table.hpp"
#include "schema/record_batch.hpp"
#include "schema/seams/clock.hpp"
#include "schema/topic_config.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pessoa::protocol {

// Chosen by the caller, unique among what it has open here.
using request_id = uint64_t;

enum class acks : int8_t { all = -1, none = 0, leader = 1 };

struct leader_settings {
  topic_config config;
  size_t waiting_bytes_max = 64u << 20;    // decided, not yet committed; beyond it produce is refused as overloaded
  size_t parked_fetches_max = 10'000;      // beyond it a fetch is answered at once, empty
  size_t producers_max = 10'000;
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
  batch_facts facts;                       // of validate_batch
  acks level = acks::all;
  instant deadline;                        // answered timed_out (it may still happen) when not acknowledged by then
  std::optional<leader_epoch> known_epoch; // what the client believes; checked when given
};

struct fetch_input {
  request_id id = 0;
  offset from{0};
  size_t bytes_min = 1;
  size_t bytes_max = 1 << 20;
  instant deadline;                        // answered empty by then
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
  offset base{0};
  timestamp append_time = no_timestamp; // -1 with CreateTime
  offset log_start{0};
  bool duplicate = false;               // it was there already, at this offset
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
  // Decides about one batch. Exactly one answer_produce follows for `id`, now or later (with acks::none at once).
  effects produce(const produce_input& input, instant now, timestamp wall);
  // Exactly one read_log or answer_fetch follows for `id`.
  effects fetch(const fetch_input& input, instant now);
  // The client of a parked fetch has gone. No effect follows for it any more. No-op when it is not parked.
  void forget_fetch(request_id id);

  // -- the log ---
  // Everything below `durable_end` is on disk here.
  effects committed(offset durable_end);
  // Nothing at or above `log_end` was written (disk full, or refused before the first byte): what was decided there is
  // answered with `why` (definite), offsets go back to `log_end`, producers to what the log holds.
  effects refused(const error& why, offset log_end, producer_table producers);
  // The log failed: what was decided and not committed is answered unknown_result, and every later produce with `why`.
  effects failed(const error& why);
  // Retention or DeleteRecords moved the start. Parked fetches below it are answered offset_out_of_range.
  effects start_moved(offset log_start);

  // -- time ---
  effects tick(instant now, timestamp wall);
  // When tick() must run next, if anything waits.
  [[nodiscard]] std::optional<instant> next_deadline() const;

  // -- the end of the epoch ---
  // Answers all that waits: fetches with not_leader; produce requests that were decided with unknown_result.
  effects end();

  void apply(const leader_settings& settings);

  // -- facts ---
  [[nodiscard]] const partition_key& key() const { return key_; }
  [[nodiscard]] leader_epoch epoch() const { return epoch_; }
  [[nodiscard]] offset log_start() const { return log_start_; }
  [[nodiscard]] offset log_end() const { return log_end_; } // decided, durable or not
  [[nodiscard]] offset high_watermark() const { return high_watermark_; }
  [[nodiscard]] size_t waiting_bytes() const;
  [[nodiscard]] size_t waiting_produces() const;
  [[nodiscard]] size_t parked_fetches() const;

  // The first broken invariant in words; nullopt when all hold. Called after every step in the simulator.
  [[nodiscard]] std::optional<std::string> check_invariants() const;

private:
  partition_key key_;
  leader_epoch epoch_;
  offset log_start_{0};
  offset log_end_{0};
  offset high_watermark_{0};
  producer_table producers_;
  leader_settings settings_;
  std::optional<error> failure_;
  // (further private state is the implementer's)
};

} // namespace pessoa::protocol
