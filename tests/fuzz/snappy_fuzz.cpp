// Any bytes as snappy, in chunks or as one block. Input: the size of the pieces to read in, then the bytes;
// on request a header is written over their begin, and the lengths of chunks are made to fit.
//
// A second reader stands here, written from the format alone, one byte at a time: it and ours must give the
// same verdict and the same bytes.
#include "schema/endian.hpp"
#include "tests/fuzz/byte_source.hpp"
#include "tests/fuzz/codec_check.hpp"

#include <optional>

using namespace pessoa;

namespace {

using raw = std::vector<uint8_t>;

constexpr uint8_t header[16] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};

// Takes `count` bytes, little-endian.
std::optional<uint32_t> little(byte_view& in, size_t count) {
  if (in.size() < count) return {};
  uint32_t x = 0;
  for (size_t i = 0; i < count; ++i)
    x |= static_cast<uint32_t>(in[i]) << 8 * i;
  in = in.subspan(count);
  return x;
}

// The length before a block: seven bits a byte, at most 32 bits of them.
std::optional<uint32_t> claim(byte_view& in) {
  uint64_t x = 0;
  for (int shift = 0; shift < 35 && !in.empty(); shift += 7) {
    uint8_t byte = in[0];
    in = in.subspan(1);
    x |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return x > UINT32_MAX ? std::nullopt : std::optional{static_cast<uint32_t>(x)};
  }
  return {};
}

// Appends what one block holds; false if it is broken, or holds more than anybody here may want.
bool read_block(byte_view in, raw& out) {
  auto claimed = claim(in);
  if (!claimed || *claimed > fuzz::expanded_bytes_max) return false;
  const size_t begin = out.size(), end = begin + *claimed;
  while (!in.empty()) {
    uint8_t tag = in[0];
    in = in.subspan(1);
    uint64_t length = 0;
    if ((tag & 3) == 0) {
      length = tag >> 2;
      if (length >= 60) {
        auto more = little(in, length - 59);
        if (!more) return false;
        length = *more;
      }
      ++length;
      if (length > in.size() || length > end - out.size()) return false;
      out.insert(out.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(length));
      in = in.subspan(length);
      continue;
    }
    std::optional<uint32_t> distance;
    if ((tag & 3) == 1) {
      length = 4 + (tag >> 2 & 7);
      distance = little(in, 1);
      if (distance) *distance |= static_cast<uint32_t>(tag >> 5) << 8;
    } else {
      length = (tag >> 2) + 1u;
      distance = little(in, (tag & 3) == 2 ? 2 : 4);
    }
    if (!distance || *distance == 0 || *distance > out.size() - begin || length > end - out.size())
      return false;
    for (; length > 0; --length)
      out.push_back(out[out.size() - *distance]);
  }
  return out.size() == end;
}

std::optional<raw> read_all(byte_view in) {
  raw out;
  if (in.size() < 8 || !same_bytes(in.first(8), byte_view{header}.first(8)))
    return read_block(in, out) ? std::optional{out} : std::nullopt;
  if (in.size() < 16 || !same_bytes(in.first(16), header)) return {};
  for (in = in.subspan(16); !in.empty();) {
    if (in.size() < 4) return {};
    size_t size = load_be<uint32_t>(in.data());
    in = in.subspan(4);
    if (size > in.size() || !read_block(in.first(size), out)) return {};
    in = in.subspan(size);
    if (out.size() > fuzz::expanded_bytes_max) return {};
  }
  return out;
}

// Writes the header, and over every length that would pass the end one that reaches it.
void repair(raw& data) {
  if (data.size() < sizeof header) return;
  std::copy(std::begin(header), std::end(header), data.begin());
  for (size_t at = sizeof header; data.size() - at >= 4;) {
    size_t left = data.size() - at - 4;
    auto size = std::min<size_t>(load_be<uint32_t>(data.data() + at), left);
    store_be(data.data() + at, static_cast<uint32_t>(size));
    at += 4 + size;
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::byte_source in{data, size};
  uint8_t choice = in.byte();
  size_t piece = 1 + in.number() % 5000;
  auto bytes = fuzz::exact(in.rest());
  if (choice % 4 >= 2) repair(bytes);
  auto ours = fuzz::check_codec(compression::snappy, bytes, piece);
  auto theirs = read_all(bytes);
  PESSOA_ASSERT(ours.ok() == theirs.has_value(), ours.ok(), bytes.size());
  if (theirs) PESSOA_ASSERT(*ours == *theirs, theirs->size());
  return 0;
}
