// A producer that speaks Kafka's protocol: batches of a few records with a name each, at a drawn pace, to drawn partitions,
// idempotent or plain. What becomes of a batch is kafka_queue's; here is when there are new ones, and the requests.
#pragma once

#include "schema/compression.hpp"
#include "simulations/workload/kafka_queue.hpp"
#include "simulations/workload/kafka_session.hpp"

namespace pessoa::sim {

struct kafka_writer_options {
  kafka_session_options session;
  kafka_queue_options queue;
  world_time pause_mean = 130 * millisecond; // between two batches
  int64_t records_max = 3;                   // of a batch
  int64_t padding_max = 300;                 // bytes of a record
  size_t open_max = 100;                     // records without an answer; then nothing new
  int16_t acks = -1;
  int32_t timeout_ms = 2000; // the node's, for a request
  world_time delivery_timeout = 60 * second;
  bool together = false; // one request for what is there for all partitions
  compression codec = compression::none;
};

class kafka_writer {
public:
  // `in` is its own program; its name is unique in the run.
  kafka_writer(program& in, history& past, kafka_writer_options options);
  ~kafka_writer();

  void start(); // inside the loop
  // No new records; what is under way is answered sooner or later.
  void stop() { stopped_ = true; }
  [[nodiscard]] size_t open() const; // records without an answer

private:
  struct sent { // a batch in a request
    kafka_queue* of;
    kafka_queue::batch_ptr batch;
  };

  void look();
  void write_one();
  std::vector<uint8_t> build(const std::vector<std::string>& names);
  void pump();
  void send(std::vector<sent> batches);
  void take(const std::vector<sent>& batches, const result<kafka::produce_response>& got);
  [[nodiscard]] const kafka::produce_response::topic::partition*
  entry_for(const place& at, const kafka::produce_response& got) const;
  void want_identity();
  [[nodiscard]] world_time now() const { return in_.of().now(); }
  [[nodiscard]] random_source& random() { return in_.of().random().workload; }

  program& in_;
  history& past_;
  const kafka_writer_options options_;
  std::map<place, kafka_queue> queues_;
  batch_identity identity_; // none: not asked for, or to be had anew
  bool asking_identity_ = false, stopped_ = false;
  uint64_t next_ = 1;
  kafka_session session_; // last: its end gives up all tasks
};

} // namespace pessoa::sim
