// Small batches that expand without end. They are refused at the limit, and what that costs is bounded:
// measured as the process's peak of resident memory, which the kernel lets us reset.
#include "schema/compression.hpp"
#include "tests/schema/batch_tools.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

using namespace pessoa;
using namespace pessoa::test;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool memory_is_ours = false; // sanitizers keep freed memory
#elif defined(__has_feature)
#  if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool memory_is_ours = false;
#  else
constexpr bool memory_is_ours = true;
#  endif
#else
constexpr bool memory_is_ours = true;
#endif

size_t kib_of(const std::string& name) {
  std::ifstream status{"/proc/self/status"};
  std::string word;
  size_t kib = 0;
  while (status >> word)
    if (word == name) status >> kib;
  return kib;
}

// Peak memory from here on, above what is held now.
class peak_watch {
public:
  peak_watch() {
    std::ofstream{"/proc/self/clear_refs"} << "5" << std::flush;
    held_kib_ = kib_of("VmRSS:");
    resets_ = kib_of("VmHWM:") <= held_kib_ + 1024;
  }
  // Where the kernel does not let us reset the peak, nothing can be said.
  [[nodiscard]] bool at_most(size_t bytes) const {
    if (!resets_ || !memory_is_ours) return true;
    auto grown = kib_of("VmHWM:") * 1024 - std::min(kib_of("VmHWM:"), held_kib_) * 1024;
    UNSCOPED_INFO("memory grew by " << grown << " bytes");
    return grown <= bytes;
  }

private:
  size_t held_kib_;
  bool resets_;
};

// Compresses piece by piece, so that the test holds no more than a piece.
class lz4_packer {
public:
  lz4_packer() {
    how_.frameInfo.blockSizeID = LZ4F_max4MB;
    how_.frameInfo.blockMode = LZ4F_blockIndependent;
    REQUIRE_FALSE(LZ4F_isError(LZ4F_createCompressionContext(&context_, LZ4F_VERSION)));
    room_.resize(LZ4F_HEADER_SIZE_MAX);
    keep(LZ4F_compressBegin(context_, room_.data(), room_.size(), &how_));
  }
  ~lz4_packer() { LZ4F_freeCompressionContext(context_); }
  lz4_packer(const lz4_packer&) = delete;
  lz4_packer& operator=(const lz4_packer&) = delete;

  void add(byte_view data) {
    room_.resize(LZ4F_compressBound(data.size(), &how_));
    keep(LZ4F_compressUpdate(context_, room_.data(), room_.size(), data.data(), data.size(), nullptr));
  }
  raw finish() {
    room_.resize(LZ4F_compressBound(0, &how_));
    keep(LZ4F_compressEnd(context_, room_.data(), room_.size(), nullptr));
    return std::move(out_);
  }

private:
  void keep(size_t written) {
    REQUIRE_FALSE(LZ4F_isError(written));
    out_.insert(out_.end(), room_.data(), room_.data() + written);
  }
  LZ4F_preferences_t how_{};
  LZ4F_cctx* context_ = nullptr;
  raw room_, out_;
};

class zstd_packer {
public:
  zstd_packer() : context_(ZSTD_createCCtx()), room_(ZSTD_CStreamOutSize()) {}
  ~zstd_packer() { ZSTD_freeCCtx(context_); }
  zstd_packer(const zstd_packer&) = delete;
  zstd_packer& operator=(const zstd_packer&) = delete;

  void add(byte_view data) { step(data, ZSTD_e_continue); }
  raw finish() {
    step({}, ZSTD_e_end);
    return std::move(out_);
  }

private:
  void step(byte_view data, ZSTD_EndDirective how) {
    ZSTD_inBuffer in{data.data(), data.size(), 0};
    size_t left = 0;
    do {
      ZSTD_outBuffer to{room_.data(), room_.size(), 0};
      left = ZSTD_compressStream2(context_, &to, &in, how);
      REQUIRE_FALSE(ZSTD_isError(left));
      out_.insert(out_.end(), room_.data(), room_.data() + to.pos);
    } while (in.pos < in.size || (how == ZSTD_e_end && left != 0));
  }
  ZSTD_CCtx* context_;
  raw room_, out_;
};

class gzip_packer {
public:
  gzip_packer() : room_(64u << 10) {
    REQUIRE(deflateInit2(&state_, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~gzip_packer() { deflateEnd(&state_); }
  gzip_packer(const gzip_packer&) = delete;
  gzip_packer& operator=(const gzip_packer&) = delete;

  void add(byte_view data) { step(data, Z_NO_FLUSH); }
  raw finish() {
    step({}, Z_FINISH);
    return std::move(out_);
  }

private:
  void step(byte_view data, int how) {
    state_.next_in = const_cast<uint8_t*>(data.data());
    state_.avail_in = static_cast<uInt>(data.size());
    do {
      state_.next_out = room_.data();
      state_.avail_out = static_cast<uInt>(room_.size());
      REQUIRE(deflate(&state_, how) != Z_STREAM_ERROR);
      out_.insert(out_.end(), room_.data(), room_.data() + (room_.size() - state_.avail_out));
    } while (state_.avail_out == 0);
  }
  z_stream state_{};
  raw room_, out_;
};

// Chunk after chunk behind one header.
class snappy_packer {
public:
  void add(byte_view data) {
    raw whole;
    (*find_codec(compression::snappy))->compress(data, 0, whole);
    out_.insert(out_.end(), whole.begin() + (out_.empty() ? 0 : 16), whole.end());
  }
  raw finish() { return std::move(out_); }

private:
  raw out_;
};

// `count` pieces, made on the way by piece(i).
template <class Piece>
raw packed(compression number, int32_t count, Piece piece) {
  auto with = [&](auto packer) {
    for (int32_t i = 0; i < count; ++i)
      packer->add(piece(i));
    return packer->finish();
  };
  switch (number) {
  case compression::gzip:
    return with(std::make_unique<gzip_packer>());
  case compression::snappy:
    return with(std::make_unique<snappy_packer>());
  case compression::lz4:
    return with(std::make_unique<lz4_packer>());
  default:
    return with(std::make_unique<zstd_packer>());
  }
}

constexpr size_t mib = 1u << 20;

// gzip is slow, and snappy makes at most 21 bytes of one: of these a quarter of a gigabyte must do, which is
// as far beyond every limit here.
constexpr bool is_modest(compression number) {
  return number == compression::gzip || number == compression::snappy;
}

// A record in which everything is true, with a value of zeros.
raw zero_record(int32_t index, size_t value_size) {
  raw fields{0, 0};
  put_varint(fields, index);
  put_varint(fields, -1);
  put_varint(fields, static_cast<int32_t>(value_size));
  fields.resize(fields.size() + value_size, 0);
  put_varint(fields, 0);
  return record_around(fields);
}

} // namespace

TEST_CASE("compression: zeros without end are refused at the limit, in bounded memory",
          "[schema][compression][bomb]") {
  auto number = GENERATE(compression::gzip, compression::snappy, compression::lz4, compression::zstd);
  raw zeros(4 * mib);
  auto blob = packed(number, is_modest(number) ? 64 : 1024, [&](int32_t) { return byte_view{zeros}; });
  REQUIRE(blob.size() < 20 * mib);

  constexpr size_t limit = 16 * mib;
  peak_watch watch;
  CHECK(decompress(number, blob, limit).error().code == ec::message_too_large);
  // The result, what it outgrew on the way, and the codec's own.
  CHECK(watch.at_most(2 * limit + codec_bytes_max + mib));
}

TEST_CASE("compression: snappy's largest block takes its own size and no more, a lying one nothing",
          "[schema][compression][bomb]") {
  batch_limits limits;
  auto most = batch_around(snappy_zeros(8 * mib), 1, compression::snappy);
  REQUIRE(most.size() < limits.batch_bytes_max);
  {
    peak_watch watch;
    CHECK(validate_batch(most, limits).error().code == ec::invalid_record); // zeros are no record
    CHECK(watch.at_most(codec_bytes_max + mib));
  }
  auto more = batch_around(snappy_zeros(20 * mib), 1, compression::snappy);
  auto lie = batch_around(from_hex("ffffffff0f 00 61"), 1, compression::snappy);
  peak_watch watch;
  CHECK(validate_batch(more, limits).error().code == ec::unsupported_compression);
  CHECK(validate_batch(lie, limits).error().code == ec::invalid_record);
  CHECK(watch.at_most(mib));
}

TEST_CASE("validate: a batch of true records that never end is refused in the memory of a window",
          "[schema][validate][bomb]") {
  auto number = GENERATE(compression::gzip, compression::snappy, compression::lz4, compression::zstd);
  const int32_t count = is_modest(number) ? 256 : 1024; // of 1 MiB each
  raw record;
  auto blob = packed(number, count, [&](int32_t i) {
    record = zero_record(i, mib);
    return byte_view{record};
  });
  auto batch = batch_around(blob, count, number);
  batch_limits limits;
  limits.batch_bytes_max = batch.size();

  limits.decompressed_bytes_max = 64 * mib;
  {
    peak_watch watch;
    auto checked = validate_batch(batch, limits);
    REQUIRE_FALSE(checked.ok());
    CHECK(checked.error().code == ec::message_too_large);
    CHECK(watch.at_most(codec_bytes_max + mib));
  }
  // Where the limit allows it, all of it is checked in the same memory: the limit is not what bounds it.
  limits.decompressed_bytes_max = 2048 * mib;
  peak_watch watch;
  auto checked = validate_batch(batch, limits);
  REQUIRE(checked.ok());
  CHECK(checked->decompressed_bytes > static_cast<size_t>(count) * mib);
  CHECK(watch.at_most(codec_bytes_max + mib));
}

TEST_CASE("validate: zeros that claim to be records, or one endless record, are refused at once",
          "[schema][validate][bomb]") {
  auto number = GENERATE(compression::gzip, compression::snappy, compression::lz4, compression::zstd);
  raw zeros(4 * mib);
  auto as_records =
      batch_around(packed(number, is_modest(number) ? 64 : 256, [&](int32_t) { return byte_view{zeros}; }),
                   1 << 20, number);
  batch_limits limits;
  limits.batch_bytes_max = as_records.size();
  CHECK(validate_batch(as_records, limits).error().code == ec::invalid_record);

  raw fields{0, 0, 0, 0x01};
  put_varint(fields, 1 << 30);
  auto first = record_around(fields, (1 << 30) + 20);
  auto endless = packed(number, is_modest(number) ? 64 : 256,
                        [&](int32_t i) { return i == 0 ? byte_view{first} : byte_view{zeros}; });
  auto batch = batch_around(endless, 1, number);
  limits.batch_bytes_max = batch.size();
  CHECK(validate_batch(batch, limits).error().code == ec::message_too_large);
}
