// Zstandard: one frame, with a window that bounds what reading it may cost.
#include "schema/compression.hpp"

#include <algorithm>

#include <zstd.h>
#include <zstd_errors.h>

namespace pessoa {

namespace {

// 8 MiB, what RFC 8878 asks every reader to support. Levels 20 to 22 may write more, for sources above 8 MiB.
constexpr int window_log_max = 23;

error broken(std::string_view what) { return {ec::invalid_record, "zstd: " + std::string{what}}; }

class zstd_decompressor final : public decompressor {
public:
  explicit zstd_decompressor(byte_view compressed)
      : context_(ZSTD_createDCtx()), in_{compressed.data(), compressed.size(), 0} {
    PESSOA_ASSERT(context_ != nullptr);
    size_t set = ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, window_log_max);
    PESSOA_ASSERT(!ZSTD_isError(set), ZSTD_getErrorName(set));
  }
  ~zstd_decompressor() override { ZSTD_freeDCtx(context_); }
  zstd_decompressor(const zstd_decompressor&) = delete;
  zstd_decompressor& operator=(const zstd_decompressor&) = delete;

  result<size_t> read(std::span<uint8_t> out) override {
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    while (to.pos < to.size && !ended_) {
      size_t produced = to.pos;
      size_t consumed = in_.pos;
      size_t hint = ZSTD_decompressStream(context_, &to, &in_);
      if (ZSTD_isError(hint)) return refusal(hint);
      if (hint == 0) {
        // Zero also ends a user frame, which carries nothing; either way a batch holds one frame and no more.
        if (in_.pos != in_.size)
          return broken(std::to_string(in_.size - in_.pos) + " bytes follow the frame");
        ended_ = true;
      } else if (to.pos == produced && in_.pos == consumed) {
        return broken("the frame is cut off");
      }
    }
    return to.pos;
  }

private:
  static error refusal(size_t code) {
    if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge)
      return {ec::unsupported_compression,
              "zstd: the frame needs a window above " + std::to_string(1 << window_log_max) + " bytes"};
    return broken(ZSTD_getErrorName(code));
  }

  ZSTD_DCtx* context_;
  ZSTD_inBuffer in_;
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
