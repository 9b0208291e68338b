#include "node/stream_filter.hpp"

#include "node/linger.hpp"
#include "schema/assert.hpp"

#include <kj/debug.h>

#include <algorithm>
#include <cstring>

namespace pessoa::node {

namespace {

constexpr size_t word_bytes = 8;

uint32_t little_endian_32(const kj::byte* at) {
  return static_cast<uint32_t>(at[0]) | static_cast<uint32_t>(at[1]) << 8 | static_cast<uint32_t>(at[2]) << 16
         | static_cast<uint32_t>(at[3]) << 24;
}

kj::Duration to_kj(duration d) { return d.count() * kj::NANOSECONDS; }

std::string in_seconds(duration d) {
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

kj::Exception as_disconnected(const error& reason) {
  auto text = to_string(reason);
  return {kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__, kj::heapString(text.data(), text.size())};
}

} // namespace

stream_filter::stream_filter(kj::Own<kj::AsyncIoStream> inner, io_loop& loop, stream_filter_options options,
                             std::shared_ptr<byte_budget> before_login,
                             std::shared_ptr<byte_budget> after_login,
                             std::function<void(const error&)> on_refused)
    : inner_(kj::mv(inner)), loop_(loop), options_(std::move(options)),
      before_login_(std::move(before_login)), after_login_(std::move(after_login)),
      on_refused_(std::move(on_refused)), opened_(loop.timer().now()), message_began_(opened_),
      last_byte_(opened_), armed_(opened_) {
  PESSOA_ASSERT(options_.segments_max > 0 && options_.segments_max <= segments_ever, options_.segments_max);
  PESSOA_ASSERT(options_.bytes_per_second_min > 0);
  watch();
}

stream_filter::~stream_filter() noexcept(false) {}

void stream_filter::set_logged_in() { logged_in_ = true; }

void stream_filter::refuse(error reason) {
  if (refused()) return;
  auto exception = refuse_read(std::move(reason));
  reads_.cancel(exception);
}

// For the read at hand, whose promise must not be cancelled from inside: the caller returns the exception.
kj::Exception stream_filter::refuse_read(error reason) {
  PESSOA_ASSERT(reason.code != ec::none && !refused());
  refusal_ = std::move(reason);
  ticket_.release();
  if (spoken_ != foreign_protocol::unknown) muted_ = true;
  if (spoken_ == foreign_protocol::http) answer_http();
  on_refused_(refusal_);
  return as_disconnected(refusal_);
}

void stream_filter::answer_http() {
  auto text = std::make_unique<std::string>(http_refusal("Pessoa's RPC", options_.http_hint));
  auto writing = kj::evalNow([&] { return inner_->write(text->data(), text->size()); });
  farewell_ = writing.catch_([](kj::Exception&&) {}).attach(kj::mv(text)).eagerlyEvaluate(nullptr);
}

// -- reading ---

kj::Promise<size_t> stream_filter::tryRead(void* buffer, size_t min_bytes, size_t max_bytes) {
  PESSOA_ASSERT(min_bytes <= max_bytes, min_bytes, max_bytes);
  reading_ = false;
  return reads_.wrap(step(static_cast<kj::byte*>(buffer), min_bytes, max_bytes, 0));
}

// Goes on from where the stream is until `min_bytes` are handed out or something has to be waited for.
kj::Promise<size_t> stream_filter::step(kj::byte* out, size_t min_bytes, size_t max_bytes, size_t done) {
  for (;;) {
    if (refused()) return as_disconnected(refusal_);
    if (done >= min_bytes) return done;
    switch (place_) {
    case place::between:
      ticket_.release();
      message_bytes_ = 0;
      if (buffered() == 0) return fill_buffer(out, min_bytes, max_bytes, done);
      place_ = place::header;
      message_began_ = loop_.timer().now();
      break;
    case place::header:
      if (buffered() < word_bytes) return fill_buffer(out, min_bytes, max_bytes, done);
      if (auto bad = judge_first_word(); bad.code != ec::none) return refuse_read(std::move(bad));
      if (buffered() < table_bytes()) return fill_buffer(out, min_bytes, max_bytes, done);
      if (auto bad = judge_sizes(); bad.code != ec::none) return refuse_read(std::move(bad));
      return admit(out, min_bytes, max_bytes, done);
    case place::table: {
      auto count = hand_out_buffer(out + done, std::min<uint64_t>(max_bytes - done, table_left_));
      done += count;
      table_left_ -= count;
      if (table_left_ == 0) place_ = place::body;
      break;
    }
    case place::body: {
      if (buffered() == 0) return read_body(out, min_bytes, max_bytes, done);
      auto count = hand_out_buffer(out + done, std::min<uint64_t>(max_bytes - done, body_left_));
      done += count;
      body_left_ -= count;
      if (body_left_ == 0) place_ = place::between;
      break;
    }
    }
  }
}

kj::Promise<size_t> stream_filter::fill_buffer(kj::byte* out, size_t min_bytes, size_t max_bytes,
                                               size_t done) {
  if (buffer_begin_ > 0) {
    std::memmove(buffer_, buffer_ + buffer_begin_, buffered());
    buffer_end_ -= buffer_begin_;
    buffer_begin_ = 0;
  }
  // A header is smaller than the buffer and is complete before anything is kept behind it, so there is room.
  PESSOA_ASSERT(buffer_end_ < buffer_bytes, buffer_end_);
  reading_ = true;
  last_byte_ = loop_.timer().now();
  watch();
  return inner_->tryRead(buffer_ + buffer_end_, 1, buffer_bytes - buffer_end_)
      .then([=, this](size_t count) -> kj::Promise<size_t> {
        reading_ = false;
        if (count == 0) {
          if (place_ == place::between) return done;
          return refuse_read({ec::disconnected, "the peer ended after " + std::to_string(buffered())
                                                    + " bytes of a message's segment table"});
        }
        buffer_end_ += count;
        saw_bytes(count);
        return step(out, min_bytes, max_bytes, done);
      });
}

kj::Promise<size_t> stream_filter::read_body(kj::byte* out, size_t min_bytes, size_t max_bytes, size_t done) {
  reading_ = true;
  last_byte_ = loop_.timer().now();
  watch();
  // One byte at least, so that progress is seen; as much as the message has left, and not a byte of the next
  // one.
  return inner_->tryRead(out + done, 1, std::min<uint64_t>(max_bytes - done, body_left_))
      .then([=, this](size_t count) -> kj::Promise<size_t> {
        reading_ = false;
        if (count == 0)
          return refuse_read(
              {ec::disconnected, "the peer ended after " + std::to_string(message_bytes_ - body_left_)
                                     + " of a message's " + std::to_string(message_bytes_) + " bytes"});
        saw_bytes(count);
        body_left_ -= count;
        if (body_left_ == 0) place_ = place::between;
        return step(out, min_bytes, max_bytes, done + count);
      });
}

kj::Promise<size_t> stream_filter::admit(kj::byte* out, size_t min_bytes, size_t max_bytes, size_t done) {
  if (!logged_in_ && messages_ >= options_.messages_before_login_max)
    return refuse_read({ec::denied, "more than " + std::to_string(options_.messages_before_login_max)
                                        + " messages before the login"});
  ++messages_;
  if (options_.traffic) options_.traffic->messages.fetch_add(1, std::memory_order_relaxed);
  auto go_on = [=, this](byte_budget::ticket ticket) {
    ticket_ = std::move(ticket);
    place_ = place::table;
    return step(out, min_bytes, max_bytes, done);
  };
  auto& budget = logged_in_ ? *after_login_ : *before_login_;
  if (auto at_once = budget.try_acquire(message_bytes_)) return go_on(std::move(*at_once));
  auto since = loop_.timer().now();
  return budget.acquire(loop_, message_bytes_).then([this, go_on, since](byte_budget::ticket ticket) mutable {
    message_began_ += loop_.timer().now() - since;
    return go_on(std::move(ticket));
  });
}

size_t stream_filter::hand_out_buffer(kj::byte* out, size_t count) {
  count = std::min(count, buffered());
  std::memcpy(out, buffer_ + buffer_begin_, count);
  buffer_begin_ += count;
  if (buffer_begin_ == buffer_end_) buffer_begin_ = buffer_end_ = 0;
  return count;
}

// -- judging ---

size_t stream_filter::table_bytes() const {
  // The count, then a size each, padded to a word. The count has been judged: no overflow.
  size_t segments = size_t{little_endian_32(buffer_ + buffer_begin_)} + 1;
  return (4 * (segments + 1) + word_bytes - 1) / word_bytes * word_bytes;
}

error stream_filter::judge_first_word() {
  auto* begin = buffer_ + buffer_begin_;
  uint64_t segments = uint64_t{little_endian_32(begin)} + 1;
  if (segments <= options_.segments_max) return {};
  byte_view seen{begin, buffered()};
  if (messages_ == 0) {
    spoken_ = recognise(seen);
    if (spoken_ != foreign_protocol::unknown)
      return {ec::wrong_protocol, std::string{"the peer speaks "} + name_of(spoken_) + " (" + quoted(seen)
                                      + "), this port Pessoa's RPC"
                                      + (spoken_ == foreign_protocol::kafka && !options_.kafka_hint.empty()
                                             ? "; " + options_.kafka_hint
                                             : std::string{})};
  }
  return {ec::malformed_message, "a message of " + std::to_string(segments) + " segments (it begins with "
                                     + quoted(seen, word_bytes) + "), at most "
                                     + std::to_string(options_.segments_max) + " are taken"};
}

error stream_filter::judge_sizes() {
  auto* begin = buffer_ + buffer_begin_;
  size_t segments = size_t{little_endian_32(begin)} + 1;
  uint64_t words = 0; // 64 sizes of 32 bits fit
  for (size_t i = 0; i < segments; ++i)
    words += little_endian_32(begin + 4 * (i + 1));
  if (words == 0) return {ec::malformed_message, "a message without a word in it"};
  auto total = table_bytes() + words * word_bytes;
  auto limit = logged_in_ ? options_.bytes_max : options_.bytes_before_login_max;
  if (total > limit)
    return {ec::message_too_large, "a message of " + std::to_string(total) + " bytes, at most "
                                       + std::to_string(limit) + " are taken"
                                       + (logged_in_ ? "" : " before the login")};
  message_bytes_ = total;
  table_left_ = table_bytes();
  body_left_ = words * word_bytes;
  return {};
}

// -- time ---

void stream_filter::saw_bytes(size_t count) {
  if (options_.traffic) options_.traffic->read.fetch_add(count, std::memory_order_relaxed);
  last_byte_ = loop_.timer().now();
}

void stream_filter::wrote_bytes(size_t count) {
  if (options_.traffic) options_.traffic->written.fetch_add(count, std::memory_order_relaxed);
}

kj::Maybe<kj::TimePoint> stream_filter::next_deadline() const {
  if (refused()) return nullptr;
  bool inside = place_ != place::between && reading_;
  if (logged_in_ && !inside) return nullptr;
  auto login = opened_ + to_kj(options_.login_deadline);
  if (!inside) return login;
  auto whole = to_kj(options_.frame_deadline) + message_bytes_ / options_.bytes_per_second_min * kj::SECONDS;
  auto message = std::min(last_byte_ + to_kj(options_.frame_deadline), message_began_ + whole);
  return logged_in_ ? message : std::min(message, login);
}

// Keeps one timer per connection at most, which looks again when it fires instead of moving with each byte.
void stream_filter::watch() {
  KJ_IF_MAYBE (deadline, next_deadline()) {
    if (watching_ && armed_ <= *deadline) return;
    watching_ = true;
    watchdog_ = watch_until_done().eagerlyEvaluate(nullptr);
  }
}

kj::Promise<void> stream_filter::watch_until_done() {
  KJ_IF_MAYBE (deadline, next_deadline()) {
    armed_ = *deadline;
    return loop_.timer().atTime(*deadline).then([this] {
      check_deadlines();
      return watch_until_done();
    });
  }
  watching_ = false;
  return kj::READY_NOW;
}

void stream_filter::check_deadlines() {
  KJ_IF_MAYBE (deadline, next_deadline()) {
    auto now = loop_.timer().now();
    if (now < *deadline) return;
    if (!logged_in_ && now >= opened_ + to_kj(options_.login_deadline))
      return refuse({ec::timed_out, "no login within " + in_seconds(options_.login_deadline)});
    auto had = place_ == place::header ? buffered() : message_bytes_ - table_left_ - body_left_;
    auto which = std::to_string(had) + " of a message's "
                 + (message_bytes_ ? std::to_string(message_bytes_) : std::string{"unknown number of"})
                 + " bytes";
    if (now >= last_byte_ + to_kj(options_.frame_deadline))
      return refuse(
          {ec::timed_out, "nothing came for " + in_seconds(options_.frame_deadline) + " after " + which});
    refuse({ec::timed_out, "too slow: only " + which + " came in time, less than "
                               + std::to_string(options_.bytes_per_second_min) + " a second"});
  }
}

// -- writing and the end ---

kj::Promise<void> stream_filter::write(const void* buffer, size_t size) {
  if (muted_) return kj::READY_NOW;
  wrote_bytes(size);
  return inner_->write(buffer, size);
}

kj::Promise<void> stream_filter::write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) {
  if (muted_) return kj::READY_NOW;
  size_t size = 0;
  for (auto& piece : pieces)
    size += piece.size();
  wrote_bytes(size);
  return inner_->write(pieces);
}

void stream_filter::shutdownWrite() {
  if (std::exchange(write_ended_, true)) return;
  if (!muted_) return inner_->shutdownWrite();
  farewell_ = farewell_.then([this] { inner_->shutdownWrite(); })
                  .catch_([](kj::Exception&&) {}) // the peer has gone before us
                  .eagerlyEvaluate(nullptr);
}

kj::Promise<void> stream_filter::linger(duration patience) {
  reads_.cancel("the stream is at its end");
  kj::runCatchingExceptions([this] { shutdownWrite(); });
  return farewell_.then([this, patience] { return node::linger(*inner_, loop_.timer(), patience); });
}

} // namespace pessoa::node
