#include "client/rpc/guarded_stream.hpp"

#include "schema/endian.hpp"
#include "schema/topic_config.hpp"

#include <kj/debug.h>

#include <algorithm>

namespace pessoa::client {

namespace {

// Replies come from a builder that adds segments as it grows; Cap'n Proto's own reader stops at 512.
constexpr uint32_t segments_max = 512;

class guarded_stream final : public kj::AsyncIoStream {
public:
  guarded_stream(kj::Own<kj::AsyncIoStream> inner, size_t message_bytes_max,
                 std::shared_ptr<guard_findings> findings)
      : inner_(kj::mv(inner)), guard_(message_bytes_max), findings_(std::move(findings)) {}

  kj::Promise<size_t> tryRead(void* buffer, size_t min_bytes, size_t max_bytes) override {
    return inner_->tryRead(buffer, min_bytes, max_bytes)
        .then([this, buffer](size_t n) -> kj::Promise<size_t> {
          findings_->bytes += n;
          auto fine = guard_.feed(static_cast<const uint8_t*>(buffer), n);
          if (fine.ok()) return n;
          findings_->wrong = fine.error();
          auto text = to_string(fine.error());
          return kj::Exception{kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__,
                               kj::heapString(text.data(), text.size())};
        });
  }
  kj::Promise<void> write(const void* buffer, size_t size) override { return inner_->write(buffer, size); }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    return inner_->write(pieces);
  }
  kj::Promise<void> whenWriteDisconnected() override { return inner_->whenWriteDisconnected(); }
  void shutdownWrite() override { inner_->shutdownWrite(); }
  void abortRead() override { inner_->abortRead(); }
  void getsockopt(int level, int option, void* value, kj::uint* length) override {
    inner_->getsockopt(level, option, value, length);
  }
  void setsockopt(int level, int option, const void* value, kj::uint length) override {
    inner_->setsockopt(level, option, value, length);
  }
  kj::Maybe<int> getFd() const override { return inner_->getFd(); }

private:
  kj::Own<kj::AsyncIoStream> inner_;
  frame_guard guard_;
  std::shared_ptr<guard_findings> findings_;
};

} // namespace

error frame_guard::foreign(std::string what) const { return {ec::wrong_protocol, "this port " + what}; }

result<void> frame_guard::feed(const uint8_t* data, size_t size) {
  while (size > 0) {
    if (body_bytes_ > 0) {
      auto n = std::min<uint64_t>(body_bytes_, size);
      body_bytes_ -= n;
      data += n;
      size -= n;
      continue;
    }
    auto n = std::min(sizeof word_ - word_bytes_, size);
    std::copy(data, data + n, word_ + word_bytes_);
    word_bytes_ += n;
    data += n;
    size -= n;
    // Other protocols may say little and wait: four bytes are enough to know them.
    if (first_ && word_bytes_ >= 4) {
      std::string_view text{reinterpret_cast<const char*>(word_), 4};
      if (text == "HTTP") return foreign("answers in HTTP");
      if (text == "SSH-") return foreign("answers in SSH");
      if (load_le<uint32_t>(word_) >= segments_max)
        return foreign("does not speak Cap'n Proto; it began with "
                       + quoted({reinterpret_cast<const char*>(word_), word_bytes_}));
    }
    if (word_bytes_ < sizeof word_) continue;
    word_bytes_ = 0;
    PESSOA_CHECK(word());
    first_ = false;
  }
  return {};
}

// The table: the number of segments less one, the size of each in words, and a gap when their number is even.
result<void> frame_guard::word() {
  auto take = [&](uint32_t words) { message_words_ += words, ++sizes_read_; };
  if (segments_ == 0) {
    auto less_one = load_le<uint32_t>(word_);
    if (less_one >= segments_max)
      return {ec::malformed_message, "a message of " + std::to_string(less_one) + " segments"};
    segments_ = less_one + 1;
    sizes_read_ = 0;
    message_words_ = 0;
    take(load_le<uint32_t>(word_ + 4));
  } else {
    take(load_le<uint32_t>(word_));
    if (sizes_read_ < segments_) take(load_le<uint32_t>(word_ + 4));
  }
  if (message_words_ * 8 > message_bytes_max_) {
    if (first_) return foreign("does not speak Cap'n Proto");
    return {ec::malformed_message, "a message of " + std::to_string(message_words_ * 8) + " bytes, more than "
                                       + std::to_string(message_bytes_max_)};
  }
  if (sizes_read_ < segments_) return {};
  segments_ = 0;
  body_bytes_ = message_words_ * 8;
  return {};
}

kj::Own<kj::AsyncIoStream> guard_stream(kj::Own<kj::AsyncIoStream> stream, size_t message_bytes_max,
                                        std::shared_ptr<guard_findings> findings) {
  return kj::heap<guarded_stream>(kj::mv(stream), message_bytes_max, std::move(findings));
}

} // namespace pessoa::client
