// Any bytes as a Zstandard frame. Input: the size of the pieces to read in, then the frame; its magic is
// written anew, and the flag for a checksum of the contents is cleared, so that the fuzzer gets past them.
#include "schema/endian.hpp"
#include "tests/fuzz/byte_source.hpp"
#include "tests/fuzz/codec_check.hpp"

using namespace pessoa;

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
  fuzz::check_codec(compression::zstd, frame, piece);
  return 0;
}
