// Snappy as Kafka's clients write it: in the chunks of snappy-java, or as one raw block.
//
//   82 "SNAPPY" 00 | version u32 = 1 | oldest reader u32 = 1 | chunks: length u32, a raw block     (big-endian)
//
// A raw block begins with its expanded length. It never begins with the bytes of the header: what follows its
// length there would be a copy from before its first byte. A block cannot be expanded in pieces, so its size
// is bounded instead.
#include "schema/compression.hpp"

#include "schema/endian.hpp"

#include <algorithm>
#include <array>

#include <snappy-c.h>

namespace pessoa {

namespace {

constexpr std::array<uint8_t, 8> magic = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
constexpr size_t header_bytes = magic.size() + 8;
constexpr uint32_t version = 1;
constexpr size_t length_bytes = 4;

constexpr size_t chunk_bytes = 32u << 10;    // what snappy-java writes
constexpr size_t block_bytes_max = 8u << 20; // expanded
// No element of a block gives more than 64 bytes for 3.
constexpr size_t expansion_max = 22;

error broken(std::string_view what) { return {ec::invalid_record, "snappy: " + std::string{what}}; }

const char* chars(const uint8_t* data) { return reinterpret_cast<const char*>(data); }
char* chars(uint8_t* data) { return reinterpret_cast<char*>(data); }

bool framed(byte_view data) {
  return data.size() >= magic.size() && same_bytes(data.first(magic.size()), magic);
}

class snappy_decompressor final : public decompressor {
public:
  explicit snappy_decompressor(byte_view compressed) : rest_(compressed), framed_(framed(compressed)) {}

  result<size_t> read(std::span<uint8_t> out) override {
    if (!begun_) {
      begun_ = true;
      if (framed_)
        PESSOA_CHECK(check_header());
      else
        PESSOA_CHECK(take_block(rest_.size()));
    }
    size_t filled = 0;
    while (filled < out.size()) {
      if (!block_.empty()) { // a block that waits is expanded as late as possible: perhaps it fits into `out`
        PESSOA_TRY(size_t got, expand(out.subspan(filled)));
        filled += got;
      } else if (!left_.empty()) {
        size_t count = std::min(left_.size(), out.size() - filled);
        std::copy_n(left_.begin(), count, out.begin() + static_cast<std::ptrdiff_t>(filled));
        left_ = left_.subspan(count);
        filled += count;
      } else if (!rest_.empty()) {
        PESSOA_CHECK(next_chunk());
      } else {
        break;
      }
    }
    return filled;
  }

private:
  result<void> check_header() {
    if (rest_.size() < header_bytes) return broken("its header is cut off");
    auto written = load_be<uint32_t>(rest_.data() + magic.size());
    auto oldest = load_be<uint32_t>(rest_.data() + magic.size() + 4);
    if (written != version || oldest != version)
      return error{ec::unsupported_compression, "snappy: chunks of version " + std::to_string(written)
                                                    + ", readable from version " + std::to_string(oldest)
                                                    + ": only 1 is known"};
    rest_ = rest_.subspan(header_bytes);
    return {};
  }
  result<void> next_chunk() {
    if (rest_.size() < length_bytes) return broken("a chunk is cut off");
    size_t size = load_be<uint32_t>(rest_.data());
    rest_ = rest_.subspan(length_bytes);
    if (size > rest_.size())
      return broken("a chunk claims " + std::to_string(size) + " bytes, here are "
                    + std::to_string(rest_.size()));
    return take_block(size);
  }
  // The next `size` bytes are a block: what does it claim, and can that be?
  result<void> take_block(size_t size) {
    block_ = rest_.first(size);
    rest_ = rest_.subspan(size);
    if (snappy_uncompressed_length(chars(block_.data()), block_.size(), &expanded_bytes_) != SNAPPY_OK)
      return broken("a block without a length");
    if (expanded_bytes_ / expansion_max > block_.size())
      return broken("a block of " + std::to_string(block_.size()) + " bytes claims to hold "
                    + std::to_string(expanded_bytes_));
    if (expanded_bytes_ > block_bytes_max)
      return error{ec::unsupported_compression, "snappy: a block of " + std::to_string(expanded_bytes_)
                                                    + " bytes, more than " + std::to_string(block_bytes_max)};
    return {};
  }
  // Into `out` if the whole block fits, else beside it. Returns how much of `out` is used.
  result<size_t> expand(std::span<uint8_t> out) {
    bool fits = expanded_bytes_ <= out.size();
    if (!fits && room_bytes_ < expanded_bytes_) {
      room_ = std::make_unique_for_overwrite<uint8_t[]>(expanded_bytes_);
      room_bytes_ = expanded_bytes_;
    }
    uint8_t* to = fits ? out.data() : room_.get();
    size_t size = expanded_bytes_;
    if (snappy_uncompress(chars(block_.data()), block_.size(), chars(to), &size) != SNAPPY_OK
        || size != expanded_bytes_)
      return broken("a block is broken or cut off");
    block_ = {};
    if (fits) return size;
    left_ = {to, size};
    return 0u;
  }

  byte_view rest_;
  const bool framed_;
  bool begun_ = false;
  byte_view block_; // not yet expanded
  size_t expanded_bytes_ = 0;
  std::unique_ptr<uint8_t[]> room_;
  size_t room_bytes_ = 0;
  byte_view left_; // of room_, not yet given away
};

std::unique_ptr<decompressor> open(byte_view compressed) {
  return std::make_unique<snappy_decompressor>(compressed);
}

// In chunks, as most clients write and all read; some read nothing else.
void compress(byte_view data, int, std::vector<uint8_t>& out) {
  size_t at = out.size();
  auto chunks = (data.size() + chunk_bytes - 1) / chunk_bytes;
  out.resize(at + header_bytes
             + chunks * (length_bytes + snappy_max_compressed_length(std::min(data.size(), chunk_bytes))));
  std::copy(magic.begin(), magic.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
  store_be(out.data() + at + magic.size(), version);
  store_be(out.data() + at + magic.size() + 4, version);
  at += header_bytes;
  while (!data.empty()) {
    auto chunk = data.first(std::min(data.size(), chunk_bytes));
    data = data.subspan(chunk.size());
    size_t size = out.size() - at - length_bytes;
    auto said =
        snappy_compress(chars(chunk.data()), chunk.size(), chars(out.data() + at + length_bytes), &size);
    PESSOA_ASSERT(said == SNAPPY_OK, static_cast<int>(said), chunk.size());
    store_be(out.data() + at, static_cast<uint32_t>(size));
    at += length_bytes + size;
  }
  out.resize(at);
}

} // namespace

const codec snappy_codec = {compression::snappy, "snappy", 0, 0, open, compress};

} // namespace pessoa
