// Whatever bytes come in whatever pieces: the frame reader gives out exactly the requests that a simple reference
// accepts, byte for byte, and no byte stays charged.
//
// Input: one byte of settings, one seed for the cuts, then the stream. Settings: bit 0 known from the beginning, bit 1
// known after the first request, bit 2 the budgets hold one request at a time, bits 3 and up how large the pieces may be.
#include "node/kafka_frame_reader.hpp"
#include "schema/assert.hpp"
#include "schema/endian.hpp"
#include "schema/seams/random.hpp"
#include "tests/node/test_loop.hpp"

#include <algorithm>
#include <cstring>

using namespace pessoa;
using namespace pessoa::node;

namespace {

// Both ways of reading, from the buffer and into memory of its own, before and after the first answer.
constexpr size_t first_max = kafka_frame_reader::buffer_bytes + 256,
                 known_max = 2 * kafka_frame_reader::buffer_bytes;

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

// The next request at the front of `stream`, which it leaves behind; nullopt when there is none. `clean`: the stream ends
// here. Written to be obvious.
std::optional<byte_view> reference(byte_view& stream, bool known, bool& clean) {
  clean = stream.empty();
  if (stream.size() < 4) return std::nullopt;
  int64_t size = load_be<int32_t>(stream.data());
  if (size < 8 || size > static_cast<int64_t>(known ? known_max : first_max)) return std::nullopt;
  if (stream.size() < 4 + static_cast<size_t>(size)) return std::nullopt;
  auto out = stream.subspan(4, static_cast<size_t>(size));
  stream = stream.subspan(4 + out.size());
  return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  bool known = data[0] & 1, known_later = data[0] & 2;
  byte_view stream{data + 2, size - 2};
  test_loop loop;
  auto budget = byte_budget::make(data[0] & 4 ? 1 : 1 << 20);
  stream_traffic traffic;
  kafka_frame_options options;
  options.bytes_before_first_max = first_max;
  options.bytes_max = known_max;
  uint64_t requests = 0;
  {
    pieces from{stream, data[1], 1 + (size_t{data[0]} >> 3) * 97};
    kafka_frame_reader reader{from, loop, options, {budget, budget, budget, budget}, traffic};
    if (known) reader.set_known();
    for (bool more = true; more;) {
      bool clean = false;
      auto expected = reference(stream, known, clean);
      auto got = reader.next().wait(loop.scope());
      if (!got) {
        PESSOA_ASSERT(!expected && !clean, got.error().message);
        PESSOA_ASSERT(!got.error().message.empty());
        PESSOA_ASSERT((reader.spoken() != foreign_protocol::unknown)
                      || got.error().code != ec::wrong_protocol);
        more = false;
      } else if (!*got) {
        PESSOA_ASSERT(!expected && clean);
        more = false;
      } else {
        auto& frame = **got;
        PESSOA_ASSERT(expected && same_bytes(*expected, {frame.data.get(), frame.size}), frame.size);
        PESSOA_ASSERT(budget->now().used == frame.size + request_overhead_bytes, budget->now().used);
        ++requests;
        if (known_later && !std::exchange(known, true)) reader.set_known();
      }
    }
  }
  PESSOA_ASSERT(traffic.messages == requests && traffic.read <= size, requests);
  PESSOA_ASSERT(budget->now().used == 0, budget->now().used);
  PESSOA_ASSERT(budget->now().high_water <= known_max + request_overhead_bytes, budget->now().high_water);
  return 0;
}
