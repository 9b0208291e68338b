// Reads records of partitions that the program names. (Groups, which share partitions out, come later.)
//
//   auto consumer = pessoa::client::consumer::create(*cluster);
//   consumer->assign("orders").value();                       // all its partitions
//   consumer->seek_to_start().value();
//   for (const auto& record : consumer->until_end()) use(record);
//
// Promises: records of a partition come in order of offset, each once, from the position on; nothing is
// skipped but what the cluster no longer has (see "auto.offset.reset"). Fetching goes ahead of poll(),
// bounded by "fetch.max.bytes" over all partitions. Reading continues by itself when leaders move and nodes
// restart.
//
// A consumer is for one thread; only stop() may be called from another (or from a signal's thread, not its
// handler).
#pragma once

#include "pessoa/cluster.hpp"
#include "pessoa/record.hpp"

#include <chrono>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace pessoa::client {

// The records below `end` and from `start` on can be read.
struct offset_range {
  int64_t start = 0;
  int64_t end = 0; // the high watermark: one past the last readable record
};

class consumer {
public:
  // Takes the consumer's part of the settings. Error: invalid_config.
  static result<consumer> create(const cluster& cluster, const settings& settings);
  static result<consumer> create(const cluster& cluster);

  // -- what to read ---
  // Replaces the assignment. New partitions begin where "auto.offset.reset" says, until a seek says
  // otherwise; kept ones keep their position. Errors: unknown_topic, unknown_partition (then nothing has
  // changed), timed_out.
  result<void> assign(std::vector<topic_partition> partitions);
  result<void> assign(std::string_view topic); // every partition it has now
  [[nodiscard]] std::vector<topic_partition> assignment() const;

  // A paused partition keeps its position and what was fetched for it; poll() leaves it out.
  result<void> pause(const std::vector<topic_partition>& partitions);
  result<void> resume(const std::vector<topic_partition>& partitions);

  // -- where to read: the error of all is invalid_argument for a partition that is not assigned ---
  // An offset is checked by the node when it is read. Start, end and time are looked up by the cluster soon after the
  // call; position() waits until they are found.
  result<void> seek(const topic_partition& at, int64_t offset);
  result<void> seek_to_start(const topic_partition& at);
  result<void> seek_to_end(const topic_partition& at);
  // The first record not older than this; the end when there is none.
  result<void> seek_to_time(const topic_partition& at, int64_t timestamp_ms);
  result<void> seek_to_start(); // all assigned
  result<void> seek_to_end();
  result<void> seek_to_time(int64_t timestamp_ms);
  // The offset of the next record that poll() returns. Asks the cluster when "auto.offset.reset" or a seek
  // still has to be resolved.
  result<int64_t> position(const topic_partition& at);

  // -- questions about any partition, assigned or not ---
  result<offset_range> offsets(const topic_partition& at) const;
  // Offset of the first record not older than this; nullopt when there is none.
  result<std::optional<int64_t>> offset_at_time(const topic_partition& at, int64_t timestamp_ms) const;

  // -- reading ---
  // Waits up to `timeout` for records, returns up to "max.poll.records" of them as soon as there are any. An
  // empty batch is no error: nothing came. After an error of one partition the others go on with the next
  // call. Errors: offset_out_of_range (with "auto.offset.reset" = none), corrupt_message and invalid_record
  // (a batch that is damaged: the position stays; the message names the offset), unknown_topic_id (deleted),
  // denied, shutting_down. Passing troubles (leader moved, node gone) are no errors: they are retried;
  // troubles() tells them.
  result<records> poll(std::chrono::milliseconds timeout);

  // Ends a poll() that waits, and range-for loops. Until the next poll() or loop begins.
  void stop();

  // Why fetches failed lately, newest last, at most last_causes_max; empty when all goes well. For progress
  // messages.
  [[nodiscard]] std::vector<std::string> troubles() const;

  // -- range-for ---
  class iterator {
  public:
    using value_type = received;
    using reference = const received&;
    using pointer = const received*;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    reference operator*() const { return batch_[index_]; }
    pointer operator->() const { return &batch_[index_]; }
    iterator& operator++();
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& a, const iterator& b) { return a.from_ == b.from_; }

  private:
    friend class consumer;
    void fill();
    consumer* from_ = nullptr; // null: the end
    bool bounded_ = false;
    std::vector<std::pair<topic_partition, int64_t>> ends_; // not yet reached
    records batch_;
    size_t index_ = 0;
  };
  class range {
  public:
    [[nodiscard]] iterator begin() const { return begin_; }
    [[nodiscard]] iterator end() const { return {}; }

  private:
    friend class consumer;
    iterator begin_;
  };
  // Follows for ever: the loop ends with stop() or an error, which error() then has.
  [[nodiscard]] range follow();
  // Ends where the assigned partitions end at the time of the call (or with stop() or an error).
  [[nodiscard]] range until_end();
  // The error that ended the last loop; none when it ended as it should.
  [[nodiscard]] const std::optional<client::error>& error() const;

  void close();

  struct state;
  explicit consumer(std::shared_ptr<state> s) : state_(std::move(s)) {}

private:
  std::shared_ptr<state> state_;
};

} // namespace pessoa::client
