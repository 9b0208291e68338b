// What validate_batch refuses, with which error, and in which order. Mutations are in
// batch_mutation_test.cpp.
#include "schema/compression.hpp"
#include "schema/limits.hpp"
#include "schema/record_batch.hpp"
#include "tests/schema/batch_tools.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::test;

namespace {

// Where header fields lie.
constexpr size_t length_at = 8, magic_at = 16, attributes_at = 21, last_offset_delta_at = 23,
                 base_timestamp_at = 27, producer_at = 43, producer_epoch_at = 51, base_sequence_at = 53,
                 record_count_at = 57;

raw good_batch() {
  return build({{1000, "a", "1", {{"h", "x"}}}, {1001, "b", "2", {}}, {1002, "c", std::nullopt, {}}});
}

ec verdict(const raw& batch, const batch_limits& limits = {}) {
  auto checked = validate_batch(batch, limits);
  return checked.ok() ? ec::none : checked.error().code;
}

// Small records of one batch, in a row.
raw small_records(int32_t count) {
  raw all;
  for (int32_t i = 0; i < count; ++i) {
    auto one = small_record(i);
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

raw compressed(compression number, const raw& data) {
  raw out;
  (*find_codec(number))->compress(data, 0, out);
  return out;
}

// The same records as they come, or through a codec: the checks are the same.
raw batch_with(compression codec, const raw& records, int32_t count) {
  return codec == compression::none ? batch_around(records, count)
                                    : batch_around(compressed(codec, records), count, codec);
}

raw joined(raw a, const raw& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

} // namespace

TEST_CASE("validate: a batch is refused by its size before anything in it is read", "[schema][validate]") {
  auto batch = good_batch();
  batch_limits limits;
  limits.batch_bytes_max = batch.size();
  CHECK(verdict(batch, limits) == ec::none);
  limits.batch_bytes_max = batch.size() - 1;
  CHECK(verdict(batch, limits) == ec::message_too_large);
  CHECK(verdict(raw(batch.size(), 0xff), limits) == ec::message_too_large);
}

TEST_CASE("validate: framing comes before the version, and that before the CRC", "[schema][validate]") {
  auto batch = good_batch();
  for (size_t size = 0; size < batch.size(); ++size)
    REQUIRE(verdict({batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(size)})
            == ec::corrupt_message);
  CHECK(verdict(joined(batch, {0})) == ec::corrupt_message);
  CHECK(verdict(joined(batch, batch)) == ec::corrupt_message); // exactly one batch
  for (int32_t length : {-1, 0, 48, 1 << 30, INT32_MAX}) {
    auto lying = batch;
    store_be(lying.data() + length_at, length);
    CHECK(verdict(lying) == ec::corrupt_message);
  }
  // Another version keeps its CRC elsewhere, so that "corrupt" would be said of batches that are whole.
  auto other = batch;
  other[magic_at] = 1;
  other.back() ^= 1;
  CHECK(verdict(other) == ec::unsupported_version);
}

TEST_CASE("validate: a single changed bit anywhere under the CRC is found", "[schema][validate]") {
  auto batch = good_batch();
  for (size_t bit = 17 * 8; bit < batch.size() * 8; ++bit) {
    auto changed = batch;
    changed[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    REQUIRE(verdict(changed) == ec::corrupt_message);
  }
}

TEST_CASE("validate: header fields that contradict each other are refused", "[schema][validate]") {
  auto batch = good_batch();
  auto codec = GENERATE(compression::none, compression::gzip); // before the codec is looked at
  batch = with_field<int16_t>(batch, attributes_at, static_cast<int16_t>(codec));

  for (int32_t count : {0, -1, 2, 4, INT32_MAX, INT32_MIN})
    CHECK(verdict(with_field(batch, record_count_at, count)) == ec::invalid_record);
  for (int32_t delta : {-1, 1, 3, INT32_MAX, INT32_MIN})
    CHECK(verdict(with_field(batch, last_offset_delta_at, delta)) == ec::invalid_record);
  // Count 2^31 would follow the largest delta: it does not exist, and must not wrap.
  CHECK(verdict(with_field(with_field(batch, last_offset_delta_at, INT32_MAX), record_count_at, INT32_MIN))
        == ec::invalid_record);

  for (int64_t base : {int64_t{-1}, INT64_MIN, INT64_MAX, INT64_MAX - 2})
    CHECK(verdict(with_field(batch, 0, base)) == ec::invalid_record);

  CHECK(
      verdict(with_field<int16_t>(batch, attributes_at, static_cast<int16_t>(0x20 | static_cast<int>(codec))))
      == ec::invalid_record); // control

  CHECK(verdict(with_field<int64_t>(batch, producer_at, -2)) == ec::invalid_record);
  auto of_producer = with_field<int64_t>(batch, producer_at, 0);
  CHECK(verdict(of_producer) == ec::invalid_record); // neither epoch nor sequence
  CHECK(verdict(with_field<int16_t>(of_producer, producer_epoch_at, 0)) == ec::invalid_record);
  CHECK(verdict(with_field<int32_t>(of_producer, base_sequence_at, 0)) == ec::invalid_record);
}

TEST_CASE("validate: the highest offsets and sequences that exist are accepted", "[schema][validate]") {
  auto batch = with_field<int64_t>(good_batch(), 0, INT64_MAX - 3);
  CHECK(verdict(batch) == ec::none);
  batch = build({{1, "a", "b", {}}, {1, "a", "b", {}}}, compression::none,
                {producer_id{INT64_MAX}, producer_epoch{INT16_MAX}, INT32_MAX});
  CHECK(verdict(batch) == ec::none);
  CHECK(parse_batch_header(batch)->last_sequence() == 0);
}

TEST_CASE("validate: the record count has a limit of its own", "[schema][validate]") {
  auto codec = GENERATE(compression::none, compression::gzip, compression::snappy, compression::lz4,
                        compression::zstd);
  auto batch = batch_with(codec, small_records(100), 100);
  batch_limits limits;
  limits.records_max = 100;
  CHECK(verdict(batch, limits) == ec::none);
  limits.records_max = 99;
  CHECK(verdict(batch, limits) == ec::message_too_large);
  // A contradiction is said first, an unknown codec later.
  CHECK(verdict(with_field<int32_t>(batch, record_count_at, 101), limits) == ec::invalid_record);
  CHECK(verdict(with_field<int16_t>(batch, attributes_at, 7), limits) == ec::message_too_large);
}

TEST_CASE("validate: codecs that are not there are named", "[schema][validate]") {
  for (int number : {5, 6, 7}) {
    auto checked =
        validate_batch(with_field<int16_t>(good_batch(), attributes_at, static_cast<int16_t>(number)), {});
    REQUIRE_FALSE(checked.ok());
    CHECK(checked.error().code == ec::unsupported_compression);
    CHECK(checked.error().message.find("gzip, snappy, lz4, zstd") != std::string::npos);
  }
}

TEST_CASE("validate: a batch that only says it is compressed is refused", "[schema][validate]") {
  auto codec = GENERATE(compression::gzip, compression::snappy, compression::lz4, compression::zstd);
  CHECK(verdict(with_field<int16_t>(good_batch(), attributes_at, static_cast<int16_t>(codec)))
        == ec::invalid_record);
  CHECK(verdict(batch_around({}, 1, codec)) == ec::invalid_record);
}

TEST_CASE("validate: fewer or more records than counted are refused", "[schema][validate]") {
  auto codec = GENERATE(compression::none, compression::gzip, compression::snappy, compression::lz4,
                        compression::zstd);
  auto records = small_records(40);
  CHECK(verdict(batch_with(codec, records, 40)) == ec::none);
  CHECK(verdict(batch_with(codec, records, 39)) == ec::invalid_record);
  CHECK(verdict(batch_with(codec, records, 41)) == ec::invalid_record);
  CHECK(verdict(batch_with(codec, records, 1 << 20)) == ec::invalid_record);
  for (size_t cut = 1; cut < small_record(39).size(); ++cut)
    CHECK(verdict(batch_with(codec, {records.begin(), records.end() - static_cast<std::ptrdiff_t>(cut)}, 40))
          == ec::invalid_record);
  CHECK(verdict(batch_with(codec, joined(records, {0}), 40)) == ec::invalid_record);
}

TEST_CASE("validate: inner offsets are 0 to n-1", "[schema][validate]") {
  auto codec = GENERATE(compression::none, compression::gzip, compression::snappy, compression::lz4,
                        compression::zstd);
  auto pair = [&](int32_t first, int32_t second) {
    return verdict(batch_with(codec, joined(small_record(first), small_record(second)), 2));
  };
  CHECK(pair(0, 1) == ec::none);
  CHECK(pair(1, 0) == ec::invalid_record);
  CHECK(pair(0, 0) == ec::invalid_record);
  CHECK(pair(0, 2) == ec::invalid_record);
  CHECK(pair(1, 2) == ec::invalid_record);
  CHECK(pair(-1, 0) == ec::invalid_record);
}

TEST_CASE("validate: lying lengths are refused wherever they stand", "[schema][validate]") {
  auto codec = GENERATE(compression::none, compression::gzip, compression::snappy, compression::lz4,
                        compression::zstd);
  auto one = [&](const raw& fields, std::optional<int32_t> length = {}) {
    return verdict(batch_with(codec, record_around(fields, length), 1));
  };
  const raw null_bytes{0x01}, empty{0x00}, huge{0xfe, 0xff, 0xff, 0xff, 0x0f}, minus_two{0x03};
  const raw start{0, 0, 0}; // attributes, time delta, offset delta
  auto with_parts = [&](std::initializer_list<raw> parts) {
    auto fields = start;
    for (auto& p : parts)
      fields = joined(fields, p);
    return fields;
  };
  const auto good = with_parts({null_bytes, empty, {0x00}});
  REQUIRE(one(good) == ec::none);

  for (int32_t length : {-1, 0, 1, 5, 7, 1000, INT32_MIN})
    CHECK(one(good, length) == ec::invalid_record);
  // A record that claims more than any expansion may hold is refused for that; where nothing expands, for the
  // claim.
  CHECK(one(good, INT32_MAX) == (codec == compression::none ? ec::invalid_record : ec::message_too_large));

  for (auto& bad :
       {huge, minus_two, raw{0x02}, raw{0x04}, raw{0x80}, raw{0x80, 0x80, 0x80, 0x80, 0x80, 0x00}}) {
    CHECK(one(with_parts({bad})) == ec::invalid_record); // key
    CHECK(one(with_parts({bad, empty, {0x00}})) == ec::invalid_record);
    CHECK(one(with_parts({empty, bad, {0x00}})) == ec::invalid_record);               // value
    CHECK(one(with_parts({empty, empty, {0x02}, bad, empty})) == ec::invalid_record); // header key
    CHECK(one(with_parts({empty, empty, {0x02}, empty, bad})) == ec::invalid_record); // header value
  }
  CHECK(one(with_parts({empty, empty, {0x02}, null_bytes, empty}))
        == ec::invalid_record); // a header key is never null
  CHECK(one(with_parts({empty, empty, {0x02}, empty, null_bytes})) == ec::none);

  for (auto& count : {huge, minus_two, raw{0x01}, raw{0x02}, raw{0x06}})
    CHECK(one(with_parts({empty, empty, count})) == ec::invalid_record);
  CHECK(one(with_parts({empty, empty, {0x00}, {0x00}}))
        == ec::invalid_record); // one byte more than its fields
  // A value whose bytes would reach into the next record.
  auto thief = record_around(with_parts({null_bytes, raw{0x06}, {0x00}}), 6);
  CHECK(verdict(batch_with(codec, joined(thief, small_record(1)), 2)) == ec::invalid_record);
}

TEST_CASE("validate: times before -1 and beyond 2^63 are refused", "[schema][validate]") {
  auto codec = GENERATE(compression::none, compression::gzip, compression::snappy, compression::lz4,
                        compression::zstd);
  auto batch = [&](int64_t base, int64_t delta) {
    uint8_t number[varlong_bytes_max];
    raw fields{0};
    fields.insert(fields.end(), number, write_varlong(number, delta));
    fields = joined(fields, {0, 0x01, 0x01, 0x00});
    return verdict(with_field(batch_with(codec, record_around(fields), 1), base_timestamp_at, base));
  };
  CHECK(batch(1000, -1000) == ec::none);
  CHECK(batch(1000, -1001) == ec::none); // -1: no time
  CHECK(batch(1000, -1002) == ec::invalid_record);
  CHECK(batch(-1, 0) == ec::none);
  CHECK(batch(-2, 0) == ec::invalid_record);
  CHECK(batch(INT64_MAX, 0) == ec::none);
  CHECK(batch(INT64_MAX, 1) == ec::invalid_record);
  CHECK(batch(INT64_MIN, -1) == ec::invalid_record);
  CHECK(batch(-1, INT64_MIN) == ec::invalid_record);
}

TEST_CASE("validate: headers have a limit, because a reader must hold them", "[schema][validate]") {
  auto codec = GENERATE(compression::none, compression::gzip, compression::snappy, compression::lz4,
                        compression::zstd);
  auto with_headers = [&](size_t count) {
    raw fields{0, 0, 0, 0x01, 0x01};
    put_varint(fields, static_cast<int32_t>(count));
    fields.resize(fields.size() + 2 * count, 0); // empty key, empty value
    return batch_with(codec, record_around(fields), 1);
  };
  CHECK(verdict(with_headers(headers_per_record_max)) == ec::none);
  CHECK(verdict(with_headers(headers_per_record_max + 1)) == ec::invalid_record);
  CHECK(read_all(with_headers(headers_per_record_max + 1)).error().code == ec::invalid_record);
}

TEST_CASE("validate: null keys are reported, not refused", "[schema][validate]") {
  CHECK_FALSE(validate_batch(build({{1, "", "v", {}}, {1, "k", "v", {}}}), {})->null_key);
  CHECK(
      validate_batch(build({{1, "", "v", {}}, {1, std::nullopt, "v", {}}, {1, "k", "v", {}}}), {})->null_key);
}

TEST_CASE("validate: the limit of expansion is met to the byte", "[schema][validate]") {
  auto codec = GENERATE(compression::gzip, compression::snappy, compression::lz4, compression::zstd);
  auto value_size = GENERATE(size_t{100}, size_t{65'536}, size_t{200'000});
  std::vector<owned_record> records(3, {5, "key", std::string(value_size, 'v'), {}});
  auto expanded = build(records).size() - batch_header_size;
  auto batch = build(records, codec);
  batch_limits limits;
  limits.decompressed_bytes_max = expanded;
  CHECK(verdict(batch, limits) == ec::none);
  CHECK(read_all(batch, expanded).ok());
  limits.decompressed_bytes_max = expanded - 1;
  CHECK(verdict(batch, limits) == ec::message_too_large);
  CHECK(read_all(batch, expanded - 1).error().code == ec::message_too_large);
}
