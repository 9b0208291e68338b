// Whatever bytes come in whatever pieces: the reader behind the stream filter gets exactly the messages that
// a simple reference accepts, whole tables only, and no byte stays charged.
//
// Input: one byte of settings, one seed for the cuts, then the stream. Settings: bit 0 logged in, bit 1 the
// reader is Cap'n Proto's own (else reads of any size), bits 2 and up how large the pieces may be.
#include "node/stream_filter.hpp"
#include "schema/assert.hpp"
#include "schema/seams/random.hpp"
#include "tests/node/test_loop.hpp"

#include <capnp/serialize-async.h>

#include <algorithm>
#include <cstring>

using namespace pessoa;
using namespace pessoa::node;

namespace {

constexpr size_t before_login_max = 256, after_login_max = 2048, messages_max = 8;

// The whole input as a stream that gives random pieces of it, at once or a turn later.
class pieces final : public kj::AsyncIoStream {
public:
  pieces(byte_view data, uint64_t seed, size_t piece_max)
      : data_(data), random_(seed), piece_max_(piece_max) {}
  kj::Promise<size_t> tryRead(void* buffer, size_t min_bytes, size_t max_bytes) override {
    size_t count = 1 + random_.below(piece_max_);
    count = std::min({std::max(count, min_bytes), max_bytes, data_.size()});
    std::memcpy(buffer, data_.data(), count);
    data_ = data_.subspan(count);
    if (random_.below(4) == 0) return kj::evalLater([count] { return count; });
    return count;
  }
  kj::Promise<void> write(const void*, size_t) override { return kj::READY_NOW; }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>>) override { return kj::READY_NOW; }
  kj::Promise<void> whenWriteDisconnected() override { return kj::NEVER_DONE; }
  void shutdownWrite() override {}

private:
  byte_view data_;
  seeded_random random_;
  size_t piece_max_;
};

// How many bytes of the stream may pass, and whether it ends between messages. Written to be obvious.
struct expectation {
  size_t bytes = 0, messages = 0;
  bool clean = true;
};
expectation reference(byte_view stream, bool logged_in) {
  expectation out;
  auto number = [&](size_t at) {
    uint64_t v = 0;
    for (size_t i = 0; i < 4; ++i)
      v |= uint64_t{stream[at + i]} << (8 * i);
    return v;
  };
  for (;;) {
    auto at = out.bytes, left = stream.size() - at;
    if (left == 0) return out;
    out.clean = false;
    if (left < 8) return out;
    auto segments = number(at) + 1;
    if (segments > rpc_segments_max) return out;
    auto table = (4 + 4 * segments + 7) / 8 * 8;
    if (left < table) return out;
    uint64_t words = 0;
    for (size_t i = 0; i < segments; ++i)
      words += number(at + 4 + 4 * i);
    auto total = table + 8 * words;
    if (words == 0 || total > (logged_in ? after_login_max : before_login_max)) return out;
    if (!logged_in && out.messages == messages_max) return out;
    ++out.messages;
    out.bytes += std::min<uint64_t>(total, left);
    if (left < total) return out;
    out.clean = true;
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  bool logged_in = data[0] & 1, by_capnp = data[0] & 2;
  byte_view stream{data + 2, size - 2};
  test_loop loop;
  auto node = byte_budget::make(1 << 20);
  auto budget = byte_budget::make(1 << 16, node);
  size_t refusals = 0;
  stream_filter_options options;
  options.bytes_before_login_max = before_login_max;
  options.bytes_max = after_login_max;
  options.messages_before_login_max = messages_max;
  auto expected = reference(stream, logged_in);
  bool refused;
  {
    stream_filter filter{kj::heap<pieces>(stream, data[1], 1 + (data[0] >> 2)),
                         loop,
                         options,
                         budget,
                         budget,
                         [&](const error& e) {
                           PESSOA_ASSERT(!e.message.empty());
                           ++refusals;
                         }};
    if (logged_in) filter.set_logged_in();
    std::vector<uint8_t> got;
    if (by_capnp) {
      capnp::ReaderOptions limits;
      limits.traversalLimitInWords = after_login_max / 8; // above which it would say no itself, in vain
      for (bool more = true; more;) {
        // What Cap'n Proto throws beyond the filter's own refusal is a message that should not have got
        // there.
        KJ_IF_MAYBE (e, kj::runCatchingExceptions([&] {
                       auto message = capnp::tryReadMessage(filter, limits).wait(loop.scope());
                       more = message != nullptr;
                     })) {
          PESSOA_ASSERT(filter.refused(), e->getDescription().cStr());
          more = false;
        }
      }
    } else {
      seeded_random sizes{data[1]};
      for (;;) {
        auto want = 1 + sizes.below(200);
        auto begin = got.size();
        got.resize(begin + want);
        size_t count = 0;
        KJ_IF_MAYBE (e, kj::runCatchingExceptions([&] {
                       count =
                           filter.tryRead(got.data() + begin, 1 + sizes.below(want), want).wait(loop.scope());
                     }))
          PESSOA_ASSERT(filter.refused(), e->getDescription().cStr());
        got.resize(begin + count);
        if (count == 0) break;
      }
      // A read that was refused half-way keeps what it had: at most the last one is missing.
      PESSOA_ASSERT(got.size() <= expected.bytes, got.size(), expected.bytes);
      PESSOA_ASSERT(got.size() + 200 > expected.bytes, got.size(), expected.bytes);
      PESSOA_ASSERT(std::equal(got.begin(), got.end(), stream.begin()));
    }
    PESSOA_ASSERT(filter.messages_read() == expected.messages, filter.messages_read(), expected.messages);
    refused = filter.refused();
    PESSOA_ASSERT(refused != expected.clean, refused, expected.clean);
  }
  PESSOA_ASSERT(refusals == (refused ? 1u : 0u), refusals);
  PESSOA_ASSERT(budget->now().used == 0 && node->now().used == 0, budget->now().used);
  PESSOA_ASSERT(budget->now().high_water <= after_login_max, budget->now().high_water);
  return 0;
}
