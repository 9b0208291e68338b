#include "persistence/table.hpp"

#include "schema/crc32c.hpp"
#include "simulations/disk/sim_disk.hpp"
#include "tests/support/temporary_directory.hpp"

#include <catch2/catch.hpp>

#include "schema/endian.hpp"
#include <array>

#include <leveldb/db.h>

using namespace pessoa;
using namespace pessoa::persistence;
using namespace pessoa::sim;

namespace {

using entries = std::map<std::string, std::string>;

entries all_of(table& store, std::string_view prefix = {}, std::string_view from = {}) {
  entries found;
  store
      .scan(
          prefix, [&](auto key, auto value) { return found.emplace(key, value).second; }, from)
      .value();
  return found;
}

std::unique_ptr<table> open_sound(storage_env& env, const std::string& path, table_options options = {}) {
  auto opened = table::open(env, path, options).value();
  INFO(opened.rebuild.value_or(""));
  REQUIRE_FALSE(opened.rebuild);
  return std::move(opened.store);
}

void put(table& store, int64_t applied, const std::string& key, const std::string& value) {
  table_batch batch;
  batch.put(key, value);
  store.write(batch, applied).value();
}

void table_contract(storage_env& env, const std::string& path) {
  SECTION("a batch is there as one, with its position, and after opening again") {
    auto store = open_sound(env, path);
    CHECK_FALSE(store->applied());
    table_batch batch;
    batch.put("group/a", "1");
    batch.put("group/b", "2");
    batch.put("h", "the key of the head belongs to callers, too");
    batch.put("", std::string("\0empty key, binary value\xff", 25));
    batch.put("group/a", "3"); // the last one wins
    batch.remove("never there");
    store->write(batch, 41).value();
    table_batch second;
    second.remove("group/b");
    second.put("other", "4");
    store->write(second, 42).value();
    auto expected = entries{{"", std::string("\0empty key, binary value\xff", 25)},
                            {"group/a", "3"},
                            {"h", "the key of the head belongs to callers, too"},
                            {"other", "4"}};
    auto clean = GENERATE(true, false);
    auto head = store->head();
    for (int round = 0; round < 3; ++round) {
      CHECK(all_of(*store) == expected);
      CHECK(store->get("group/a").value() == "3");
      CHECK_FALSE(store->get("group/b").value());
      CHECK(store->applied() == 42);
      CHECK(store->head() == head);
      CHECK(head.entries == 4);
      if (clean) store->close().value();
      store.reset();
      store = open_sound(env, path, {.applied_at_least = 42});
    }
    put(*store, 43, "more", "5"); // a note left by a clean end does not condemn what comes after
    store.reset();
    CHECK(open_sound(env, path)->applied() == 43);
  }
  SECTION("a prefix is read in order, from a key on, until the reader has enough") {
    auto store = open_sound(env, path);
    table_batch batch;
    for (auto* key : {"a/1", "a/2", "a/3", "b/1", "a0", "a"})
      batch.put(key, key);
    store->write(batch, 1).value();
    CHECK(all_of(*store, "a/").size() == 3);
    CHECK(all_of(*store, "a/", "a/2") == entries{{"a/2", "a/2"}, {"a/3", "a/3"}});
    CHECK(all_of(*store, "a/", "b").empty());
    CHECK(all_of(*store, "none").empty());
    int seen = 0;
    store->scan("a", [&](auto, auto) { return ++seen < 2; }).value();
    CHECK(seen == 2);
  }
  SECTION("what is too large is refused, and harms nothing") {
    auto store = open_sound(env, path);
    auto refused = [&](const table_batch& batch) {
      return store->write(batch, 7).error().code == ec::invalid_argument;
    };
    table_batch long_key, long_value, large;
    long_key.put(std::string(table_key_bytes_max + 1, 'k'), "");
    CHECK(refused(long_key));
    long_value.put("k", std::string(table_value_bytes_max + 1, 'v'));
    CHECK(refused(long_value));
    for (size_t i = 0; i <= table_batch_bytes_max / table_value_bytes_max; ++i)
      large.put("k" + std::to_string(i), std::string(table_value_bytes_max, 'v'));
    CHECK(refused(large));
    CHECK_FALSE(store->failed());
    CHECK(store->head() == table_head{});
    table_batch fits;
    fits.put(std::string(table_key_bytes_max, 'k'), std::string(table_value_bytes_max, 'v'));
    store->write(fits, 7).value();
  }
  SECTION("a table is opened once, and a discarded one begins anew") {
    auto store = open_sound(env, path);
    put(*store, 1, "a", "b");
    auto second = table::open(env, path);
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().code == ec::directory_in_use);
    store.reset();
    table::discard(env, path).value();
    CHECK_FALSE(env.exists(path));
    table::discard(env, path).value();
    CHECK_FALSE(open_sound(env, path)->applied());
  }
  SECTION("thousands of entries roll LevelDB's files and stay true") {
    table_options small{.write_buffer_bytes = 64 << 10, .file_bytes = 64 << 10};
    auto store = open_sound(env, path, small);
    entries expected;
    seeded_random random{3};
    for (int64_t i = 0; i < 2000; ++i) {
      table_batch batch;
      for (int n = 0; n < 3; ++n) {
        auto key = "k" + std::to_string(random.below(700));
        if (random.below(4) == 0) {
          batch.remove(key);
          expected.erase(key);
        } else {
          auto value = std::string(random.below(200), static_cast<char>('a' + n));
          batch.put(key, value);
          expected[key] = value;
        }
      }
      store->write(batch, i, table_sync::later).value();
    }
    CHECK(all_of(*store) == expected);
    CHECK(store->head().entries == expected.size());
    store->close().value();
    store.reset();
    store = open_sound(env, path, small);
    CHECK(all_of(*store) == expected);
    CHECK(store->applied() == 1999);
  }
}

// A table of 100 puts in LevelDB's log, and the path of that log.
std::string filled(storage_env& env, bool close) {
  auto store = open_sound(env, "table");
  for (int64_t i = 0; i < 100; ++i)
    put(*store, i, "k" + std::to_string(i), std::string(100, 'v'));
  if (close) store->close().value();
  auto names = env.list_directory("table").value();
  for (auto& name : names)
    if (name.find(".log") != std::string::npos) return "table/" + name;
  FAIL("no log");
  return {};
}

// Where the n-th record of a LevelDB log begins: 4 bytes of CRC, 2 of length, 1 of type, then data, in 32 KiB
// blocks.
uint64_t record_position(storage_env& env, const std::string& log, int n) {
  auto data = read_whole_file(env, log, 1 << 20).value();
  uint64_t at = 0;
  for (int i = 0; i < n; ++i) {
    if (at % 32768 > 32768 - 7) at += 32768 - at % 32768;
    at += 7 + load_le<uint16_t>(data.data() + at + 4);
  }
  return at;
}

// One of version 2, whole.
std::string newer_head() {
  auto text = table_head{}.encode();
  text[4] = 2;
  std::array<uint8_t, 4> crc{};
  store_le<uint32_t>(crc.data(), crc32c(as_bytes(text).first(36)));
  text.replace(36, 4, as_text(crc));
  return text;
}

} // namespace

TEST_CASE("table: it works on the real disk", "[persistence][table]") {
  tests::temporary_directory directory;
  auto env = make_posix_storage_env();
  table_contract(*env, directory.path() + "/table");
}

TEST_CASE("table: it works on the simulated disk", "[persistence][table]") {
  seeded_random random{1};
  sim_disk disk{random};
  table_contract(disk.env(), "table");
}

TEST_CASE("table: the digest does not depend on the way", "[persistence][table]") {
  seeded_random random{1};
  sim_disk disk{random};
  auto one = open_sound(disk.env(), "one");
  auto two = open_sound(disk.env(), "two");
  put(*one, 1, "a", "1");
  put(*one, 2, "b", "2");
  put(*two, 1, "b", "old");
  table_batch batch;
  batch.put("a", "1");
  batch.put("b", "2");
  two->write(batch, 2).value();
  CHECK(one->head() == two->head());
  put(*two, 3, "b", "1");
  CHECK(one->head().digest != two->head().digest);
  CHECK(entry_digest(as_bytes("ab"), as_bytes("c")) != entry_digest(as_bytes("a"), as_bytes("bc")));
  // Part of the format: other nodes and later releases compute the same.
  CHECK(entry_digest(as_bytes("key"), as_bytes("value")) == 0xf7412fa00305f9deull);
}

TEST_CASE("table: a head is read back, and a damaged or newer one is told apart", "[persistence][table]") {
  table_head head{.applied = -7, .entries = 3, .digest = 0xfedcba9876543210};
  CHECK(table_head::decode(as_bytes(head.encode())).value() == head);
  CHECK(table_head::decode(as_bytes(table_head{}.encode())).value() == table_head{});
  // The example of docs/formats/table.md.
  table_head example;
  example.applied = 41;
  example.add(as_bytes("key"), as_bytes("value"));
  const std::string bytes{
      "PTAB\x01\0\x01\0\x29\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\xde\xf9\x05\x03\xa0\x2f\x41\xf7"
      "\0\0\0\0\xa9\x68\xe2\x5c",
      40};
  CHECK(example.encode() == bytes);
  for (size_t bit = 0; bit < head.encode().size() * 8; ++bit) {
    auto text = head.encode();
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
    auto read = table_head::decode(as_bytes(text));
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().code == ec::corrupt_data); // also in the version
  }
  CHECK(table_head::decode(as_bytes(newer_head())).error().code == ec::unsupported_version);
  for (size_t size = 0; size < 40; ++size)
    CHECK_FALSE(table_head::decode(as_bytes(head.encode()).subspan(0, size)).ok());
}

// failures S1
TEST_CASE("table: the first failed write ends it, and what was acknowledged is there",
          "[persistence][table]") {
  auto fault = GENERATE(disk_fault::short_write, disk_fault::no_space, disk_fault::error);
  auto operation = GENERATE(disk_operation::write, disk_operation::sync);
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    seeded_random random{seed};
    sim_disk disk{random, sim_disk_options::draw(random)};
    auto store = open_sound(disk.env(), "table");
    put(*store, 1, "before", "1");
    disk.faults().inject({.operation = operation, .fault = fault, .path_contains = ".log"});
    table_batch batch;
    batch.put("unknown", "2");
    auto failed = store->write(batch, 2);
    REQUIRE_FALSE(failed.ok());
    if (operation == disk_operation::write)
      CHECK(failed.error().code == (fault == disk_fault::no_space ? ec::disk_full : ec::storage_failed));
    for (int64_t i = 3; i < 13; ++i)
      CHECK(store->write(batch, i).error().code == ec::storage_failed);
    CHECK(store->get("before").error().code == ec::storage_failed);
    CHECK(store->scan("", [](auto, auto) { return true; }).error().code == ec::storage_failed);
    CHECK(store->close().error().code == ec::storage_failed);
    store.reset();
    disk.crash(random.below(2) == 0 ? crash_kind::kill : crash_kind::power);
    auto opened = table::open(disk.env(), "table", {.applied_at_least = 1}).value();
    if (!opened.rebuild) {
      CHECK(opened.store->get("before").value() == "1");
      CHECK((*opened.store->applied() == 1 || *opened.store->applied() == 2)); // "failed" meant unknown
      CHECK(opened.store->get("unknown").value().has_value() == (*opened.store->applied() == 2));
    }
  }
}

// failures S2: LevelDB takes a wrong length near the end for an unfinished write and drops the rest without a
// word
TEST_CASE("table: one flipped bit in a length is noticed after a clean end", "[persistence][table]") {
  seeded_random random{1};
  sim_disk disk{random};
  auto log = filled(disk.env(), true);
  disk.flip_bit(log, (record_position(disk.env(), log, 50) + 5) * 8 + 7);
  auto opened = table::open(disk.env(), "table").value();
  REQUIRE(opened.rebuild);
  CHECK(opened.rebuild->find("it was closed with position 99") != std::string::npos);
  CHECK_FALSE(opened.store->applied());
  CHECK(all_of(*opened.store).empty());
}

TEST_CASE("table: a table shorter than its caller knows is thrown away", "[persistence][table]") {
  seeded_random random{1};
  sim_disk disk{random};
  auto log = filled(disk.env(), false);
  disk.flip_bit(log, (record_position(disk.env(), log, 50) + 5) * 8 + 7);
  SECTION("with a known position it is found out") {
    auto opened = table::open(disk.env(), "table", {.applied_at_least = 99}).value();
    REQUIRE(opened.rebuild);
    CHECK(opened.rebuild->find("known to have reached 99") != std::string::npos);
  }
  SECTION("without one it is a true, older state, and says so by its position") {
    auto store = open_sound(disk.env(), "table");
    auto there = *store->applied();
    CHECK(there < 99);
    CHECK(store->head().entries == static_cast<uint64_t>(there + 1));
    CHECK(all_of(*store).size() == static_cast<size_t>(there + 1));
  }
}

// failures S3
TEST_CASE("table: any flipped bit in LevelDB's log is noticed or harmless", "[persistence][table]") {
  int rebuilt = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    seeded_random random{seed};
    sim_disk disk{random};
    auto log = filled(disk.env(), false);
    auto size = read_whole_file(disk.env(), log, 1 << 20).value().size();
    disk.flip_bit(log, random.below(size * 8));
    auto opened = table::open(disk.env(), "table", {.applied_at_least = 99}).value();
    rebuilt += opened.rebuild.has_value();
    INFO("seed " << seed);
    if (!opened.rebuild) REQUIRE(all_of(*opened.store).size() == 100);
  }
  CHECK(rebuilt > 140);
}

// LevelDB skips a damaged stretch and goes on behind it; only a digest of the whole sees the hole.
TEST_CASE("table: a hole that LevelDB does not see is found by the digest", "[persistence][table]") {
  seeded_random random{1};
  sim_disk disk{random};
  filled(disk.env(), false);
  {
    leveldb::Options options;
    options.env = &disk.env();
    leveldb::DB* raw = nullptr;
    REQUIRE(leveldb::DB::Open(options, "table", &raw).ok());
    std::unique_ptr<leveldb::DB> db{raw};
    disk.env().drain_scheduled();
    SECTION("an entry is missing") { REQUIRE(db->Delete({}, "kk7").ok()); }
    SECTION("an entry is older") { REQUIRE(db->Put({}, "kk7", "former").ok()); }
    SECTION("an entry came back") { REQUIRE(db->Put({}, "kremoved", "").ok()); }
    SECTION("the head is missing") { REQUIRE(db->Delete({}, "h").ok()); }
    SECTION("somebody else's key is there") { REQUIRE(db->Put({}, "zzz", "").ok()); }
    disk.env().drain_scheduled();
  }
  auto opened = table::open(disk.env(), "table", {.applied_at_least = 99}).value();
  CHECK(opened.rebuild);
  CHECK(all_of(*opened.store).empty());
}

// failures S7
TEST_CASE("table: whatever file is emptied, zeroed or gone, the table is whole or rebuilt",
          "[persistence][table]") {
  auto damage = GENERATE(0, 1, 2, 3);
  seeded_random base{1};
  sim_disk probe{base};
  auto fill = [](storage_env& env) {
    for (int64_t life = 0; life < 3; ++life) { // leaves tables of several levels and a log
      auto store = open_sound(env, "table", {.write_buffer_bytes = 64 << 10});
      for (int64_t i = 0; i < 300; ++i)
        put(*store, life * 300 + i, "k" + std::to_string(life * 200 + i), std::string(200, 'v'));
      if (life == 1) store->close().value();
    }
  };
  fill(probe.env());
  auto names = probe.env().list_directory("table").value();
  REQUIRE(names.size() > 5);
  int rebuilt = 0;
  for (auto& name : names) {
    seeded_random random{1};
    sim_disk disk{random};
    auto& env = disk.env();
    fill(env);
    auto path = "table/" + name;
    auto size = env.open_file(path, open_mode::read).value()->size().value();
    auto file = env.open_file(path, open_mode::read_write).value();
    switch (damage) {
    case 0:
      file->truncate(0).value();
      break;
    case 1:
      file->write_at(0, as_bytes(std::string(size, '\0'))).value();
      break;
    case 2:
      file->write_at(size / 2, as_bytes(std::string(size - size / 2, '\0'))).value();
      break;
    default:
      env.remove_file(path).value();
    }
    file.reset();
    INFO(name << " damage " << damage);
    auto opened = table::open(env, "table", {.applied_at_least = 899}).value();
    rebuilt += opened.rebuild.has_value();
    CHECK(all_of(*opened.store).size() == (opened.rebuild ? 0 : 700));
    put(*opened.store, 900, "goes", "on");
  }
  CHECK(rebuilt >= 3);
}

TEST_CASE("table: a newer format is left as it is", "[persistence][table]") {
  seeded_random random{1};
  sim_disk disk{random};
  auto& env = disk.env();
  open_sound(env, "table")->close().value();
  auto note = newer_head();
  replace_file(env, "table/CLOSED", as_bytes(note)).value();
  CHECK(table::open(env, "table").error().code == ec::unsupported_version);
  CHECK(as_text(read_whole_file(env, "table/CLOSED", 100).value()) == note);
}

TEST_CASE("table: a disk that fails while opening does not cost the table", "[persistence][table]") {
  auto fails = GENERATE(disk_operation::read, disk_operation::write, disk_operation::sync,
                        disk_operation::sync_directory, disk_operation::rename, disk_operation::truncate);
  INFO(to_string(fails));
  seeded_random random{1};
  sim_disk disk{random};
  filled(disk.env(), false);
  bool went_well = false;
  for (uint64_t nth = 1; nth < 100 && !went_well; ++nth) {
    disk.crash(crash_kind::kill);
    INFO("operation " << nth);
    disk.faults().inject(
        {.operation = fails, .fault = disk_fault::error, .nth = nth, .path_contains = "table"});
    auto opened = table::open(disk.env(), "table", {.applied_at_least = 99});
    disk.faults().clear();
    if (opened.ok()) {
      INFO(opened->rebuild.value_or(""));
      REQUIRE_FALSE(opened->rebuild);
      REQUIRE(all_of(*opened->store).size() == 100);
      went_well = true;
    } else {
      REQUIRE(opened.error().code == ec::storage_failed);
    }
  }
  CHECK(went_well);
}
