#include "node/kafka_frame_reader.hpp"

#include "schema/assert.hpp"
#include "schema/endian.hpp"

#include <algorithm>
#include <cstring>

namespace pessoa::node {

namespace {

constexpr size_t length_bytes = 4;
// Enough of a stranger's first bytes to know its protocol by.
constexpr size_t recognisable_bytes = 8;

kj::Duration to_kj(duration d) { return d.count() * kj::NANOSECONDS; }

std::string in_seconds(duration d) {
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

} // namespace

kafka_frame_reader::kafka_frame_reader(kj::AsyncIoStream& stream, io_loop& loop,
                                       const kafka_frame_options& options, kafka_request_budgets budgets,
                                       stream_traffic& traffic)
    : stream_(stream), loop_(loop), options_(options), budgets_(std::move(budgets)), traffic_(traffic),
      opened_(loop.timer().now()), began_(opened_), last_byte_(opened_) {
  PESSOA_ASSERT(options_.bytes_per_second_min > 0);
  PESSOA_ASSERT(options_.bytes_before_first_max <= options_.bytes_max);
}

kj::Promise<result<std::optional<kafka_frame>>> kafka_frame_reader::next() {
  PESSOA_ASSERT(!reading_ && !size_);
  began_ = last_byte_ = loop_.timer().now();
  return step();
}

// Goes on from where the stream is until a request is whole or something has to be waited for.
kj::Promise<kafka_frame_reader::outcome> kafka_frame_reader::step() {
  if (buffered() < length_bytes) return fill_buffer();
  if (!size_) {
    if (auto bad = judge_length(); bad.code != ec::none) {
      if (frames_ > 0 || buffered() >= recognisable_bytes) return outcome{std::move(bad)};
      return fill_buffer();
    }
    size_ = load_be<uint32_t>(seen().data());
  }
  if (buffered() < std::min(length_bytes + *size_, buffer_bytes)) return fill_buffer();
  return admit();
}

kj::Promise<kafka_frame_reader::outcome> kafka_frame_reader::fill_buffer() {
  if (buffer_begin_ > 0) {
    std::memmove(buffer_, buffer_ + buffer_begin_, buffered());
    buffer_end_ -= buffer_begin_;
    buffer_begin_ = 0;
  }
  PESSOA_ASSERT(buffer_end_ < buffer_bytes, buffer_end_);
  reading_ = true;
  return stream_.tryRead(buffer_ + buffer_end_, 1, buffer_bytes - buffer_end_)
      .then([this](size_t count) -> kj::Promise<outcome> {
        reading_ = false;
        if (count == 0) {
          if (buffered() == 0) return outcome{std::optional<kafka_frame>{}};
          return outcome{error{ec::disconnected, "the peer ended after " + std::to_string(buffered())
                                                     + " bytes of a request (" + quoted(seen()) + ")"}};
        }
        if (buffered() == 0) began_ = loop_.timer().now();
        buffer_end_ += count;
        saw_bytes(count);
        return step();
      });
}

// Before the length is believed. The first request decides whether this is a Kafka client at all.
error kafka_frame_reader::judge_length() {
  auto size = load_be<int32_t>(seen().data());
  auto limit = known_ ? options_.bytes_max : options_.bytes_before_first_max;
  if (size >= static_cast<int32_t>(request_bytes_min) && static_cast<size_t>(size) <= limit) return {};
  if (frames_ == 0) {
    spoken_ = recognise(seen());
    if (spoken_ != foreign_protocol::unknown && spoken_ != foreign_protocol::kafka)
      return {ec::wrong_protocol, std::string{"the peer speaks "} + name_of(spoken_) + " (" + quoted(seen())
                                      + "), this port the Kafka protocol"};
  }
  if (size < static_cast<int32_t>(request_bytes_min))
    return {ec::malformed_message, "a request of " + std::to_string(size) + " bytes (it begins with "
                                       + quoted(seen()) + "), at least " + std::to_string(request_bytes_min)
                                       + " are its head"};
  return {ec::message_too_large, "a request of " + std::to_string(size) + " bytes (it begins with "
                                     + quoted(seen()) + "), at most " + std::to_string(limit) + " are taken"
                                     + (known_ ? "" : " before the first answer")};
}

kj::Promise<kafka_frame_reader::outcome> kafka_frame_reader::admit() {
  bool is_small = length_bytes + *size_ <= buffer_bytes;
  auto& budget = known_ ? (is_small ? *budgets_.small : *budgets_.large)
                        : (is_small ? *budgets_.first_small : *budgets_.first_large);
  auto cost = *size_ + request_overhead_bytes;
  if (auto at_once = budget.try_acquire(cost)) return take_memory(std::move(*at_once));
  auto since = loop_.timer().now();
  waiting_ = true;
  return budget.acquire(loop_, cost).then([this, since](byte_budget::ticket ticket) {
    waiting_ = false;
    auto waited = loop_.timer().now() - since;
    opened_ += waited;
    began_ += waited;
    return take_memory(std::move(ticket));
  });
}

kj::Promise<kafka_frame_reader::outcome> kafka_frame_reader::take_memory(byte_budget::ticket ticket) {
  frame_.ticket = std::move(ticket);
  frame_.size = *size_;
  frame_.data.reset(new uint8_t[frame_.size]); // not zeroed: every byte is read into
  had_ = 0;
  buffer_begin_ += length_bytes;
  take_from_buffer();
  return read_body();
}

void kafka_frame_reader::take_from_buffer() {
  auto count = std::min(frame_.size - had_, buffered());
  std::memcpy(frame_.data.get() + had_, buffer_ + buffer_begin_, count);
  had_ += count;
  buffer_begin_ += count;
  if (buffer_begin_ == buffer_end_) buffer_begin_ = buffer_end_ = 0;
}

kj::Promise<kafka_frame_reader::outcome> kafka_frame_reader::read_body() {
  if (had_ == frame_.size) return give_out();
  reading_ = true;
  last_byte_ = loop_.timer().now();
  // One byte at least, so that progress is seen, and not a byte of the next request.
  return stream_.tryRead(frame_.data.get() + had_, 1, frame_.size - had_)
      .then([this](size_t count) -> kj::Promise<outcome> {
        reading_ = false;
        if (count == 0)
          return outcome{error{ec::disconnected, "the peer ended after " + std::to_string(had_)
                                                     + " of a request's " + std::to_string(frame_.size)
                                                     + " bytes"}};
        had_ += count;
        saw_bytes(count);
        return read_body();
      });
}

kafka_frame_reader::outcome kafka_frame_reader::give_out() {
  ++frames_;
  traffic_.messages.fetch_add(1, std::memory_order_relaxed);
  size_.reset();
  return std::optional<kafka_frame>{std::exchange(frame_, {})};
}

// -- time ---

void kafka_frame_reader::saw_bytes(size_t count) {
  traffic_.read.fetch_add(count, std::memory_order_relaxed);
  last_byte_ = loop_.timer().now();
}

std::optional<kj::TimePoint> kafka_frame_reader::idle_since() const {
  if (!reading_ || size_ || buffered() > 0) return std::nullopt;
  return last_byte_;
}

std::optional<error> kafka_frame_reader::overdue() const {
  auto now = loop_.timer().now();
  if (waiting_ && !known_ && now >= opened_ + to_kj(options_.first_deadline))
    return error{ec::overloaded, "no room for a first request of " + std::to_string(*size_) + " bytes within "
                                     + in_seconds(options_.first_deadline)};
  if (!reading_) return std::nullopt;
  if (frames_ == 0 && now >= opened_ + to_kj(options_.first_deadline))
    return error{ec::timed_out, "no request within " + in_seconds(options_.first_deadline)};
  if (idle_since()) return std::nullopt;
  auto had = frame_.data ? had_ : buffered() - std::min(buffered(), length_bytes);
  auto which = std::to_string(had) + " of a request's "
               + (size_ ? std::to_string(*size_) : std::string{"unknown number of"}) + " bytes";
  if (now >= last_byte_ + to_kj(options_.frame_deadline))
    return error{ec::timed_out,
                 "nothing came for " + in_seconds(options_.frame_deadline) + " after " + which};
  auto whole =
      to_kj(options_.frame_deadline) + size_.value_or(0) / options_.bytes_per_second_min * kj::SECONDS;
  if (now >= began_ + whole)
    return error{ec::timed_out, "too slow: only " + which + " came in time, less than "
                                    + std::to_string(options_.bytes_per_second_min) + " a second"};
  return std::nullopt;
}

} // namespace pessoa::node
