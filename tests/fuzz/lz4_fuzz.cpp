// Any bytes as an LZ4 frame. Input: the size of the pieces to read in, then the frame; its magic and the
// checksum of its descriptor are written anew, so that the fuzzer gets past them.
#include "schema/endian.hpp"
#include "tests/fuzz/byte_source.hpp"
#include "tests/fuzz/codec_check.hpp"

using namespace pessoa;

namespace {

constexpr uint32_t rotl(uint32_t x, int k) { return x << k | x >> (32 - k); }

// xxHash-32 of fewer than 16 bytes, which a frame's descriptor is.
uint32_t short_xxh32(byte_view data) {
  constexpr uint32_t p1 = 2654435761, p2 = 2246822519, p3 = 3266489917, p4 = 668265263, p5 = 374761393;
  uint32_t h = p5 + static_cast<uint32_t>(data.size());
  for (; data.size() >= 4; data = data.subspan(4))
    h = rotl(h + load_le<uint32_t>(data.data()) * p3, 17) * p4;
  for (uint8_t byte : data)
    h = rotl(h + byte * p5, 11) * p1;
  h = (h ^ h >> 15) * p2;
  h = (h ^ h >> 13) * p3;
  return h ^ h >> 16;
}

void repair(std::vector<uint8_t>& frame) {
  if (frame.size() < 7) return;
  store_le(frame.data(), uint32_t{0x184d2204});
  size_t size = 2 + ((frame[4] & 0x08) != 0 ? 8 : 0) + ((frame[4] & 0x01) != 0 ? 4 : 0);
  if (frame.size() > 4 + size)
    frame[4 + size] = static_cast<uint8_t>(short_xxh32(byte_view{frame}.subspan(4, size)) >> 8);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::byte_source in{data, size};
  uint8_t choice = in.byte();
  size_t piece = 1 + in.number() % 5000;
  auto rest = in.rest();
  std::vector<uint8_t> frame{rest.begin(), rest.end()};
  if (choice % 4 != 0) repair(frame);
  (void)fuzz::check_codec(compression::lz4, frame, piece);
  return 0;
}
