// Reads Kafka's requests off a stream, each whole: judges the length before it takes memory, takes the bytes from the
// budgets, keeps time. What is in a request is not looked into.
//
// A request that fits the reader's own buffer is read whole before anything is taken for it; a larger one is admitted when
// the buffer is full of it. So who claims much and sends little holds nothing but its buffer, and small requests have
// budgets of their own: what large ones hold, half sent or waiting for the disk, never keeps a small one out. While a
// budget is empty the peer's sending stops.
//
// Time: the first request must come within its deadline; one that has begun must keep coming and keep a minimum rate.
// Time spent waiting for a budget, or for our side to ask for the next request, is not the peer's; but a stranger waits for
// a budget no longer than its deadline, so that the others have their turn.
//
// Lives on one loop. Format: docs/formats/kafka-framing.md.
#pragma once

#include "node/byte_budget.hpp"
#include "node/foreign_protocol.hpp"
#include "node/stream_traffic.hpp"
#include "schema/limits.hpp"

#include <memory>
#include <optional>

namespace pessoa::node {

struct kafka_frame_options {
  size_t bytes_before_first_max = kafka_bytes_before_first_max; // until set_known()
  size_t bytes_max = kafka_request_bytes_max;
  duration first_deadline = std::chrono::seconds{10};
  duration frame_deadline = std::chrono::seconds{30}; // without a byte, inside a request
  size_t bytes_per_second_min = 16u << 10; // a request may take frame_deadline and its size by this
};

// Where the bytes of one connection's requests are taken from. A request costs its size and request_overhead_bytes.
struct kafka_request_budgets {
  std::shared_ptr<byte_budget> first_small, first_large; // until set_known()
  std::shared_ptr<byte_budget> small, large;
};

// What a request takes beside its bytes until it is answered, about.
inline constexpr size_t request_overhead_bytes = 1024;

// Behind the length. Nobody else has a reference to `data`; the charge goes with `ticket`.
struct kafka_frame {
  std::shared_ptr<uint8_t[]> data;
  size_t size = 0;
  byte_budget::ticket ticket;
};

class kafka_frame_reader {
public:
  // Smaller requests are whole in here before they are admitted. Each idle connection has it.
  static constexpr size_t buffer_bytes = 2048;
  static constexpr size_t request_bytes_min = 8; // key, version, correlation id

  // `stream` and `traffic` must outlive it.
  kafka_frame_reader(kj::AsyncIoStream& stream, io_loop& loop, const kafka_frame_options& options,
                     kafka_request_budgets budgets, stream_traffic& traffic);

  // The next request; nullopt when the peer ended between two. Not before the last answer of it; not after an error.
  // Errors: malformed_message, message_too_large, wrong_protocol (then spoken() says which), disconnected (the peer ended
  // inside a request). Rejects when the stream does.
  kj::Promise<result<std::optional<kafka_frame>>> next();

  // The peer has shown that it speaks Kafka: lifts the limits that hold before. Applies to requests that begin after this.
  void set_known() { known_ = true; }

  // Why the peer has run out of time, if it has; overloaded when it is we who have no room for a stranger.
  [[nodiscard]] std::optional<error> overdue() const;
  // Since when it waits for a request of which no byte has come.
  [[nodiscard]] std::optional<kj::TimePoint> idle_since() const;
  [[nodiscard]] foreign_protocol spoken() const { return spoken_; }

private:
  using outcome = result<std::optional<kafka_frame>>;

  kj::Promise<outcome> step();
  kj::Promise<outcome> fill_buffer();
  kj::Promise<outcome> admit();
  kj::Promise<outcome> take_memory(byte_budget::ticket ticket);
  kj::Promise<outcome> read_body();
  outcome give_out();
  [[nodiscard]] size_t buffered() const { return buffer_end_ - buffer_begin_; }
  [[nodiscard]] byte_view seen() const { return {buffer_ + buffer_begin_, buffered()}; }
  error judge_length();
  void take_from_buffer();
  void saw_bytes(size_t count);

  kj::AsyncIoStream& stream_;
  io_loop& loop_;
  const kafka_frame_options options_;
  const kafka_request_budgets budgets_;
  stream_traffic& traffic_;

  bool known_ = false;
  bool waiting_ = false; // for a budget
  bool reading_ = false; // waiting for the peer's bytes, as opposed to a budget or our side
  uint64_t frames_ = 0;
  foreign_protocol spoken_ = foreign_protocol::unknown;
  std::optional<size_t> size_; // of the request at hand, once judged
  kafka_frame frame_;          // the request at hand, once admitted
  size_t had_ = 0;             // bytes of it in frame_

  size_t buffer_begin_ = 0, buffer_end_ = 0;
  kj::byte buffer_[buffer_bytes];

  kj::TimePoint opened_, began_, last_byte_;
};

} // namespace pessoa::node
