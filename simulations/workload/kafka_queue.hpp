// The batches that a Kafka producer has for one partition, in their order, with their sequence numbers and repetitions: what
// librdkafka and Kafka's own client do, in its simplest form.
//
// An idempotent batch is sent again, with its number, until it is known to be stored; after anything went wrong nothing more
// is sent until all that is on its way has come back, and then everything again from the first. A batch that is given up
// leaves a hole: then the whole producer settles, takes a new id, and numbers from 0 what certainly was not stored; of the
// rest nobody knows. A plain producer repeats the same way, at the risk of storing twice, or not at all.
//
// It tells the history what became of each record, and fails the world when an answer is one that no honest producer may
// hear (checkers "kafka_is_spoken_right", "sequences_hold").
#pragma once

#include "kafka/messages/produce.hpp"
#include "schema/record_batch.hpp"
#include "simulations/workload/history.hpp"

#include <deque>
#include <memory>

namespace pessoa::sim {

struct kafka_batch {
  std::vector<std::string> names; // of the records, in their order
  std::vector<uint8_t> data;
  world_time deadline = 0;
  int32_t sequence = -1; // -1: none yet
  bool in_flight = false;
  bool in_doubt = false; // a copy of it may be stored, or may still come to be
};

struct kafka_queue_options {
  bool idempotent = true;
  bool repeats = true; // of a plain producer: else the first answer counts
  size_t in_flight_max = 1;
};

class kafka_queue {
public:
  using batch_ptr = std::shared_ptr<kafka_batch>;

  kafka_queue(world& of, history& past, place at, kafka_queue_options options)
      : world_(of), past_(past), at_(std::move(at)), options_(options) {}

  // The history knows its records.
  void add(kafka_batch made) { batches_.push_back(std::make_shared<kafka_batch>(std::move(made))); }
  // The next one to be sent now, stamped for this producer; null: none. It is in flight then.
  batch_ptr next(const batch_identity& as, world_time now);

  // What became of one that was in flight. An answer that tells to try again says when: `pause` from now.
  void answered(const batch_ptr& which, const kafka::produce_response::topic::partition& told, world_time now,
                world_time pause);
  void lost(const batch_ptr& which, world_time now, world_time pause);
  // Gives up what has waited too long.
  void expire(world_time now);

  // A number that was given out will never be stored: nothing is sent until the producer has another id.
  [[nodiscard]] bool has_hole() const { return hole_; }
  // The producer has another id. Requires: nothing is in flight.
  void begin_again();

  [[nodiscard]] size_t in_flight() const { return in_flight_; }
  [[nodiscard]] size_t open() const; // records without an answer
  [[nodiscard]] const place& at() const { return at_; }

private:
  void come_back(const batch_ptr& which);
  void again(world_time when);
  void stored(const batch_ptr& which, int64_t base);
  // Answers its records; a hole is left when its number was given out.
  void give_up(const batch_ptr& which, const client::error& why);
  void out_of_order(const batch_ptr& which, world_time when);
  [[nodiscard]] bool is_first(const batch_ptr& which) const { return batches_.front() == which; }
  [[nodiscard]] std::string name_of(const batch_ptr& which) const;

  world& world_;
  history& past_;
  const place at_;
  const kafka_queue_options options_;
  std::deque<batch_ptr> batches_;
  size_t in_flight_ = 0;
  int32_t next_sequence_ = 0;
  bool proven_ = false;   // the node has stored something under the id: it knows which number is next
  bool settling_ = false; // nothing is sent until all has come back
  bool hole_ = false;
  world_time not_before_ = 0;
};

} // namespace pessoa::sim
