// LZ4 in its frame format, as Kafka writes it since batch version 2: independent blocks of 64 KiB.
#include "schema/compression.hpp"

#include "schema/endian.hpp"

#include <algorithm>

#include <lz4frame.h>
#include <lz4hc.h>

namespace pessoa {

namespace {

constexpr uint32_t frame_magic = 0x184d2204;
constexpr uint8_t flag_independent_blocks = 0x20;

error broken(std::string_view what) { return {ec::invalid_record, "lz4: " + std::string{what}}; }

class lz4_decompressor final : public decompressor {
public:
  explicit lz4_decompressor(byte_view compressed) : rest_(compressed) {
    auto made = LZ4F_createDecompressionContext(&context_, LZ4F_VERSION);
    PESSOA_ASSERT(!LZ4F_isError(made), LZ4F_getErrorName(made));
  }
  ~lz4_decompressor() override { LZ4F_freeDecompressionContext(context_); }
  lz4_decompressor(const lz4_decompressor&) = delete;
  lz4_decompressor& operator=(const lz4_decompressor&) = delete;

  result<size_t> read(std::span<uint8_t> out) override {
    if (!begun_) {
      PESSOA_CHECK(check_start());
      begun_ = true;
    }
    size_t filled = 0;
    while (filled < out.size() && !ended_) {
      size_t produced = out.size() - filled;
      size_t consumed = rest_.size();
      size_t hint =
          LZ4F_decompress(context_, out.data() + filled, &produced, rest_.data(), &consumed, nullptr);
      if (LZ4F_isError(hint)) return broken(LZ4F_getErrorName(hint));
      filled += produced;
      rest_ = rest_.subspan(consumed);
      if (hint == 0) {
        if (!rest_.empty()) return broken(std::to_string(rest_.size()) + " bytes follow the frame");
        ended_ = true;
      } else if (produced == 0 && consumed == 0) {
        return broken("the frame is cut off");
      }
    }
    return filled;
  }

private:
  // The library would skip user frames and read legacy ones; neither is what a batch holds. And it reads
  // blocks that refer to earlier ones, which Kafka's own clients cannot: stored, such a batch would stop a
  // consumer for ever.
  result<void> check_start() {
    if (rest_.size() < 5 || load_le<uint32_t>(rest_.data()) != frame_magic) return broken("not a frame");
    if ((rest_[4] & flag_independent_blocks) == 0)
      return error{ec::unsupported_compression, "lz4: the frame's blocks depend on one another"};
    return {};
  }

  LZ4F_dctx* context_ = nullptr;
  byte_view rest_;
  bool begun_ = false;
  bool ended_ = false;
};

std::unique_ptr<decompressor> open(byte_view compressed) {
  return std::make_unique<lz4_decompressor>(compressed);
}

void compress(byte_view data, int level, std::vector<uint8_t>& out) {
  LZ4F_preferences_t how{};
  how.frameInfo.blockSizeID = LZ4F_max64KB;
  how.frameInfo.blockMode = LZ4F_blockIndependent;
  how.compressionLevel = std::clamp(level, lz4_codec.level_min, lz4_codec.level_max);
  size_t begin = out.size();
  out.resize(begin + LZ4F_compressFrameBound(data.size(), &how));
  size_t size = LZ4F_compressFrame(out.data() + begin, out.size() - begin, data.data(), data.size(), &how);
  PESSOA_ASSERT(!LZ4F_isError(size), LZ4F_getErrorName(size), data.size());
  out.resize(begin + size);
}

} // namespace

const codec lz4_codec = {compression::lz4, "lz4", 0, LZ4HC_CLEVEL_MAX, open, compress};

} // namespace pessoa
