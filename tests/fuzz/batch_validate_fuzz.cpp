// Any bytes as a batch. Input: a mode, a number, then the batch from its attributes on; framing and CRC are
// written around it, so that the fuzzer gets past them.
//
// What must hold, beyond not crashing: what validate_batch accepts is read by batch_reader and can be built
// again; the verdict on plain records and on the same records behind a codec is the same.
#include "schema/compression.hpp"
#include "schema/endian.hpp"
#include "schema/record_batch.hpp"
#include "schema/varint.hpp"
#include "tests/fuzz/byte_source.hpp"

using namespace pessoa;

namespace {

constexpr size_t at_magic = 16, at_attributes = 21;
constexpr batch_limits limits{1 << 20, 1 << 20, 1 << 16};

using raw = std::vector<uint8_t>;

// A whole batch around `header` (from the attributes on) and `records`, with a right length and CRC.
raw framed(byte_view header, byte_view records, compression codec) {
  raw batch(batch_header_size);
  batch[at_magic] = 2;
  std::copy(header.begin(), header.end(), batch.begin() + at_attributes);
  if (codec != compression::none)
    batch[at_attributes + 1] =
        static_cast<uint8_t>((batch[at_attributes + 1] & ~7) | static_cast<int>(codec));
  batch.insert(batch.end(), records.begin(), records.end());
  seal_batch(batch);
  return fuzz::exact(batch);
}

raw squeezed(compression number, byte_view data) {
  raw out;
  (*find_codec(number))->compress(data, 0, out);
  return out;
}

// A good record 0 that ends `before_end` bytes before the reader's window does, so that what follows lies
// across it.
raw long_record(size_t before_end) {
  constexpr size_t window = 64u << 10,
                   around = 3 + 3 + 1 + 3 + 1; // length, first fields, null key, value length, headers
  raw out(window - before_end, 'x');
  auto* at = write_varint(out.data(), static_cast<int32_t>(out.size() - 3));
  std::fill(at, at + 3, uint8_t{0});
  at = write_varint(at + 3, -1);
  write_varint(at, static_cast<int32_t>(out.size() - around));
  out.back() = 0;
  return out;
}

void check_readable(const raw& batch, const batch_facts& facts) {
  auto reader = batch_reader::open(batch, limits.decompressed_bytes_max);
  PESSOA_ASSERT(reader.ok());
  batch_builder again;
  timestamp latest = no_timestamp, earliest{INT64_MAX};
  bool null_key = false;
  for (int32_t i = 0; i < facts.header.record_count; ++i) {
    auto entry = reader->next();
    PESSOA_ASSERT(entry.ok() && entry->has_value(), i);
    auto& record = (*entry)->record;
    PESSOA_ASSERT((*entry)->at == facts.header.base_offset + i, i);
    latest = std::max(latest, record.time);
    earliest = std::min(earliest, record.time);
    null_key |= !record.key;
    if (record.time < timestamp{INT64_MAX}) again.add(record);
  }
  auto end = reader->next();
  PESSOA_ASSERT(end.ok() && !end->has_value());
  PESSOA_ASSERT(facts.max_timestamp == latest && facts.min_timestamp == earliest, latest, earliest);
  PESSOA_ASSERT(facts.null_key == null_key);
  if (again.record_count() == 0) return;
  auto rebuilt = validate_batch(again.finish(), {16u << 20, 1 << 20, 1 << 20});
  PESSOA_ASSERT(rebuilt.ok(), to_string(rebuilt.error()));
}

void check_stamps(raw batch, const batch_facts& facts) {
  stamp_batch(batch.data(), offset{77}, leader_epoch{5});
  PESSOA_ASSERT(validate_batch(batch, limits).ok());
  stamp_max_timestamp(batch, facts.max_timestamp);
  PESSOA_ASSERT(validate_batch(batch, limits).ok());
  stamp_append_time(batch, timestamp{123});
  auto stamped = validate_batch(batch, limits);
  PESSOA_ASSERT(stamped.ok() && stamped->max_timestamp == timestamp{123});
}

result<batch_facts> check(const raw& batch) {
  auto facts = validate_batch(batch, limits);
  if (facts.ok()) {
    check_readable(batch, *facts);
    check_stamps(batch, *facts);
  } else if (auto reader = batch_reader::open(batch, limits.decompressed_bytes_max); reader.ok()) {
    // Refused, but a reader must survive it too.
    for (auto entry = reader->next(); entry.ok() && entry->has_value();)
      entry = reader->next();
  }
  return facts;
}

void check_same_through_codecs(byte_view header, raw records, size_t before_end) {
  if (before_end > 0) {
    auto first = long_record(before_end);
    records.insert(records.begin(), first.begin(), first.end());
  }
  raw plain_header{header.begin(), header.end()};
  if (plain_header.size() > 1) plain_header[1] &= 0xf8;
  auto plain = check(framed(plain_header, records, compression::none));
  for (auto codec : {compression::gzip, compression::snappy, compression::lz4, compression::zstd}) {
    auto packed = check(framed(plain_header, squeezed(codec, records), codec));
    PESSOA_ASSERT(plain.ok() == packed.ok(), plain.ok(), packed.ok());
    if (!plain.ok()) {
      PESSOA_ASSERT(packed.error().code == plain.error().code || packed.error().code == ec::message_too_large,
                    to_string(packed.error()), to_string(plain.error()));
      continue;
    }
    PESSOA_ASSERT(plain->max_timestamp == packed->max_timestamp
                  && plain->min_timestamp == packed->min_timestamp);
    PESSOA_ASSERT(plain->decompressed_bytes == packed->decompressed_bytes
                  && plain->null_key == packed->null_key);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::byte_source in{data, size};
  uint8_t mode = in.byte();
  uint16_t number = in.number();
  if (mode % 4 == 0) { // as they come
    auto bytes = in.rest();
    (void)check({bytes.begin(), bytes.end()});
    return 0;
  }
  auto header = in.take(batch_header_size - at_attributes);
  auto records = in.rest();
  if (mode % 4 == 1) {
    (void)check(framed(header, records, compression::none));
  } else {
    check_same_through_codecs(header, {records.begin(), records.end()}, mode % 4 == 3 ? 1 + number % 64 : 0);
  }
  return 0;
}
