// What became of the records that `produce` sent: counts, the first failure, and the report that prints a line for each
// acknowledgement when it arrives.
//
// Callbacks come on the client's thread and only note; a thread of its own writes the report, so that a slow reader never
// holds up the client.
#pragma once

#include "cli/console.hpp"
#include "cli/record_format.hpp"

#include "pessoa/producer.hpp"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace pessoa::cli {

class delivery_log {
public:
  // `report`: how to print acknowledgements; none: they are only counted. Requires: `term` outlives this, and nobody else
  // writes to its stdout until finish().
  delivery_log(console& term, std::string topic, std::optional<record_printer> report);
  delivery_log(const delivery_log&) = delete;
  delivery_log& operator=(const delivery_log&) = delete;
  ~delivery_log();

  // What send() is given for one record. Keeps the record's bytes only if the report prints them.
  client::delivery_callback expect(const client::record_ref& record);
  // A record that send() refused.
  void refused(const client::error& e);
  // Writes out the report. Requires: no callback comes any more.
  void finish();

  // Readable (for poll) once something failed or nobody reads the report: there is no use in sending more.
  [[nodiscard]] int stop_descriptor() const { return stop_; }
  [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t acknowledged() const { return acknowledged_.load(); }
  [[nodiscard]] uint64_t failed() const { return failed_.load(); }
  [[nodiscard]] std::optional<client::error> first_error() const;

private:
  void stored(const client::delivery& at, const client::record* kept);
  void note_failure(const client::error& e);
  void stop();
  void write_report();

  console& term_;
  std::string topic_;
  std::optional<record_printer> report_;
  bool keeps_bytes_ = false;
  int stop_; // an eventfd
  std::atomic<bool> stopped_{false};
  std::atomic<uint64_t> acknowledged_{0};
  std::atomic<uint64_t> failed_{0};
  mutable std::mutex guard_;
  std::condition_variable changed_;
  std::optional<client::error> first_error_;
  std::string lines_; // not yet written
  bool ending_ = false;
  std::thread writer_;
};

} // namespace pessoa::cli
