// gzip (RFC 1952): one member, expanded as a stream; its claims about its length are checked, never trusted.
#include "schema/compression.hpp"

#include <algorithm>
#include <limits>

#include <zlib.h>

namespace pessoa {

namespace {

// The largest window there is, in the gzip wrapping alone: zlib's own wrapping is refused.
constexpr int window_bits = 15 + 16;
constexpr int memory_level = 8; // zlib's default
constexpr size_t step_bytes_max = std::numeric_limits<uInt>::max();

error broken(std::string_view what) { return {ec::invalid_record, "gzip: " + std::string{what}}; }

// Readers disagree about what lies behind the first member: librdkafka stops there, Java goes on when enough
// of it is buffered and ignores what it does not understand, Go refuses garbage. No client writes it. A batch
// that some would read in part must not be stored, so nothing may follow.
class gzip_decompressor final : public decompressor {
public:
  explicit gzip_decompressor(byte_view compressed) : rest_(compressed) {
    int made = inflateInit2(&state_, window_bits);
    PESSOA_ASSERT(made == Z_OK, made);
  }
  ~gzip_decompressor() override { inflateEnd(&state_); }
  gzip_decompressor(const gzip_decompressor&) = delete;
  gzip_decompressor& operator=(const gzip_decompressor&) = delete;

  result<size_t> read(std::span<uint8_t> out) override {
    size_t filled = 0;
    while (filled < out.size() && !ended_) {
      auto room = std::min(out.size() - filled, step_bytes_max);
      auto given = std::min(rest_.size(), step_bytes_max);
      state_.next_in = rest_.data(); // const: ZLIB_CONST
      state_.avail_in = static_cast<uInt>(given);
      state_.next_out = out.data() + filled;
      state_.avail_out = static_cast<uInt>(room);
      int said = inflate(&state_, Z_NO_FLUSH);
      filled += room - state_.avail_out;
      rest_ = rest_.subspan(given - state_.avail_in);
      if (said == Z_STREAM_END) {
        if (!rest_.empty()) return broken(std::to_string(rest_.size()) + " bytes follow the stream");
        ended_ = true;
      } else if (said == Z_BUF_ERROR) { // there is room, so it is bytes that it lacks
        return broken("the stream is cut off");
      } else if (said == Z_DATA_ERROR) {
        return broken(state_.msg != nullptr ? state_.msg : "broken data");
      } else {
        PESSOA_ASSERT(said == Z_OK, said); // out of memory, or our mistake
      }
    }
    return filled;
  }

private:
  z_stream state_{};
  byte_view rest_;
  bool ended_ = false;
};

std::unique_ptr<decompressor> open(byte_view compressed) {
  return std::make_unique<gzip_decompressor>(compressed);
}

void compress(byte_view data, int level, std::vector<uint8_t>& out) {
  PESSOA_ASSERT(data.size() <= static_cast<size_t>(std::numeric_limits<int32_t>::max()), data.size());
  int wanted =
      level == 0 ? Z_DEFAULT_COMPRESSION : std::clamp(level, gzip_codec.level_min, gzip_codec.level_max);
  z_stream state{};
  int made = deflateInit2(&state, wanted, Z_DEFLATED, window_bits, memory_level, Z_DEFAULT_STRATEGY);
  PESSOA_ASSERT(made == Z_OK, made);
  size_t begin = out.size();
  out.resize(begin + deflateBound(&state, data.size()));
  state.next_in = data.data();
  state.avail_in = static_cast<uInt>(data.size());
  state.next_out = out.data() + begin;
  state.avail_out = static_cast<uInt>(out.size() - begin);
  int said = deflate(&state, Z_FINISH);
  PESSOA_ASSERT(said == Z_STREAM_END, said, data.size());
  out.resize(out.size() - state.avail_out);
  deflateEnd(&state);
}

} // namespace

const codec gzip_codec = {compression::gzip, "gzip", Z_BEST_SPEED, Z_BEST_COMPRESSION, open, compress};

} // namespace pessoa
