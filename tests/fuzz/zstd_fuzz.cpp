// Any bytes as a Zstandard frame. Input: the size of the pieces to read in, then the frame; its magic is
// written anew, and the flag for a checksum of the contents is cleared, so that the fuzzer gets past them.
//
// What we accept, the library's function for whole frames (which other clients call) must accept too, as the
// same bytes. Not the other way round: that function also takes blocks larger than the frame's window allows.
#include "schema/endian.hpp"
#include "tests/fuzz/byte_source.hpp"
#include "tests/fuzz/codec_check.hpp"

#include <zstd.h>

using namespace pessoa;

namespace {

void compare_with_library(byte_view frame, const result<std::vector<uint8_t>>& ours) {
  if (!ours.ok()) return;
  std::vector<uint8_t> room(fuzz::expanded_bytes_max);
  size_t size = ZSTD_decompress(room.data(), room.size(), frame.data(), frame.size());
  PESSOA_ASSERT(!ZSTD_isError(size), ZSTD_getErrorName(size));
  PESSOA_ASSERT(same_bytes(*ours, byte_view{room}.first(size)), size);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::byte_source in{data, size};
  uint8_t choice = in.byte();
  size_t piece = 1 + in.number() % 5000;
  auto rest = in.rest();
  std::vector<uint8_t> frame{rest.begin(), rest.end()};
  if (choice % 4 != 0 && frame.size() > 5) {
    store_le(frame.data(), uint32_t{0xfd2fb528});
    frame[4] &= 0xfb;
  }
  compare_with_library(frame, fuzz::check_codec(compression::zstd, frame, piece));
  return 0;
}
