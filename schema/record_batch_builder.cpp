// Builds a batch in the buffer it leaves in: records are appended behind room for the header, so that an
// uncompressed batch is never copied.
#include "schema/compression.hpp"
#include "schema/limits.hpp"
#include "schema/record_batch.hpp"
#include "schema/varint.hpp"

#include <algorithm>
#include <limits>

namespace pessoa {

namespace {

constexpr size_t batch_bytes_limit = std::numeric_limits<int32_t>::max();
constexpr size_t first_reserve_bytes = 4096;

int32_t length_of(const std::optional<byte_view>& part) {
  return part ? static_cast<int32_t>(part->size()) : -1;
}

size_t size_of(const std::optional<byte_view>& part) {
  int32_t length = length_of(part);
  return varint_size(length) + (part ? part->size() : 0);
}

size_t size_of(const header_view& header) {
  return varint_size(static_cast<int32_t>(header.key.size())) + header.key.size() + size_of(header.value);
}

// Appends small numbers through a few bytes on the stack, and runs of bytes directly.
class appender {
public:
  explicit appender(std::vector<uint8_t>& out) : out_(out) {}
  ~appender() { flush(); }
  appender(const appender&) = delete;
  appender& operator=(const appender&) = delete;

  void byte(uint8_t x) {
    make_room(1);
    *at_++ = x;
  }
  void varint(int32_t x) {
    make_room(varint_bytes_max);
    at_ = write_varint(at_, x);
  }
  void varlong(int64_t x) {
    make_room(varlong_bytes_max);
    at_ = write_varlong(at_, x);
  }
  void run(byte_view data) {
    flush();
    out_.insert(out_.end(), data.begin(), data.end());
  }
  void part(const std::optional<byte_view>& data) {
    varint(length_of(data));
    if (data) run(*data);
  }

private:
  void make_room(size_t count) {
    if (static_cast<size_t>(numbers_ + sizeof numbers_ - at_) < count) flush();
  }
  void flush() {
    out_.insert(out_.end(), numbers_, at_);
    at_ = numbers_;
  }
  std::vector<uint8_t>& out_;
  uint8_t numbers_[32];
  uint8_t* at_ = numbers_;
};

} // namespace

batch_builder::batch_builder(compression codec, int level) : codec_(codec), level_(level) {
  PESSOA_ASSERT(codec == compression::none || find_codec(codec).ok(), static_cast<int>(codec));
}

size_t batch_builder::upper_bound(const record_view& record) {
  size_t size =
      varint_bytes_max + 1 + varlong_bytes_max + varint_bytes_max; // length, attributes, time, offset
  size += size_of(record.key) + size_of(record.value) + varint_bytes_max;
  for (auto& header : record.headers)
    size += size_of(header);
  return size;
}

void batch_builder::add(const record_view& record) {
  PESSOA_ASSERT(count_ < records_max, count_);
  PESSOA_ASSERT(record.time >= no_timestamp, record.time);
  PESSOA_ASSERT(record.headers.size() <= headers_per_record_max, record.headers.size());

  int64_t time_delta = 0;
  auto base = count_ == 0 ? record.time : base_;
  bool wide = __builtin_sub_overflow(record.time.value(), base.value(), &time_delta);
  PESSOA_ASSERT(!wide, record.time, base);

  auto headers = static_cast<int32_t>(record.headers.size());
  size_t length = 1 + varlong_size(time_delta) + varint_size(count_) + size_of(record.key)
                  + size_of(record.value) + varint_size(headers);
  for (auto& header : record.headers)
    length += size_of(header);
  PESSOA_ASSERT(length + varint_bytes_max <= batch_bytes_limit - size(), length, size());

  if (count_ == 0) {
    base_ = max_ = record.time;
    batch_.reserve(
        std::max({expected_bytes_, first_reserve_bytes, batch_header_size + varint_bytes_max + length}));
    batch_.resize(batch_header_size);
  }
  max_ = std::max(max_, record.time);

  size_t before = batch_.size();
  {
    appender out{batch_};
    out.varint(static_cast<int32_t>(length));
    out.byte(0); // attributes: none are defined
    out.varlong(time_delta);
    out.varint(count_);
    out.part(record.key);
    out.part(record.value);
    out.varint(headers);
    for (auto& header : record.headers) {
      out.part(as_bytes(header.key));
      out.part(header.value);
    }
  }
  PESSOA_ASSERT(batch_.size() == before + varint_size(static_cast<int32_t>(length)) + length, batch_.size(),
                length);
  ++count_;
}

std::vector<uint8_t> batch_builder::finish(const identity& producer) {
  PESSOA_ASSERT(count_ > 0);
  expected_bytes_ = batch_.size();
  auto used = compression::none;
  if (codec_ != compression::none) {
    std::vector<uint8_t> packed(batch_header_size);
    (*find_codec(codec_))->compress(byte_view{batch_}.subspan(batch_header_size), level_, packed);
    if (packed.size() < batch_.size()) {
      used = codec_;
      batch_.swap(packed);
    }
  }
  batch_header header;
  header.attributes = static_cast<int16_t>(used);
  header.last_offset_delta = count_ - 1;
  header.base_timestamp = base_;
  header.max_timestamp = max_;
  header.producer = producer.producer;
  header.pepoch = producer.epoch;
  header.base_sequence = producer.base_sequence;
  header.record_count = count_;
  write_batch_header(batch_.data(), header);
  seal_batch(batch_);

  count_ = 0;
  base_ = max_ = no_timestamp;
  auto done = std::move(batch_);
  batch_ = {};
  return done;
}

} // namespace pessoa
