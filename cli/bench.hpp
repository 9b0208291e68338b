// What the members of `pessoa bench` share: options, workers, the result and how it is told.
#pragma once

#include "cli/command.hpp"
#include "cli/connection.hpp"
#include "cli/histogram.hpp"
#include "cli/interrupt.hpp"

#include <atomic>
#include <chrono>
#include <mutex>

namespace pessoa::cli {

struct bench_options {
  connection_options connection;
  std::string topic;
  int64_t records = 100'000;
  std::optional<std::chrono::milliseconds> duration; // produce: nothing is sent after it
  uint64_t record_size = 1024;
  std::optional<double> rate;
  int64_t partitions_touched = 0; // 0: wherever the client puts records
  int64_t clients = 1;
  std::string acks = "all";
  std::string codec = "none";
  bool create = false;
  bool as_json = false;
};

// What `records` is with --duration alone: more than anybody can send, little enough to calculate with.
constexpr int64_t bench_records_unbounded = INT64_MAX / 2;

void add_bench_options(command app, bench_options& o, bool writes);
void add_bench_produce(command bench, invocation& inv);
void add_bench_consume(command bench, invocation& inv);
void add_bench_end_to_end(command bench, invocation& inv);

using bench_clock = std::chrono::steady_clock;
inline int64_t nanoseconds_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(bench_clock::now().time_since_epoch()).count();
}

// What all workers of a run count together; the progress line reads it.
struct bench_progress {
  std::atomic<uint64_t> records{0};
  std::atomic<uint64_t> bytes{0};
  std::atomic<bool> stop{false}; // somebody failed or Ctrl-C came

  void fail(const client::error& e);
  [[nodiscard]] std::optional<client::error> error() const;

private:
  mutable std::mutex guard_;
  std::optional<client::error> error_;
};

struct bench_outcome {
  double seconds = 0;
  histogram latency;
};

// Random bytes, so that no codec and no disk finds anything to save: `size` bytes from anywhere in it.
class payload {
public:
  explicit payload(uint64_t record_size);
  [[nodiscard]] std::string_view at(uint64_t index) const;

private:
  uint64_t size_;
  std::string bytes_;
};

// When record `index` of a worker that sends `rate` records per second is due: the clock of latency, whether or not it
// could be sent then. That is what keeps a stalled server from hiding its stall (coordinated omission).
class pace {
public:
  pace(int64_t begin_ns, std::optional<double> rate) : begin_(begin_ns), rate_(rate) {}
  // Waits until it is due; returns that moment. Without a rate: now. nullopt when a signal came.
  std::optional<int64_t> await(int64_t index, const interrupts& signals) const;

private:
  int64_t begin_;
  std::optional<double> rate_;
};

// The topic, created with --create (as many partitions as are touched).
client::result<client::topic_info> bench_topic(console& term, const bench_options& o,
                                               const client::cluster& cluster);
client::settings bench_settings(const target& to, const bench_options& o);

// Shows a line per second until the workers are done (on a terminal), then prints the outcome and returns the status.
class bench_reporter {
public:
  bench_reporter(console& term, const bench_options& o, bench_progress& progress);
  ~bench_reporter();
  int conclude(const bench_outcome& outcome);

private:
  void show();
  console& term_;
  const bench_options& o_;
  bench_progress& progress_;
  std::mutex guard_;
  std::condition_variable ended_;
  bool done_ = false;
  std::thread thread_;
};

} // namespace pessoa::cli
