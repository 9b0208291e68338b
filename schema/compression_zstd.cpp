// Zstandard: one frame, with a window that bounds what reading it may cost.
#include "schema/compression.hpp"

#include "schema/endian.hpp"

#include <algorithm>

#include <zstd.h>

namespace pessoa {

namespace {

// 8 MiB, what RFC 8878 asks every reader to support. Levels 20 to 22 may write more, for sources above 8 MiB.
constexpr int window_log_max = 23;
constexpr uint64_t window_bytes_max = uint64_t{1} << window_log_max;

error broken(std::string_view what) { return {ec::invalid_record, "zstd: " + std::string{what}}; }

// What a frame says about itself before it is expanded.
struct frame_shape {
  uint64_t window_bytes = 0;  // how much of the past its blocks refer to
  uint64_t content_bytes = 0; // what it promises to expand to; ZSTD_CONTENTSIZE_UNKNOWN if it does not say
  size_t header_bytes = 0;
  bool checksum = false;
};

// RFC 8878, 3.1.1.1.
result<frame_shape> read_header(byte_view data) {
  if (data.size() < 9 || load_le<uint32_t>(data.data()) != ZSTD_MAGICNUMBER) return broken("not a frame");
  constexpr uint8_t dictionary_bytes[] = {0, 1, 2, 4}, content_size_bytes[] = {0, 2, 4, 8};
  uint8_t flags = data[4];
  bool single_segment = (flags & 0x20) != 0;
  frame_shape shape;
  shape.checksum = (flags & 0x04) != 0;
  shape.content_bytes = ZSTD_getFrameContentSize(data.data(), data.size());
  if (shape.content_bytes == ZSTD_CONTENTSIZE_ERROR) return broken("its header is cut off");
  shape.header_bytes = 5u + (single_segment ? 0 : 1) + dictionary_bytes[flags & 3]
                       + (flags >> 6 == 0 ? (single_segment ? 1 : 0) : content_size_bytes[flags >> 6]);
  uint64_t base = uint64_t{1} << (10 + (data[5] >> 3)); // five bits of exponent, three of mantissa
  shape.window_bytes = single_segment ? shape.content_bytes : base + base / 8 * (data[5] & 7);
  return shape;
}

// Steps over the blocks: they end where the bytes end, and none of them is what only some readers take.
result<void> check_blocks(byte_view data, const frame_shape& shape) {
  enum { raw, run_length, compressed, reserved };
  size_t at = shape.header_bytes;
  for (bool last = false; !last;) {
    if (at > data.size() || data.size() - at < 3) return broken("the frame is cut off");
    uint32_t header = data[at] | data[at + 1u] << 8 | static_cast<uint32_t>(data[at + 2u]) << 16;
    last = (header & 1) != 0;
    auto type = header >> 1 & 3;
    size_t size = header >> 3;
    if (type == reserved || (type == compressed && size == 0)) return broken("a block of no kind");
    at += 3 + (type == run_length ? 1 : size);
  }
  at += shape.checksum ? 4 : 0;
  if (at > data.size()) return broken("the frame is cut off");
  if (at < data.size()) return broken(std::to_string(data.size() - at) + " bytes follow the frame");
  return {};
}

// The library takes a short cut when it sees a whole frame and room for its contents, and the short cut
// judges some frames differently: it ignores the limit of the window, and it alone compares an empty last
// block with the size the frame promised. What is accepted here must be accepted by whoever reads it in
// larger or smaller pieces, so the short cut is never given: the last byte is held back until all others are
// used, and window and size are checked by us.
class zstd_decompressor final : public decompressor {
public:
  explicit zstd_decompressor(byte_view compressed) : context_(ZSTD_createDCtx()), all_(compressed) {
    PESSOA_ASSERT(context_ != nullptr);
    size_t set = ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, window_log_max);
    PESSOA_ASSERT(!ZSTD_isError(set), ZSTD_getErrorName(set));
  }
  ~zstd_decompressor() override { ZSTD_freeDCtx(context_); }
  zstd_decompressor(const zstd_decompressor&) = delete;
  zstd_decompressor& operator=(const zstd_decompressor&) = delete;

  result<size_t> read(std::span<uint8_t> out) override {
    if (in_.src == nullptr) PESSOA_CHECK(begin());
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    while (to.pos < to.size && !ended_) {
      size_t produced = to.pos;
      size_t consumed = in_.pos;
      size_t hint = ZSTD_decompressStream(context_, &to, &in_);
      if (ZSTD_isError(hint)) return broken(ZSTD_getErrorName(hint));
      produced_ += to.pos - produced;
      if (hint == 0) {
        PESSOA_CHECK(check_end());
        ended_ = true;
      } else if (to.pos == produced && in_.pos == consumed) {
        if (in_.size == all_.size()) return broken("the frame is cut off");
        in_.size = all_.size();
      }
    }
    return to.pos;
  }

private:
  result<void> begin() {
    PESSOA_TRY(auto shape, read_header(all_));
    if (shape.window_bytes > window_bytes_max)
      return error{ec::unsupported_compression,
                   "zstd: the frame needs a window of " + std::to_string(shape.window_bytes)
                       + " bytes, more than " + std::to_string(window_bytes_max)};
    PESSOA_CHECK(check_blocks(all_, shape));
    promised_ = shape.content_bytes;
    in_ = {all_.data(), all_.size() - 1, 0};
    return {};
  }
  result<void> check_end() const {
    if (in_.pos != all_.size()) return broken("the frame ends before its blocks do");
    if (promised_ != ZSTD_CONTENTSIZE_UNKNOWN && promised_ != produced_)
      return broken("the frame promises " + std::to_string(promised_) + " bytes and holds "
                    + std::to_string(produced_));
    return {};
  }

  ZSTD_DCtx* context_;
  byte_view all_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  uint64_t promised_ = 0;
  uint64_t produced_ = 0;
  bool ended_ = false;
};

std::unique_ptr<decompressor> open(byte_view compressed) {
  return std::make_unique<zstd_decompressor>(compressed);
}

void compress(byte_view data, int level, std::vector<uint8_t>& out) {
  int wanted =
      level == 0 ? ZSTD_CLEVEL_DEFAULT : std::clamp(level, zstd_codec.level_min, zstd_codec.level_max);
  size_t begin = out.size();
  out.resize(begin + ZSTD_compressBound(data.size()));
  size_t size = ZSTD_compress(out.data() + begin, out.size() - begin, data.data(), data.size(), wanted);
  PESSOA_ASSERT(!ZSTD_isError(size), ZSTD_getErrorName(size), data.size());
  out.resize(begin + size);
}

} // namespace

// Kafka allows up to 22; what lies above 19 could not be read back here.
const codec zstd_codec = {compression::zstd, "zstd", -7, 19, open, compress};

} // namespace pessoa
