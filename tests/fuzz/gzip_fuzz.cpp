// Any bytes as a gzip stream. Input: the size of the pieces to read in, then the stream; its magic and its
// checksum are written anew, so that the fuzzer gets past them.
//
// What we accept, zlib must accept when it is given all the room at once (as other clients do), as the same
// bytes, and leave nothing over; and the other way round.
#include "schema/endian.hpp"
#include "tests/fuzz/byte_source.hpp"
#include "tests/fuzz/codec_check.hpp"

#include <zlib.h>

using namespace pessoa;

namespace {

// The stream as zlib sees it whole. With `bare`, without its wrapping.
struct seen {
  int said = Z_OK;
  std::vector<uint8_t> data;
  size_t used = 0;
};

seen inflate_whole(byte_view stream, bool bare) {
  seen s;
  s.data.resize(fuzz::expanded_bytes_max + 1);
  std::vector<uint8_t> in{stream.begin(), stream.end()};
  z_stream state{};
  PESSOA_ASSERT(inflateInit2(&state, bare ? -15 : 15 + 16) == Z_OK);
  state.next_in = in.data();
  state.avail_in = static_cast<uInt>(in.size());
  state.next_out = s.data.data();
  state.avail_out = static_cast<uInt>(s.data.size());
  s.said = inflate(&state, Z_FINISH);
  s.used = in.size() - state.avail_in;
  s.data.resize(s.data.size() - state.avail_out);
  inflateEnd(&state);
  return s;
}

// A plain header, and behind what inflates the checksum and the length that are right for it.
void repair(std::vector<uint8_t>& stream) {
  constexpr uint8_t header[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff};
  constexpr size_t trailer_bytes = 8;
  if (stream.size() < sizeof header + trailer_bytes) return;
  std::copy(std::begin(header), std::end(header), stream.begin());
  auto body = byte_view{stream}.subspan(sizeof header);
  auto whole = inflate_whole(body, true);
  if (whole.said != Z_STREAM_END) return;
  stream.resize(sizeof header + whole.used + trailer_bytes);
  auto* trailer = stream.data() + sizeof header + whole.used;
  auto sum = crc32(0, whole.data.data(), static_cast<uInt>(whole.data.size()));
  store_le(trailer, static_cast<uint32_t>(sum));
  store_le(trailer + 4, static_cast<uint32_t>(whole.data.size()));
}

void compare_with_library(byte_view stream, const result<std::vector<uint8_t>>& ours) {
  auto whole = inflate_whole(stream, false);
  bool good = whole.said == Z_STREAM_END && whole.used == stream.size()
              && whole.data.size() <= fuzz::expanded_bytes_max;
  PESSOA_ASSERT(good == ours.ok(), whole.said, whole.used, stream.size(), whole.data.size());
  if (good) PESSOA_ASSERT(same_bytes(*ours, whole.data), whole.data.size());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::byte_source in{data, size};
  uint8_t choice = in.byte();
  size_t piece = 1 + in.number() % 5000;
  auto rest = in.rest();
  std::vector<uint8_t> stream{rest.begin(), rest.end()};
  if (choice % 4 != 0) repair(stream);
  compare_with_library(stream, fuzz::check_codec(compression::gzip, stream, piece));
  return 0;
}
