// What waits to be written to one partition and what is on its way: batches, their order, their sequence
// numbers, their repetitions and their end. The heart of the producer.
//
// Pure: records, answers and the time go in, actions come out; the caller sends and calls back. Not
// thread-safe: one lock around it. What it promises, whatever is lost, delayed, doubled or refused on the
// way:
//
// - Each accepted record is in exactly one `finished`, no later than the first advance() after its batch's
// deadline.
// - Idempotent: a batch keeps its producer id and sequence until it is certain that it was not written under
// them, so a
//   repetition can never store it twice; batches are written in the order in which they were closed.
// - Not idempotent: a batch is repeated only when it was certainly not written.
//
// How order and certainty go together. At most `in_flight_max` (<= 5, what a node remembers) batches are on
// their way. One that the node refuses because an earlier one is missing (out_of_order_sequence) waits for
// that one.
// - A batch in doubt at its deadline is told (it may have been stored), but goes on being repeated as a ghost
// until its
//   fate is certain, so that it leaves no hole for those behind it.
// - A batch that is certainly refused leaves a hole. Then nothing new is sent until everything sent has a
// certain answer
//   ("settling"); after that the sequence goes on from the last stored batch. But copies of requests may
//   outlive their connection: a batch of which one may still float about gets its new number under a new
//   producer id, where the hole keeps the copy out for ever; and if what left the hole may itself float, it
//   is ended as in doubt.
// - The first batch under an id travels alone: a node that knows nothing of the id accepts any number.
// Sources: KIP-98, KIP-360, KIP-91; rules.md 2.
#pragma once

#include "client/core/retry.hpp"
#include "pessoa/producer.hpp"
#include "schema/record_batch.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pessoa::client {

struct queue_settings {
  compression codec = compression::none;
  int level = 0;
  size_t batch_bytes = 64u << 10;
  size_t request_bytes_max = 1u << 20;
  duration linger{};
  bool idempotent = true;
  size_t in_flight_max = 5;
  duration delivery_timeout = std::chrono::minutes{2};
  backoff_policy backoff;
};

// A batch's bytes, shared with messages that still refer to them.
using batch_bytes = std::shared_ptr<std::vector<uint8_t>>;

struct stored {
  int64_t base_offset = -1;
  int64_t append_time_ms = -1;
};

class partition_queue {
public:
  partition_queue(std::string name, const queue_settings& settings);

  // -- callers ---
  enum class wake { no, yes }; // yes: advance() has something to do
  [[nodiscard]] bool fits(size_t upper_bound) const {
    return batch_header_size + upper_bound <= settings_.request_bytes_max;
  }
  // Requires: fits(batch_builder::upper_bound(record)), record.time is set.
  // `charged` is handed back (actions::released) when the batch's memory is free.
  wake append(const pessoa::record_view& record, size_t charged, delivery_callback done, instant now);
  // What is there now need not linger.
  wake flush();

  // -- the loop ---
  struct send {
    uint64_t attempt = 0;
    batch_bytes data;
    size_t size = 0;
    uint32_t number = 0; // 1: the first
  };
  struct record_end {
    delivery_callback done;
    int64_t timestamp_ms;
  };
  struct finished { // call back, in order
    std::vector<record_end> records;
    uint32_t attempts = 0;
    result<stored> outcome;
  };
  struct actions {
    std::vector<send> sends;
    std::vector<finished> ends;
    size_t released = 0;        // of what was charged
    bool want_identity = false; // then call set_identity()
    bool want_metadata = false; // the leader may have moved
    bool held_back = false;     // an unfilled batch waits only because the way is busy
  };
  // `hindrance`: why nothing can be sent now (no leader, no connection); remembered as a cause.
  // `way`: on a busy one a batch that is neither full nor flushed nor lingered long enough goes on growing.
  enum class way { free, busy };
  actions advance(instant now, const std::optional<error>& hindrance = {}, way towards_node = way::free);
  // An attempt's answer. Unknown attempts (of batches that ended meanwhile) are ignored. `maybe_done` says of
  // an error whether the batch may have been written.
  actions answered(uint64_t attempt, const result<stored>& answer, bool maybe_done, instant now,
                   random_source& random);
  // A producer id that was never used on this partition.
  void set_identity(producer_id id, producer_epoch epoch);
  // Ends everything: what was never sent or certainly not written with `definite`, the rest with
  // unknown_result and `definite` as its cause. Appends after it are ended by the next advance().
  actions abort(const error& definite);

  void set_request_bytes_max(size_t bytes) { settings_.request_bytes_max = bytes; }

  // After advance(now): when it has to run again at the latest, if anything waits for time alone.
  [[nodiscard]] std::optional<instant> next_wakeup(instant now) const;

  [[nodiscard]] bool empty() const { return batches_.empty() && open_.records.empty(); }
  [[nodiscard]] size_t record_count() const;
  [[nodiscard]] size_t in_flight() const;
  [[nodiscard]] const std::string& name() const { return name_; }
  // The first broken invariant in words.
  [[nodiscard]] std::optional<std::string> check_invariants() const;

private:
  struct batch {
    batch_bytes data;
    std::vector<record_end> records;
    size_t count = 0; // of records, also when they have heard
    size_t charged = 0;
    instant created;
    batch_identity identity;    // what the bytes carry
    bool attempted = false;     // its sequence is in use
    bool in_doubt = false;      // some attempt may have been written
    bool floated = false;       // a copy of some attempt may still be on its way to a node
    bool told = false;          // its records have heard; it stays until it is decided
    uint64_t in_flight = 0;     // the attempt that is on its way, 0: none
    bool behind = false;        // that attempt left while an earlier batch had no answer yet
    bool after_earlier = false; // refused because an earlier one is missing: goes again when it is the first
    std::optional<result<stored>> outcome; // decided; told when it is the first
    uint32_t attempts = 0;
    cause_list causes;
  };
  struct open_batch {
    batch_builder builder;
    std::vector<record_end> records;
    size_t charged = 0;
    instant created;
  };

  [[nodiscard]] bool open_must_go(instant now) const; // full, flushed or lingered long enough
  [[nodiscard]] bool open_may_go(instant now) const;
  [[nodiscard]] size_t window() const;
  void close_open();
  void expire(instant now, const std::optional<error>& hindrance, actions& out);
  void settle();
  void send_what_may(instant now, way towards_node, actions& out);
  static void stamp(batch& b, const batch_identity& identity);
  void accept(batch& b, const stored& at);
  void refuse(batch& b, const error& e, bool maybe_done, instant now, random_source& random, actions& out);
  // Decides that a batch is not stored, and begins to settle if its sequence was in use.
  void fail(batch& b, error why);
  void end_all(const error& why);
  void pause(instant now, random_source& random);
  // Tells what is decided, in order, and drops it.
  void tell_in_order(actions& out);
  void collect(actions& out);
  void tell(batch& b, result<stored> outcome, actions& out);
  [[nodiscard]] static error with_causes(const batch& b, error why);

  std::string name_;
  queue_settings settings_;
  open_batch open_;
  bool flushing_ = false;
  std::deque<std::unique_ptr<batch>> batches_; // closed, in order, without an end
  uint64_t next_attempt_ = 1;
  instant not_before_{};  // pause between repetitions
  uint32_t failures_ = 0; // in a row

  bool settling_ = false;
  bool hole_floats_ = false;               // what left the hole may still arrive
  std::optional<batch_identity> identity_; // its base_sequence: the next never attempted batch's
  bool acknowledged_ = false;              // something was stored under this identity
  int32_t stored_end_ = 0;                 // sequence after the newest stored batch
  int32_t predicted_ = 0;                  // what the next closed batch will probably get
  std::optional<error> ended_;             // by abort or a fatal error
};

} // namespace pessoa::client
