#include "schema/producer_table.hpp"

#include "schema/crc32c.hpp"
#include "schema/endian.hpp"
#include "schema/seams/random.hpp"
#include "tests/schema/batch_tools.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;
using test::raw;

namespace {

batch_header batch_of(int64_t producer, int16_t epoch, int32_t sequence, int64_t base, int32_t records = 1) {
  batch_header h;
  h.producer = producer_id{producer};
  h.pepoch = producer_epoch{epoch};
  h.base_sequence = sequence;
  h.base_offset = offset{base};
  h.record_count = records;
  h.last_offset_delta = records - 1;
  return h;
}

const producer_id seven{7};

// A table with many producers and full entries, among them one whose sequences have wrapped.
producer_table busy_table() {
  producer_table table;
  seeded_random random{4};
  int64_t base = 0;
  std::map<int64_t, int32_t> next;
  next[3] = INT32_MAX - 2;
  for (int i = 0; i < 200; ++i) {
    auto producer = static_cast<int64_t>(random.below(20));
    auto h = batch_of(producer, 1, next[producer], base, static_cast<int32_t>(1 + random.below(5)));
    if (random.below(4) == 0) {
      h.attributes = 0x08;
      h.max_timestamp = timestamp{i};
    }
    table.apply(h, timestamp{1000 + i});
    next[producer] = static_cast<int32_t>((int64_t{next[producer]} + h.record_count) & 0x7fffffff);
    base += h.record_count;
  }
  return table;
}

raw resealed(raw snapshot) {
  store_le(snapshot.data() + snapshot.size() - 4, crc32c(byte_view{snapshot}.first(snapshot.size() - 4)));
  return snapshot;
}

ec verdict(const raw& snapshot) {
  auto table = producer_table::decode(snapshot);
  return table.ok() ? ec::none : table.error().code;
}

} // namespace

TEST_CASE("producer table: the last five batches are remembered, oldest first", "[schema][producer]") {
  producer_table table;
  for (int i = 0; i < 8; ++i) {
    table.apply(batch_of(7, 2, 10 * i, 100 + 10 * i, 10), timestamp{i});
    auto* entry = table.find(seven);
    REQUIRE(entry != nullptr);
    REQUIRE(entry->count == std::min(i + 1, 5));
    REQUIRE(entry->newest()
            == producer_batch{10 * i, 10 * i + 9, offset{100 + 10 * i}, offset{109 + 10 * i}, no_timestamp});
    REQUIRE(entry->last_used == timestamp{i});
  }
  CHECK(table.find(seven)->batches[0].first_sequence == 30);
  CHECK(table.find(seven)->epoch == producer_epoch{2});
  CHECK(table.find(producer_id{8}) == nullptr);
}

TEST_CASE("producer table: batches without a producer leave no trace", "[schema][producer]") {
  producer_table table;
  table.apply(batch_of(-1, -1, -1, 0), timestamp{1});
  CHECK(table.size() == 0);
}

TEST_CASE("producer table: a new epoch forgets the old one's batches", "[schema][producer]") {
  producer_table table;
  for (int i = 0; i < 3; ++i)
    table.apply(batch_of(7, 1, i, i), timestamp{1});
  table.apply(batch_of(7, 2, 0, 3), timestamp{2});
  auto* entry = table.find(seven);
  CHECK(entry->epoch == producer_epoch{2});
  CHECK(entry->count == 1);
  CHECK(entry->newest().first_offset == offset{3});
}

TEST_CASE("producer table: the answer's time is remembered only with log-append time", "[schema][producer]") {
  producer_table table;
  auto h = batch_of(7, 1, 0, 0);
  h.max_timestamp = timestamp{55};
  table.apply(h, timestamp{60});
  CHECK(table.find(seven)->newest().time == no_timestamp);
  h = batch_of(7, 1, 1, 1);
  h.max_timestamp = timestamp{55};
  h.attributes = 0x08;
  table.apply(h, timestamp{60});
  CHECK(table.find(seven)->newest().time == timestamp{55});
}

TEST_CASE("producer table: a wrapped sequence is remembered as it is", "[schema][producer]") {
  producer_table table;
  table.apply(batch_of(7, 1, INT32_MAX - 1, 0, 4), timestamp{1});
  CHECK(table.find(seven)->newest().first_sequence == INT32_MAX - 1);
  CHECK(table.find(seven)->newest().last_sequence == 1);
  CHECK(*producer_table::decode(table.encode()) == table);
}

TEST_CASE("producer table: replaying what a table has already seen changes nothing", "[schema][producer]") {
  producer_table table;
  std::vector<batch_header> log;
  for (int i = 0; i < 30; ++i)
    log.push_back(batch_of(i % 3, static_cast<int16_t>(i / 12), i / 3, i));
  for (auto& h : log)
    table.apply(h, timestamp{h.base_offset.value()});
  for (size_t begin = 0; begin < log.size(); ++begin) {
    auto again = table;
    for (size_t i = begin; i < log.size(); ++i)
      again.apply(log[i], timestamp{log[i].base_offset.value()});
    REQUIRE(again == table);
  }
}

TEST_CASE("producer table: unused producers expire, then the longest unused until few enough are left",
          "[schema][producer]") {
  producer_table table;
  for (int i = 0; i < 10; ++i)
    table.apply(batch_of(i, 0, 0, i), timestamp{100 + (i * 7) % 10}); // used in the order 0 3 6 9 2 5 8 1 4 7
  CHECK(table.expire(timestamp{200}, {100, 100}, 10) == 0);
  CHECK(table.expire(timestamp{200}, {98, 98}, 10) == 2);
  CHECK(table.find(producer_id{0}) == nullptr);
  CHECK(table.find(producer_id{3}) == nullptr);
  CHECK(table.crop(3) == 5);
  CHECK(table.size() == 3);
  for (int id : {1, 4, 7})
    CHECK(table.find(producer_id{id}) != nullptr);
  CHECK(table.expire(timestamp{0}, producer_expiry::after(1000), 0) == 3);
  CHECK(table.size() == 0);
}

// Seed 80769.
TEST_CASE("producer table: a clock that jumps makes no producer old", "[schema][producer]") {
  constexpr int64_t day = 86'400'000;
  auto limits = producer_expiry::after(180'000);
  for (int64_t jump : {day / 2, -day / 2}) {
    producer_table table;
    timestamp now{10 * day};
    auto use = [&](int from, int to) {
      for (int i = from; i < to; ++i)
        table.apply(batch_of(i, 0, 0, i), now = now + 1000);
    };
    use(0, 10);
    now = now + jump;
    use(10, 11);
    CHECK(table.expire(now, limits, 1000) == 0);
    // They are old when others have used that much time; after a jump back, when the clock has passed them again.
    use(11, 200);
    CHECK(table.expire(now, limits, 1000) > 0);
    CHECK((table.find(producer_id{3}) == nullptr) == (jump > 0));
    CHECK(table.find(producer_id{15}) == nullptr);
    CHECK(table.find(producer_id{199}) != nullptr);
  }
}

TEST_CASE("producer table: what a clock that does not jump has seen counts in full", "[schema][producer]") {
  producer_table table;
  for (int i = 0; i < 10; ++i)
    table.apply(batch_of(i, 0, 0, i), timestamp{1000 + i});
  CHECK(table.expire(timestamp{200'000}, producer_expiry::after(160'000), 1000) == 0);
  CHECK(table.expire(timestamp{200'000}, producer_expiry::after(160'000, 160'000), 1000) == 10);
}

TEST_CASE("producer table: of those that are used far apart a few outlive their age", "[schema][producer]") {
  constexpr int64_t day = 86'400'000;
  producer_table table;
  for (int i = 0; i < 100; ++i)
    table.apply(batch_of(i, 0, 0, i), timestamp{i * day});
  CHECK(table.expire(timestamp{100 * day}, producer_expiry::after(day), 1000) == 84);
  CHECK(table.find(producer_id{83}) == nullptr);
  CHECK(table.find(producer_id{84}) != nullptr);
}

TEST_CASE("producer table: truncation forgets what lies at or above the cut", "[schema][producer]") {
  producer_table table;
  for (int i = 0; i < 4; ++i)
    table.apply(batch_of(7, 1, 10 * i, 10 * i, 10), timestamp{1});
  table.apply(batch_of(8, 1, 0, 40, 5), timestamp{1});
  auto before = table;
  CHECK(table.truncate(offset{45}));
  CHECK(table == before);
  CHECK_FALSE(table.truncate(offset{40})); // producer 8 is gone, and an older epoch of it may lie below
  CHECK(table.find(producer_id{8}) == nullptr);
  CHECK(table.find(seven)->count == 4);
  CHECK(table.truncate(offset{25})); // inside the third batch
  CHECK(table.find(seven)->count == 2);
  CHECK(table.find(seven)->newest().last_offset == offset{19});
}

TEST_CASE("producer table: truncation says when a replay would know more", "[schema][producer]") {
  seeded_random random{5};
  for (int round = 0; round < 300; ++round) {
    std::vector<batch_header> log;
    int64_t base = 0;
    std::map<int64_t, std::pair<int16_t, int32_t>> next;
    for (auto n = random.below(25); n > 0; --n) {
      auto producer = static_cast<int64_t>(random.below(3));
      auto& [epoch, sequence] = next[producer];
      if (random.below(6) == 0) {
        ++epoch;
        sequence = 0;
      }
      log.push_back(batch_of(producer, epoch, sequence, base));
      ++sequence;
      ++base;
    }
    producer_table cut, replayed;
    offset end{static_cast<int64_t>(random.below(26))};
    for (auto& h : log) {
      cut.apply(h, timestamp{1});
      if (h.base_offset < end) replayed.apply(h, timestamp{1});
    }
    if (cut.truncate(end)) REQUIRE(cut == replayed);
  }
}

TEST_CASE("producer table: a snapshot gives the table back", "[schema][producer]") {
  CHECK(*producer_table::decode(producer_table{}.encode()) == producer_table{});
  auto table = busy_table();
  REQUIRE(table.size() == 20);
  CHECK(*producer_table::decode(table.encode()) == table);
}

TEST_CASE("producer table: the snapshot of the format's document is written byte for byte",
          "[schema][producer]") {
  producer_table table;
  table.apply(batch_of(4711, 3, 2147483646, 100, 3), timestamp{1700000000123});
  CHECK(table.encode()
        == test::from_hex("50505244 0100 0000 01000000"
                          "6712000000000000 0300 01 00 7b68e5cf8b010000"
                          "feffff7f 00000000 6400000000000000 6600000000000000 ffffffffffffffff"
                          "821ff050"));
}

TEST_CASE("producer table: a damaged snapshot is refused, wherever the damage is", "[schema][producer]") {
  auto good = busy_table().encode();
  for (size_t size = 0; size < good.size(); ++size)
    REQUIRE(verdict({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}) == ec::corrupt_data);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    auto code = verdict(bad);
    bool version = bit / 8 == 4 || bit / 8 == 5;
    REQUIRE((code == ec::corrupt_data || (version && code == ec::unsupported_version)));
  }
}

TEST_CASE("producer table: a newer snapshot is told from a damaged one", "[schema][producer]") {
  auto newer = busy_table().encode();
  store_le(newer.data() + 4, uint16_t{2});
  CHECK(verdict(newer) == ec::unsupported_version);
  CHECK(verdict(resealed(newer)) == ec::unsupported_version);
  store_le(newer.data() + 4, uint16_t{0});
  CHECK(verdict(resealed(newer)) == ec::corrupt_data);
}

TEST_CASE("producer table: a snapshot that lies under a right checksum is refused", "[schema][producer]") {
  producer_table table;
  table.apply(batch_of(1, 0, 0, 10, 2), timestamp{1});
  table.apply(batch_of(1, 0, 2, 12, 2), timestamp{1});
  table.apply(batch_of(2, 0, 0, 14), timestamp{1});
  auto good = table.encode();
  REQUIRE(verdict(resealed(good)) == ec::none);
  constexpr size_t count_at = 8, first = 12, first_batch = first + 20, second_batch = first_batch + 32;
  auto lie = [&](size_t at, auto value) {
    auto bad = good;
    store_le(bad.data() + at, value);
    return verdict(resealed(bad));
  };
  for (uint32_t producers : {0u, 1u, 3u, UINT32_MAX})
    CHECK(lie(count_at, producers) == ec::corrupt_data);
  CHECK(lie(first_batch + 16, INT64_MAX) == ec::corrupt_data); // more offsets than there are numbers
  CHECK(lie(first, int64_t{-1}) == ec::corrupt_data);
  CHECK(lie(first, int64_t{2}) == ec::corrupt_data); // twice the same
  CHECK(lie(first, int64_t{3}) == ec::corrupt_data); // out of order
  CHECK(lie(first + 8, int16_t{-1}) == ec::corrupt_data);
  for (int batches : {0, 1, 3, 5, 6, 255})
    CHECK(lie(first + 10, static_cast<uint8_t>(batches)) == ec::corrupt_data);
  CHECK(lie(first + 11, uint8_t{1}) == ec::corrupt_data);
  CHECK(lie(first_batch, int32_t{-1}) == ec::corrupt_data);
  CHECK(lie(first_batch, int32_t{1}) == ec::corrupt_data); // one sequence for two offsets
  CHECK(lie(first_batch + 8, int64_t{-1}) == ec::corrupt_data);
  CHECK(lie(first_batch + 16, int64_t{9}) == ec::corrupt_data); // ends before it begins
  CHECK(lie(second_batch + 8, int64_t{11}) == ec::corrupt_data);
  CHECK(lie(second_batch + 16, INT64_MAX) == ec::corrupt_data);
  CHECK(lie(first_batch + 24, int64_t{-2}) == ec::corrupt_data);
}
