// A consumer of assigned partitions that speaks Kafka's protocol: fetches that wait at the node, from the start of every
// partition on, and now and then back to the start. Every byte it is given is looked at.
#pragma once

#include "simulations/workload/kafka_session.hpp"

namespace pessoa::sim {

struct kafka_reader_options {
  kafka_session_options session;
  world_time pause_mean = 50 * millisecond; // between an answer and the next question
  uint32_t rewind_per_mille = 5;            // of the fetches: back to the start
  int32_t max_wait_ms = 500;
  int32_t bytes_max = 1 << 20, partition_bytes_max = 1 << 20;
  int8_t isolation = 0;
};

class kafka_reader {
public:
  // `in` is its own program.
  kafka_reader(program& in, history& past, kafka_reader_options options);

  void start(); // inside the loop
  // From now on it does not go back.
  void catch_up();
  // Where since then it has not been told yet that there is no more to read, in words; nullopt: it is at all ends.
  [[nodiscard]] std::optional<std::string> behind() const;

private:
  struct position {
    int64_t next = -1;    // -1: to be looked up
    int32_t epoch = -1;   // of the last batch read
    int64_t furthest = 0; // the end that it has seen
    bool at_end = false;
    int64_t start = -1;    // it was told last
    int refused_there = 0; // how often in a row that was then out of range
    int64_t floor = 0;     // the largest start that anybody had been told when it asked
  };

  void ask_next();
  void rest(world_time span);
  kj::Promise<void> find(int64_t timestamp);
  kj::Promise<void> fetch();
  kafka::fetch_request question(size_t& partitions);
  void take_offsets(const kafka::list_offsets_response& got, int64_t timestamp);
  void take_fetched(const kafka::fetch_response& got, size_t partitions);
  void take_partition(const place& at, position& from, const kafka::fetch_response::topic::partition& got);
  void take_batch(const place& at, position& from, byte_view batch, int64_t high_watermark);
  void take_record(const place& at, position& from, int64_t offset, const record_view& record);
  void take_error(const place& at, position& from, int16_t code);
  // Nothing can be said of it: its topic comes and goes, or the disk has damaged it.
  [[nodiscard]] bool dropped(const place& at) const {
    return past_.is_loose(at.topic) || past_.is_damaged(at);
  }
  void fail(const char* check, const place& at, const std::string& what);

  program& in_;
  history& past_;
  const kafka_reader_options options_;
  std::map<place, position> positions_;
  bool asking_ = false, catching_up_ = false;
  kafka_session session_; // last: its end gives up all tasks
};

} // namespace pessoa::sim
