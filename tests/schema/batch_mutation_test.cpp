// Thousands of damaged batches: whatever happens to the bytes, the checks give an answer, and the two readers
// of the grammar (validate_batch, which streams, and batch_reader, which collects) give the same one.
#include "schema/crc32c.hpp"
#include "schema/record_batch.hpp"
#include "schema/seams/random.hpp"
#include "tests/schema/batch_tools.hpp"

#include <catch2/catch.hpp>

#include <map>

using namespace pessoa;
using namespace pessoa::test;

namespace {

raw random_batch(random_source& random) {
  std::vector<owned_record> records(1 + random.below(12));
  for (auto& r : records) {
    r.time = static_cast<int64_t>(random.below(1000));
    if (random.below(3) > 0) r.key = std::string(random.below(12), 'k');
    if (random.below(5) > 0) r.value = std::string(random.below(100), 'v');
    for (auto n = random.below(3); n > 0; --n)
      r.headers.emplace_back("h", random.below(2) == 0 ? owned_record::part{} : owned_record::part{"x"});
  }
  constexpr compression codecs[] = {compression::none, compression::gzip, compression::snappy,
                                    compression::lz4, compression::zstd};
  batch_builder::identity producer;
  if (random.below(2) == 0)
    producer = {producer_id{7}, producer_epoch{1}, static_cast<int32_t>(random.below(100))};
  return build(records, codecs[random.below(std::size(codecs))], producer);
}

void mutate(raw& batch, random_source& random) {
  constexpr uint8_t favourites[] = {0x00, 0x01, 0x02, 0x7f, 0x80, 0xfe, 0xff};
  for (auto n = 1 + random.below(4); n > 0 && !batch.empty(); --n) {
    auto at = random.below(batch.size());
    switch (random.below(6)) {
    case 0:
      batch[at] ^= static_cast<uint8_t>(1u << random.below(8));
      break;
    case 1:
      batch[at] = favourites[random.below(std::size(favourites))];
      break;
    case 2:
      batch[at] = static_cast<uint8_t>(random.next());
      break;
    case 3:
      batch.erase(batch.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 4:
      batch.insert(batch.begin() + static_cast<std::ptrdiff_t>(at), static_cast<uint8_t>(random.next()));
      break;
    default:
      batch.resize(at);
      break;
    }
  }
}

// What the first checks of validate_batch promise, said again in other words.
bool frame_and_crc_hold(const raw& batch) {
  return batch.size() >= batch_header_size && load_be<int8_t>(batch.data() + 16) == 2
         && load_be<int32_t>(batch.data() + 8) == static_cast<int32_t>(batch.size()) - 12
         && load_be<uint32_t>(batch.data() + 17) == crc32c_portable(byte_view{batch}.subspan(21));
}

} // namespace

TEST_CASE("validate: no mutation of a batch crashes it, and none with a wrong CRC is accepted",
          "[schema][validate][mutation]") {
  size_t accepted = 0;
  for (uint64_t seed = 0; seed < 20'000; ++seed) {
    seeded_random random{seed};
    auto batch = random_batch(random);
    auto original = batch;
    mutate(batch, random);
    auto checked = validate_batch(batch, {});
    INFO("seed " << seed);
    if (!checked.ok()) continue;
    ++accepted;
    // Only what lies outside the CRC may differ: base offset and leader epoch.
    REQUIRE(frame_and_crc_hold(batch));
    REQUIRE(batch.size() == original.size());
    REQUIRE(same_bytes(byte_view{batch}.subspan(16), byte_view{original}.subspan(16)));
    REQUIRE(read_all(batch).ok());
  }
  CHECK(accepted > 100);
}

TEST_CASE("validate: under a repaired CRC, the checker and the reader agree on every mutation",
          "[schema][validate][mutation]") {
  std::map<ec, size_t> verdicts;
  for (uint64_t seed = 0; seed < 30'000; ++seed) {
    seeded_random random{seed ^ 0x5eed0000};
    auto batch = random_batch(random);
    raw records{batch.begin() + batch_header_size, batch.end()};
    mutate(records, random);
    batch.resize(batch_header_size);
    batch.insert(batch.end(), records.begin(), records.end());
    if (random.below(8) == 0) batch[21 + random.below(40)] ^= static_cast<uint8_t>(1u << random.below(8));
    seal_batch(batch);

    auto checked = validate_batch(batch, {});
    auto read = read_all(batch);
    INFO("seed " << seed);
    ++verdicts[checked.ok() ? ec::none : checked.error().code];
    if (checked.ok()) {
      REQUIRE(read.ok());
      REQUIRE(read->size() == static_cast<size_t>(checked->header.record_count));
      int64_t latest = -1;
      bool null_key = false;
      for (auto& r : *read) {
        latest = std::max(latest, r.time);
        null_key |= !r.key.has_value();
      }
      REQUIRE(checked->max_timestamp.value() == latest);
      REQUIRE(checked->null_key == null_key);
    } else if (!read.ok()) {
      // The same reason, unless a header field stands against it, which the reader does not judge.
      REQUIRE(read.error().code != ec::corrupt_message);
    } else {
      // Read though refused: only for what a header says about the batch as a whole.
      auto header = *parse_batch_header(batch);
      REQUIRE(checked.error().code == ec::invalid_record);
      REQUIRE((header.control() || header.last_offset_delta + 1 != header.record_count
               || header.producer < no_producer
               || (header.idempotent() && (header.pepoch < producer_epoch{0} || header.base_sequence < 0))
               || header.record_count == 0 || header.log_append_time()));
    }
  }
  // The mutations reached every kind of answer.
  for (auto code : {ec::none, ec::invalid_record, ec::unsupported_compression})
    CHECK(verdicts[code] > 50);
}
