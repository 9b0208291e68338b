// The gate before Cap'n Proto: a byte stream that lets whole, plausible, admitted messages through and
// nothing else.
//
// Each message's segment table is read and judged before Cap'n Proto sees a byte of it: at most 16 segments,
// and a total size that fits the limit, which is small until the login. Then the message's bytes are taken
// from the budget, and while that is empty the read stays pending, so that the peer's sending stops. The body
// is read straight into Cap'n Proto's own buffer. The ticket goes when the next message is asked for: what a
// request keeps beyond that, its handler takes from the budget itself.
//
// Time: the login must come within its deadline; a message that has begun must keep coming and keep a minimum
// rate. Between messages a logged-in peer may be silent for ever. Time spent waiting for a budget is not the
// peer's.
//
// A refused stream calls `on_refused` once and from then on reads as DISCONNECTED, with the same sentence
// (Cap'n Proto passes it on to the peer as its last message). A peer that speaks another protocol is told in
// its own words if it speaks HTTP, and sees none of ours.
//
// Lives on one loop. What is written passes through. Format: docs/formats/rpc-framing.md.
#pragma once

#include "node/byte_budget.hpp"
#include "node/foreign_protocol.hpp"
#include "node/stream_traffic.hpp"
#include "schema/limits.hpp"

#include <functional>

namespace pessoa::node {

struct stream_filter_options {
  size_t segments_max = rpc_segments_max; // at most segments_ever
  size_t bytes_before_login_max = rpc_bytes_before_login_max;
  size_t bytes_max = 2 * rpc_message_bytes_max;
  // Cap'n Proto remembers each question until its caller lets go: before the login there are few to ask.
  size_t messages_before_login_max = 64;
  duration login_deadline = std::chrono::seconds{10};
  duration frame_deadline = std::chrono::seconds{30}; // without a byte, inside a message
  size_t bytes_per_second_min = 16u << 10; // a message may take frame_deadline and its size by this
  std::string http_hint;                   // for who came with HTTP: "HTTP is served on 127.0.0.1:18882"
  std::string kafka_hint;                  // for the log: "Kafka is served on 127.0.0.1:9092"
  stream_traffic* traffic = nullptr;       // must outlive the filter
};

class stream_filter final : public kj::AsyncIoStream {
public:
  static constexpr size_t segments_ever = 64;

  // Messages before the login are charged to `before_login`, later ones to `after_login`.
  stream_filter(kj::Own<kj::AsyncIoStream> inner, io_loop& loop, stream_filter_options options,
                std::shared_ptr<byte_budget> before_login, std::shared_ptr<byte_budget> after_login,
                std::function<void(const error&)> on_refused);
  ~stream_filter() noexcept(false);

  // Applies to messages that begin after this.
  void set_logged_in();
  // Refuses from outside, for a reason of the owner's.
  void refuse(error reason);

  [[nodiscard]] bool logged_in() const { return logged_in_; }
  [[nodiscard]] bool refused() const { return refusal_.code != ec::none; }
  [[nodiscard]] const error& refusal() const { return refusal_; }
  [[nodiscard]] foreign_protocol spoken() const { return spoken_; } // known once refused with wrong_protocol
  [[nodiscard]] uint64_t messages_read() const { return messages_; }

  // For a stream that is no longer used otherwise: ends the sending side and lingers (node/linger.hpp).
  kj::Promise<void> linger(duration patience);

  // -- kj::AsyncIoStream ---
  kj::Promise<size_t> tryRead(void* buffer, size_t min_bytes, size_t max_bytes) override;
  kj::Promise<void> write(const void* buffer, size_t size) override;
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override;
  kj::Promise<void> whenWriteDisconnected() override { return inner_->whenWriteDisconnected(); }
  void shutdownWrite() override;
  void abortRead() override { inner_->abortRead(); }
  void getsockopt(int level, int option, void* value, kj::uint* length) override {
    inner_->getsockopt(level, option, value, length);
  }
  void setsockopt(int level, int option, const void* value, kj::uint length) override {
    inner_->setsockopt(level, option, value, length);
  }
  void getsockname(sockaddr* address, kj::uint* length) override { inner_->getsockname(address, length); }
  void getpeername(sockaddr* address, kj::uint* length) override { inner_->getpeername(address, length); }
  kj::Maybe<int> getFd() const override { return inner_->getFd(); }

private:
  // What comes in with a header and is not a body that somebody waits for: small, because each idle
  // connection has it.
  static constexpr size_t buffer_bytes = 2048;
  static_assert(buffer_bytes >= 4 * (segments_ever + 2));
  enum class place { between, header, table, body };

  kj::Promise<size_t> step(kj::byte* out, size_t min_bytes, size_t max_bytes, size_t done);
  kj::Promise<size_t> fill_buffer(kj::byte* out, size_t min_bytes, size_t max_bytes, size_t done);
  kj::Promise<size_t> read_body(kj::byte* out, size_t min_bytes, size_t max_bytes, size_t done);
  kj::Promise<size_t> admit(kj::byte* out, size_t min_bytes, size_t max_bytes, size_t done);
  size_t hand_out_buffer(kj::byte* out, size_t count);
  [[nodiscard]] size_t buffered() const { return buffer_end_ - buffer_begin_; }
  [[nodiscard]] size_t table_bytes() const; // of the header at hand; requires its first word
  error judge_first_word();
  error judge_sizes();
  kj::Exception refuse_read(error reason);
  void answer_http();

  void saw_bytes(size_t count);
  void wrote_bytes(size_t count);
  void watch();
  kj::Promise<void> watch_until_done();
  [[nodiscard]] kj::Maybe<kj::TimePoint> next_deadline() const;
  void check_deadlines();

  kj::Own<kj::AsyncIoStream> inner_;
  io_loop& loop_;
  const stream_filter_options options_;
  std::shared_ptr<byte_budget> before_login_, after_login_;
  std::function<void(const error&)> on_refused_;

  place place_ = place::between;
  uint64_t table_left_ = 0, body_left_ = 0, message_bytes_ = 0;
  byte_budget::ticket ticket_;
  bool logged_in_ = false;
  bool reading_ = false; // waiting for the peer's bytes, as opposed to a budget or our own reader
  bool muted_ = false;   // the peer must not see our protocol
  error refusal_;
  foreign_protocol spoken_ = foreign_protocol::unknown;
  uint64_t messages_ = 0;

  size_t buffer_begin_ = 0, buffer_end_ = 0;
  kj::byte buffer_[buffer_bytes];

  const kj::TimePoint opened_;
  kj::TimePoint message_began_, last_byte_;
  bool watching_ = false, write_ended_ = false;
  kj::TimePoint armed_; // when the watchdog looks next
  kj::Promise<void> watchdog_ = nullptr, farewell_ = kj::READY_NOW;
  kj::Canceler reads_; // last: it goes first, and takes pending reads with it
};

} // namespace pessoa::node
