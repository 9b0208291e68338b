#include "schema/record_batch.hpp"

#include "schema/seams/random.hpp"
#include "tests/schema/batch_tools.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::test;

namespace {

// The batch of docs/formats/record-batch.md: three records of producer 4711, epoch 3, whose sequences wrap.
// Built once with kafka-python 3.0.12, which writes leader epoch 0.
const std::string worked_example = "0000000000000000 0000005b 00000000 02 95c0d61b 0000 00000002"
                                   "0000018bcfe56800 0000018bcfe5687b 0000000000001267 0003 7ffffffe 00000003"
                                   "32 00 00 00 0c 6c6973626f6e 08 7261696e 06 0268 0201 026e 01 00 00"
                                   "0e 00 cf0f 02 01 00 00"
                                   "0e 00 f601 04 00 01 00";

const std::vector<owned_record> worked_records = {
    {1700000000000, "lisbon", "rain", {{"h", "\x01"}, {"n", std::nullopt}, {"", ""}}},
    {1699999999000, std::nullopt, "", {}},
    {1700000000123, "", std::nullopt, {}},
};

// Twelve records that repeat themselves, compressed by kafka-python 3.0.12 (Python's gzip, cramjam 2.14.0 for snappy,
// lz4 4.4.5, zstandard 0.25.0).
const std::string foreign_gzip =
    "0000000000000000000000c70000000002cdec897d00010000000b0000018bcfe568000000018bcfe5680bffffffffffffff"
    "ffffffffffffff0000000c1f8b0800ff61006b02ff3bc1c8c0c0c0959d5aa960b081315fa1203fb524512155a13457212d33"
    "2f3d3325bf4881725186138c0c4c4c605b0c696b0b0b0bd81623dadac2c606b6c598b6b67070806d31a1ad2d5c5c605b4c69"
    "6b0b0f0fd81633dadac2c707b6c59cb6b60808806db1a0ad2d4242605b2c6968cb29460611111e70ae34a0ad356262106b68"
    "99fb01b646a515ca040000";
const std::string foreign_snappy =
    "00000000000000000000010800000000027966a16f00020000000b0000018bcfe568000000018bcfe5680bffffffffffffff"
    "ffffffffffffff0000000c82534e41505059000000000100000001000000c3ca0988c8010000000a6b65792030b0016f2070"
    "6f657461206520756d2066696e6769646f7220ee160009161400c80100020205660031fe660076660004040405660032fe66"
    "0076660004060605660033fe660076660004080805660034fe6600766600040a0a05660035fe6600766600040c0c05660036"
    "fe6600766600040e0e05660037fe660076660004101005660038fe660076660004121205660039fe66006a660014ca010014"
    "140c61fc0031fefd036efd0310ca010016160967fefe036efe03";
const std::string foreign_lz4 =
    "0000000000000000000000ee0000000002e4c02ad600030000000b0000018bcfe568000000018bcfe5680bffffffffffffff"
    "ffffffffffffff0000000c04224d186840ca04000000000000fea6000000ff14c8010000000a6b65792030b0016f20706f65"
    "7461206520756d2066696e6769646f722016002f6100c80100020266001f3166004b21040466001f3266004b21060666001f"
    "3366004b21080866001f3466004b210a0a66001f3566004b210c0c66001f3666004b210e0e66001f3766004b21101066001f"
    "3866004b21121266001f3966004860ca010014140cfc031f31fd034952ca0100161667000ffe034450646f72200000000000";
const std::string foreign_zstd =
    "0000000000000000000000c300000000028635062700040000000b0000018bcfe568000000018bcfe5680bffffffffffffff"
    "ffffffffffffff0000000c28b52ffd60ca03450400f404c8010000000a6b65792030b0016f20706f657461206520756d2066"
    "696e6769646f722000c801000202310404320606330808340a0a350c0c360e0e37101038121239ca010014140c31ca010016"
    "160c170019401e00da4a00f25c601582b9a0c505c340db168c002d2e1806dab660046871c130d0b60523408b0b8681b62d8c"
    "48435bf694e613";

std::vector<owned_record> random_records(random_source& random, size_t count) {
  auto text = [&random](size_t size_max) {
    std::string s(random.below(size_max + 1), '\0');
    for (auto& c : s)
      c = static_cast<char>(random.below(4) == 0 ? random.next() : 'a' + random.below(3));
    return s;
  };
  auto part = [&](size_t size_max) {
    return random.below(4) == 0 ? owned_record::part{} : owned_record::part{text(size_max)};
  };
  std::vector<owned_record> records;
  for (size_t i = 0; i < count; ++i) {
    owned_record r{
        static_cast<int64_t>(random.below(1u << 20)), part(20), part(i % 7 == 0 ? 70'000 : 300), {}};
    for (auto n = random.below(4); n > 0; --n)
      r.headers.emplace_back(text(8), part(40));
    records.push_back(std::move(r));
  }
  return records;
}

} // namespace

TEST_CASE("record batch: the worked example is built byte for byte as another implementation built it",
          "[schema][batch]") {
  auto batch = build(worked_records, compression::none, {producer_id{4711}, producer_epoch{3}, 2147483646});
  CHECK(parse_batch_header(batch)->epoch == no_epoch);
  stamp_batch(batch.data(), offset{0}, leader_epoch{0});
  CHECK(batch == from_hex(worked_example));
}

TEST_CASE("record batch: the worked example is read and passes every check", "[schema][batch]") {
  auto batch = from_hex(worked_example);
  auto header = *parse_batch_header(batch);
  CHECK(header.size() == 103);
  CHECK(header.crc == 0x95c0d61b);
  CHECK(batch_crc_matches(batch));
  CHECK(header.codec() == compression::none);
  CHECK(header.producer == producer_id{4711});
  CHECK(header.pepoch == producer_epoch{3});
  CHECK(header.base_sequence == 2147483646);
  CHECK(header.last_sequence() == 0); // wrapped
  CHECK(header.next_offset() == offset{3});
  CHECK(*read_all(batch) == worked_records);

  auto facts = *validate_batch(batch, {});
  CHECK(facts.min_timestamp == timestamp{1699999999000});
  CHECK(facts.max_timestamp == timestamp{1700000000123});
  CHECK(facts.max_timestamp == facts.header.max_timestamp);
  CHECK(facts.null_key);
  CHECK(facts.decompressed_bytes == 42);
}

TEST_CASE("record batch: batches compressed by another implementation are read",
          "[schema][batch][compression]") {
  for (auto& hex : {foreign_gzip, foreign_snappy, foreign_lz4, foreign_zstd}) {
    auto batch = from_hex(hex);
    REQUIRE(validate_batch(batch, {}).ok());
    auto records = *read_all(batch);
    REQUIRE(records.size() == 12);
    for (size_t i = 0; i < records.size(); ++i) {
      CHECK(records[i].time == 1700000000000 + static_cast<int64_t>(i));
      CHECK(records[i].key == "key " + std::to_string(i));
      CHECK(records[i].value->substr(66) == "o poeta e um fingidor ");
    }
  }
}

TEST_CASE("record batch: what is built is valid and read back, with every codec", "[schema][batch]") {
  auto codec = GENERATE(compression::none, compression::gzip, compression::snappy, compression::lz4,
                        compression::zstd);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    seeded_random random{seed};
    auto records = random_records(random, 1 + random.below(60));
    auto batch = build(records, codec);
    INFO("seed " << seed << ", codec " << static_cast<int>(codec));
    auto facts = validate_batch(batch, {});
    REQUIRE(facts.ok());
    REQUIRE(*read_all(batch) == records);
    REQUIRE(facts->header.record_count == static_cast<int32_t>(records.size()));
    REQUIRE(facts->header.codec() == codec);
    auto expanded = build(records).size() - batch_header_size;
    REQUIRE(facts->decompressed_bytes == expanded);
    auto time = [](const owned_record& r) { return r.time; };
    std::vector<int64_t> times;
    std::transform(records.begin(), records.end(), std::back_inserter(times), time);
    REQUIRE(facts->max_timestamp.value() == *std::max_element(times.begin(), times.end()));
    REQUIRE(facts->min_timestamp.value() == *std::min_element(times.begin(), times.end()));
    REQUIRE(facts->header.max_timestamp == facts->max_timestamp);
    REQUIRE(facts->header.base_timestamp.value() == times.front());
  }
}

TEST_CASE("record batch: null and empty stay different things", "[schema][batch]") {
  auto codec = GENERATE(compression::none, compression::gzip, compression::snappy, compression::lz4,
                        compression::zstd);
  std::vector<owned_record> records = {{5, std::nullopt, std::nullopt, {{"a", std::nullopt}, {"a", ""}}},
                                       {5, "", "", {}},
                                       {-1, std::nullopt, "", {}},
                                       {5, "", std::nullopt, {}}};
  for (int i = 0; i < 100; ++i)
    records.push_back(records[static_cast<size_t>(i % 4)]); // so that it is worth compressing
  auto batch = build(records, codec);
  CHECK(parse_batch_header(batch)->codec() == codec);
  CHECK(*read_all(batch) == records);
}

TEST_CASE("record batch: records are numbered from the base offset", "[schema][batch]") {
  auto batch = build(worked_records);
  stamp_batch(batch.data(), offset{1000}, leader_epoch{7});
  auto reader = *batch_reader::open(batch);
  for (int64_t i = 0; i < 3; ++i)
    CHECK((**reader.next()).at == offset{1000 + i});
  CHECK_FALSE(reader.next()->has_value());
  CHECK_FALSE(reader.next()->has_value());
}

TEST_CASE("record batch: what a codec does not make smaller is stored as it is", "[schema][batch]") {
  auto codec = GENERATE(compression::gzip, compression::snappy, compression::lz4, compression::zstd);
  auto batch = build({{1, "k", "v", {}}}, codec);
  CHECK(parse_batch_header(batch)->codec() == compression::none);
  CHECK(batch == build({{1, "k", "v", {}}}));
}

TEST_CASE("record batch: a builder is as new after finish, and foresees the size", "[schema][batch]") {
  seeded_random random{9};
  batch_builder builder;
  for (int round = 0; round < 5; ++round) {
    auto records = random_records(random, 20);
    for (auto& r : records) {
      auto before = builder.size();
      auto bound = batch_builder::upper_bound(r.view());
      builder.add(r.view());
      REQUIRE(builder.size() - before <= bound);
      REQUIRE(bound - (builder.size() - before) <= 24); // and not by guessing high
    }
    auto foretold = builder.size();
    CHECK(builder.record_count() == 20);
    auto batch = builder.finish();
    CHECK(batch.size() == foretold);
    CHECK(batch == build(records));
    CHECK(builder.record_count() == 0);
    CHECK(builder.size() == batch_header_size);
  }
}

TEST_CASE("record batch: offset and epoch are stamped outside the checksum", "[schema][batch]") {
  auto batch = build(worked_records);
  auto before = parse_batch_header(batch)->crc;
  stamp_batch(batch.data(), offset{123456789012}, leader_epoch{42});
  auto header = *parse_batch_header(batch);
  CHECK(header.base_offset == offset{123456789012});
  CHECK(header.epoch == leader_epoch{42});
  CHECK(header.last_offset() == offset{123456789014});
  CHECK(header.crc == before);
  CHECK(validate_batch(batch, {}).ok());
  CHECK(*read_all(batch) == worked_records);
}

TEST_CASE("record batch: log-append time speaks for every record", "[schema][batch]") {
  auto codec = GENERATE(compression::none, compression::gzip, compression::snappy, compression::lz4,
                        compression::zstd);
  std::vector<owned_record> records(50, {17, "key", "value", {}});
  auto batch = build(records, codec);
  stamp_append_time(batch, timestamp{999});
  auto facts = validate_batch(batch, {});
  REQUIRE(facts.ok());
  CHECK(facts->header.log_append_time());
  CHECK(facts->header.codec() == codec);
  CHECK(facts->max_timestamp == timestamp{999});
  CHECK(facts->min_timestamp == timestamp{999});
  auto read = read_all(batch).value();
  REQUIRE(read.size() == 50);
  for (auto& r : read)
    REQUIRE(r.time == 999);
}

TEST_CASE("record batch: a wrong maximum timestamp is found and corrected", "[schema][batch]") {
  auto batch = with_field<int64_t>(build(worked_records), 35, 77);
  auto facts = *validate_batch(batch, {});
  CHECK(facts.header.max_timestamp == timestamp{77});
  CHECK(facts.max_timestamp == timestamp{1700000000123});
  stamp_max_timestamp(batch, facts.max_timestamp);
  CHECK(validate_batch(batch, {})->header.max_timestamp == timestamp{1700000000123});
  CHECK(batch == build(worked_records));
}

TEST_CASE("record batch: sequences wrap after 2^31-1", "[schema][batch]") {
  batch_header header;
  header.base_sequence = 2147483647;
  header.last_offset_delta = 0;
  CHECK(header.last_sequence() == 2147483647);
  header.last_offset_delta = 1;
  CHECK(header.last_sequence() == 0);
  header.last_offset_delta = 2147483647;
  CHECK(header.last_sequence() == 2147483646);
}

TEST_CASE("record batch: a header says only where the batch ends", "[schema][batch]") {
  auto batch = from_hex(worked_example);
  CHECK(parse_batch_header(byte_view{batch}.first(61)).ok());
  CHECK(parse_batch_header(byte_view{batch}.first(60)).error().code == ec::corrupt_message);
  CHECK(parse_batch_header({}).error().code == ec::corrupt_message);
  for (int magic : {0, 1, 3, -1}) {
    auto other = batch;
    other[16] = static_cast<uint8_t>(magic);
    CHECK(parse_batch_header(other).error().code == ec::unsupported_version);
  }
  for (int32_t length : {48, 0, -1, INT32_MIN}) {
    auto other = batch;
    store_be(other.data() + 8, length);
    CHECK(parse_batch_header(other).error().code == ec::corrupt_message);
  }
}
