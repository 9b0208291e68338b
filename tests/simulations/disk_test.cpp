#include "simulations/disk/sim_disk.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <set>

using namespace pessoa;
using namespace pessoa::persistence;
using namespace pessoa::sim;

namespace {

std::string content(storage_env& env, const std::string& path) {
  auto all = read_whole_file(env, path, 1 << 24);
  return all.ok() ? std::string{as_text(*all)} : to_string(all.error());
}

std::unique_ptr<random_file> durable_file(storage_env& env, const std::string& path) {
  auto file = env.open_file(path, open_mode::create).value();
  env.sync_directory(parent_directory(path)).value();
  return file;
}

} // namespace

TEST_CASE("sim_disk: a kill keeps what was written, and a power cut keeps what was synced",
          "[simulations][disk]") {
  seeded_random random{1};
  sim_disk disk{random};
  auto file = durable_file(disk.env(), "f");
  file->write_at(0, as_bytes("synced.")).value();
  file->sync().value();
  CHECK(disk.durable_prefix("f") == 7);
  file->write_at(7, as_bytes("pending")).value();
  CHECK(disk.durable_prefix("f") == 7);
  CHECK(disk.is_durable("f", 0, 7));
  CHECK_FALSE(disk.is_durable("f", 6, 8));
  disk.crash(crash_kind::kill);
  CHECK(content(disk.env(), "f") == "synced.pending");
  CHECK(disk.durable_prefix("f") == 7); // read back is not the same as safe
  disk.crash(crash_kind::power);
  CHECK(content(disk.env(), "f").substr(0, 7) == "synced.");
}

TEST_CASE("sim_disk: a power cut reaches every outcome it is built for", "[simulations][disk]") {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    seeded_random random{seed};
    sim_disk disk{random};
    auto file = durable_file(disk.env(), "f");
    std::string base(1000, 'b');
    file->write_at(0, as_bytes(base)).value();
    file->sync().value();
    std::string a(3000, 'x'), b(9000, 'y'), c(500, 'z');
    file->write_at(1000, as_bytes(a)).value();
    file->write_at(4000, as_bytes(b)).value();
    file->write_at(13000, as_bytes(c)).value();
    disk.crash(crash_kind::power);
    auto left = content(disk.env(), "f");
    REQUIRE(left.substr(0, 1000) == base);
    auto rest = left.substr(1000);
    if (left == base + a + b + c) {
      seen.insert("nothing lost");
      CHECK_FALSE(disk.last_crash_lost());
      continue;
    }
    CHECK(disk.last_crash_lost());
    if (rest.empty()) seen.insert("all lost");
    if (rest == a || rest == a + b) seen.insert("whole operations kept");
    if (rest.size() == 12500 && rest == std::string(12500, '\0')) seen.insert("length without data");
    if (rest.size() > 3000 && rest.substr(0, 3000) == std::string(3000, '\0') && rest.substr(3000, 9000) == b)
      seen.insert("an earlier write lost, a later one kept");
    if (left.size() > 4000 && left.size() < 13000 && (a + b + c).compare(0, rest.size(), rest) == 0
        && left.size() % 512 == 0)
      seen.insert("torn at a sector");
    for (auto byte : rest)
      if (byte != 'x' && byte != 'y' && byte != 'z' && byte != '\0') {
        seen.insert("garbage");
        break;
      }
  }
  CHECK(seen
        == std::set<std::string>{"all lost", "an earlier write lost, a later one kept", "garbage",
                                 "length without data", "nothing lost", "torn at a sector",
                                 "whole operations kept"});
}

TEST_CASE("sim_disk: a sector that is new to a file may show what a truncation had taken from there",
          "[simulations][disk]") {
  for (bool stale : {true, false}) {
    std::set<std::string> seen;
    for (uint64_t seed = 1; seed <= 200; ++seed) {
      seeded_random random{seed};
      sim_disk disk{random, {.stale_sectors = stale}};
      auto file = durable_file(disk.env(), "f");
      file->write_at(0, as_bytes(std::string(2048, 'o'))).value();
      file->sync().value();
      file->truncate(700).value();
      file->sync().value();
      file->write_at(700, as_bytes(std::string(1348, 'n'))).value();
      CHECK(content(disk.env(), "f").find('o', 700) == std::string::npos); // a reader sees none of it
      disk.crash(crash_kind::power);
      auto left = content(disk.env(), "f");
      REQUIRE(left.substr(0, 700) == std::string(700, 'o')); // what was synced stays
      // A sector that was there keeps its end: nothing old is in it but by chance, among garbage.
      auto end = left.begin() + static_cast<ptrdiff_t>(std::min<size_t>(left.size(), 1024));
      REQUIRE(std::count(left.begin() + 700, end, 'o') < 20);
      if (left.size() != 2048) continue;
      for (size_t at : {1024u, 1536u})
        if (left.substr(at, 512) == std::string(512, 'o')) seen.insert(at == 1024 ? "first" : "second");
      if (left.substr(1024) == std::string(1024, 'o')) seen.insert("both");
    }
    CHECK(seen == (stale ? std::set<std::string>{"both", "first", "second"} : std::set<std::string>{}));
  }
}

TEST_CASE("sim_disk: the same seed tells the same lies", "[simulations][disk]") {
  auto run = [](uint64_t seed) {
    seeded_random random{seed};
    sim_disk disk{random, sim_disk_options::draw(random)};
    std::string trace;
    for (int life = 0; life < 5; ++life) {
      for (int i = 0; i < 10; ++i) {
        auto path = "f" + std::to_string(random.below(4));
        auto file = disk.env().open_file(path, open_mode::create).value();
        auto position = random.below(5000); // one draw per statement: compilers order arguments as they like
        std::string text(1 + random.below(3000), static_cast<char>('a' + i));
        file->write_at(position, as_bytes(text)).value();
        if (random.below(3) == 0) file->sync().value();
        if (random.below(5) == 0) disk.env().sync_directory(".").value();
      }
      disk.crash(random.below(4) == 0 ? crash_kind::kill : crash_kind::power);
      auto names = disk.env().list_directory(".").value();
      for (auto& name : names)
        trace += name + ":" + content(disk.env(), name) + ";";
    }
    return trace;
  };
  for (uint64_t seed = 1; seed <= 20; ++seed)
    CHECK(run(seed) == run(seed));
  CHECK(run(1) != run(2));
}

// The oracle that acknowledgements are checked with must never vouch for a byte that can go.
TEST_CASE("sim_disk: what is called durable survives, whatever happens", "[simulations][disk]") {
  uint64_t vouched = 0;
  uint64_t lost = 0;
  for (uint64_t seed = 1; seed <= 1500; ++seed) {
    seeded_random random{seed};
    auto options = sim_disk_options::draw(random);
    options.stale_sectors = seed % 2 == 0;
    sim_disk disk{random, options};
    disk.env().create_directories("a/b").value();
    disk.faults().set_rates({.write_error = 20'000, .sync_error = 100'000});
    const std::vector<std::string> paths{"a/x", "a/y", "a/b/x", "a/b/y"};
    for (int step = 0; step < 40; ++step) {
      auto& path = paths[random.below(paths.size())];
      auto& env = disk.env();
      switch (random.below(10)) {
      case 0:
        (void)env.rename(path, paths[random.below(paths.size())]);
        break;
      case 1:
        (void)env.remove_file(path);
        break;
      case 2:
        (void)env.sync_directory(parent_directory(path));
        break;
      case 3:
        (void)env.sync_directory(random.below(2) == 0 ? "a" : ".");
        break;
      default:
        if (auto file = env.open_file(path, open_mode::create); file.ok()) {
          auto size = (*file)->size().value();
          for (auto writes = random.below(3); writes > 0; --writes) {
            auto position = random.below(size + 2000);
            (void)(*file)->write_at(position,
                                    as_bytes(std::string(random.below(3000), static_cast<char>(step))));
          }
          if (random.below(8) == 0) (void)(*file)->truncate(random.below(size + 500));
          if (random.below(2) == 0) (void)(*file)->sync();
        }
      }
    }
    std::map<std::string, std::pair<uint64_t, std::string>> before;
    std::map<std::string, std::vector<bool>> blocks;
    for (auto& path : paths)
      if (disk.env().exists(path)) {
        before[path] = {disk.durable_prefix(path), content(disk.env(), path)};
        for (size_t at = 0; at < before[path].second.size(); at += 100)
          blocks[path].push_back(disk.is_durable(path, at, std::min(at + 100, before[path].second.size())));
      }
    disk.crash(crash_kind::power);
    lost += disk.last_crash_lost();
    for (auto& [path, known] : before) {
      auto& [prefix, text] = known;
      vouched += prefix;
      INFO("seed " << seed << " " << path << " durable prefix " << prefix);
      auto after = content(disk.env(), path);
      REQUIRE(after.size() >= prefix);
      REQUIRE(after.compare(0, prefix, text, 0, prefix) == 0);
      for (size_t i = 0; i < blocks[path].size(); ++i)
        if (blocks[path][i]) {
          auto count = std::min<size_t>(100, text.size() - i * 100);
          REQUIRE(after.size() >= i * 100 + count);
          REQUIRE(after.compare(i * 100, count, text, i * 100, count) == 0);
        }
    }
  }
  CHECK(vouched > 100'000);
  CHECK(lost > 1000);
}

TEST_CASE("sim_disk: a strict disk may forget a synced file's name, an ordered one does not",
          "[simulations][disk]") {
  for (bool strict : {true, false}) {
    int gone = 0;
    for (uint64_t seed = 1; seed <= 100; ++seed) {
      seeded_random random{seed};
      sim_disk disk{random, {.strict_names = strict}};
      auto file = disk.env().open_file("f", open_mode::create).value();
      file->write_at(0, as_bytes("data")).value();
      file->sync().value();
      CHECK(disk.durable_prefix("f") == (strict ? 0 : 4));
      disk.crash(crash_kind::power);
      if (!disk.env().exists("f")) {
        ++gone;
      } else {
        CHECK(content(disk.env(), "f") == "data");
      }
    }
    CHECK((gone > 0) == strict);
  }
}

TEST_CASE("sim_disk: names without a durable directory above them are not durable", "[simulations][disk]") {
  seeded_random random{3};
  sim_disk disk{random};
  disk.env().create_directories("a/b").value();
  auto file = durable_file(disk.env(), "a/b/f");
  file->write_at(0, as_bytes("data")).value();
  file->sync().value();
  CHECK(disk.durable_prefix("a/b/f") == 0);
  disk.env().sync_directory("a").value();
  CHECK(disk.durable_prefix("a/b/f") == 0);
  disk.env().sync_directory(".").value();
  CHECK(disk.durable_prefix("a/b/f") == 4);
  disk.env().rename("a/b/f", "a/g").value();
  CHECK(disk.durable_prefix("a/g") == 0);
  disk.env().sync_directory("a").value();
  CHECK(disk.durable_prefix("a/g") == 4);
}

// failures S8, S6
TEST_CASE(
    "sim_disk: after a failed sync the data reads well, the next sync says ok, and a power cut takes it",
    "[simulations][disk]") {
  int gone = 0, there = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    seeded_random random{seed};
    sim_disk disk{random};
    disk.faults().inject({.operation = disk_operation::sync, .fault = disk_fault::error});
    auto file = durable_file(disk.env(), "f");
    file->write_at(0, as_bytes("first")).value();
    CHECK(file->sync().error().code == ec::storage_failed);
    CHECK(content(disk.env(), "f") == "first");
    file->write_at(5, as_bytes("second")).value();
    file->sync().value();
    auto prefix = disk.durable_prefix("f");
    CHECK((prefix == 0 || prefix == 11));
    disk.crash(crash_kind::power);
    auto left = content(disk.env(), "f");
    REQUIRE(left.size() == 11);
    CHECK(left.substr(5) == "second");
    CHECK((left.substr(0, 5) == "first") == (prefix == 11));
    (prefix == 11 ? there : gone) += 1;
  }
  CHECK(gone > 0);
  CHECK(there > 0); // "failed" means unknown
}

TEST_CASE("sim_disk: a rule hits the seventh write and no other", "[simulations][disk]") {
  seeded_random random{4};
  sim_disk disk{random};
  auto fault = GENERATE(disk_fault::error, disk_fault::short_write, disk_fault::no_space);
  disk.faults().inject(
      {.operation = disk_operation::write, .fault = fault, .nth = 7, .path_contains = "target"});
  auto other = disk.env().open_file("other", open_mode::create).value();
  auto file = disk.env().open_file("target", open_mode::create).value();
  for (uint64_t i = 1; i <= 10; ++i) {
    other->write_at(0, as_bytes("x")).value();
    auto done = file->write_at(i * 100, as_bytes(std::string(100, 'x')));
    CHECK(done.ok() == (i != 7));
    if (!done.ok())
      CHECK(done.error().code == (fault == disk_fault::no_space ? ec::disk_full : ec::storage_failed));
    if (!done.ok()) CHECK(file->size().value() < (i + 1) * 100 + (fault == disk_fault::error ? 1 : 0));
  }
  CHECK(disk.faults().faults() == 1);
}

TEST_CASE("sim_disk: a full disk takes what fits, reads on, and takes more when something is removed",
          "[simulations][disk]") {
  seeded_random random{5};
  sim_disk disk{random, {.capacity_bytes = 10'000}};
  auto& env = disk.env();
  std::string text(4000, 'x');
  for (auto* path : {"a", "b"})
    env.open_file(path, open_mode::create).value()->write_at(0, as_bytes(text)).value();
  auto file = env.open_file("c", open_mode::create).value();
  auto refused = file->write_at(0, as_bytes(text));
  CHECK(refused.error().code == ec::disk_full);
  CHECK(file->size().value() == 2000);
  CHECK(env.space(".").value().free_bytes == 0);
  CHECK(file->write_at(0, as_bytes(std::string(2000, 'y'))).ok()); // overwriting takes no room
  auto held = env.open_file("a", open_mode::read).value();
  env.remove_file("a").value();
  CHECK(env.space(".").value().free_bytes == 0); // somebody still reads it
  held.reset();
  CHECK(env.space(".").value().free_bytes == 4000);
  file->write_at(0, as_bytes(text)).value();
  env.rename("b", "c").value();
  file.reset();
  CHECK(env.space(".").value().free_bytes == 6000);
  CHECK(disk.bytes_used() == 4000);
  env.open_file("c", open_mode::read_write).value()->truncate(1000).value();
  CHECK(env.space(".").value().free_bytes == 9000);
}

TEST_CASE("sim_disk: rot, lost and misdirected writes say nothing", "[simulations][disk]") {
  seeded_random random{6};
  sim_disk disk{random};
  auto file = durable_file(disk.env(), "f");
  std::string text(2048, 'x');
  file->write_at(0, as_bytes(text)).value();
  file->sync().value();
  auto is_one_bit_off = [&](const std::string& got) {
    int bits = 0;
    for (size_t i = 0; i < text.size(); ++i)
      bits += __builtin_popcount(static_cast<unsigned char>(got[i]) ^ static_cast<unsigned char>(text[i]));
    return bits == 1;
  };
  disk.faults().inject({.operation = disk_operation::read, .fault = disk_fault::flip_bit});
  CHECK(is_one_bit_off(content(disk.env(), "f")));
  CHECK(content(disk.env(), "f") == text); // it was the wire, not the platter
  disk.flip_bit("f", 777);
  CHECK(is_one_bit_off(content(disk.env(), "f")));
  disk.crash(crash_kind::power);
  CHECK(is_one_bit_off(content(disk.env(), "f")));
  disk.flip_bit("f", 777);

  file = disk.env().open_file("f", open_mode::read_write).value();
  disk.faults().inject({.operation = disk_operation::write, .fault = disk_fault::lost_write});
  file->write_at(0, as_bytes("new")).value();
  CHECK(content(disk.env(), "f") == text);
  bool elsewhere = false;
  for (int i = 0; i < 20 && !elsewhere; ++i) {
    disk.faults().inject({.operation = disk_operation::write, .fault = disk_fault::misdirected_write});
    file->write_at(100, as_bytes("new")).value();
    auto at = content(disk.env(), "f").find("new");
    elsewhere = at != std::string::npos && at % 512 == 0;
  }
  CHECK(elsewhere);
}

TEST_CASE("sim_disk: the power can go in the middle of any change", "[simulations][disk]") {
  auto work = [](storage_env& env) -> result<void> {
    PESSOA_CHECK(create_directories_durably(env, "d"));
    PESSOA_CHECK(replace_file(env, "d/f", as_bytes("old")));
    return replace_file(env, "d/f", as_bytes("new"));
  };
  seeded_random count{9};
  sim_disk whole{count};
  work(whole.env()).value();
  auto changes = whole.faults().changes();
  REQUIRE(changes > 8);
  std::set<std::string> outcomes;
  for (uint64_t nth = 1; nth <= changes; ++nth)
    for (uint64_t seed = 1; seed <= 60; ++seed) {
      seeded_random random{seed};
      sim_disk disk{random, sim_disk_options::draw(random)};
      disk.faults().cut_power_at(nth);
      REQUIRE_FALSE(work(disk.env()).ok());
      REQUIRE(disk.is_cut());
      REQUIRE_FALSE(disk.env().open_file("other", open_mode::create).ok());
      disk.crash(crash_kind::power);
      CHECK(disk.counters().after_death == 0);
      outcomes.insert(disk.env().exists("d/f") ? content(disk.env(), "d/f") : "none");
    }
  CHECK(outcomes == std::set<std::string>{"new", "none", "old"}); // never half of one
}

TEST_CASE("sim_disk: a removed tree is gone for good once each directory above it is durable",
          "[simulations][disk]") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    seeded_random random{seed};
    sim_disk disk{random};
    auto& env = disk.env();
    create_directories_durably(env, "top/a-directory-with-a-long-name").value();
    for (int i = 0; i < 5; ++i)
      durable_file(env, "top/a-directory-with-a-long-name/and-a-file-with-a-long-name-" + std::to_string(i));
    env.remove_tree("top").value();
    env.sync_directory(".").value();
    disk.crash(crash_kind::power);
    CHECK(disk.env().list_directory(".").value().empty());
  }
}

TEST_CASE("sim_disk: the dead touch nothing, and their attempts are counted", "[simulations][disk]") {
  seeded_random random{10};
  sim_disk disk{random};
  auto& old = disk.env();
  auto file = durable_file(old, "f");
  file->write_at(0, as_bytes("x")).value();
  auto lock = old.lock_exclusively("lock").value();
  disk.crash(crash_kind::kill);
  CHECK(disk.counters().after_death == 0);
  CHECK_FALSE(file->write_at(0, as_bytes("y")).ok());
  CHECK_FALSE(file->sync().ok());
  CHECK_FALSE(file->truncate(0).ok());
  uint8_t byte = 0;
  CHECK_FALSE(file->read_at(0, &byte, 1).ok());
  CHECK_FALSE(old.open_file("f", open_mode::read).ok());
  CHECK_FALSE(old.rename("f", "g").ok());
  CHECK_FALSE(old.remove_file("f").ok());
  CHECK_FALSE(old.sync_directory(".").ok());
  CHECK(disk.counters().after_death == 8);
  auto held = disk.env().lock_exclusively("lock").value();
  lock.reset(); // the dead one's lock is not the living one's
  CHECK_FALSE(disk.env().lock_exclusively("lock").ok());
  file.reset();
  CHECK(content(disk.env(), "f") == "x");
}

TEST_CASE("sim_disk: many small writes and syncs cost no more on a large file", "[simulations][disk]") {
  seeded_random random{11};
  sim_disk disk{random};
  auto file = durable_file(disk.env(), "f");
  std::string block(1 << 20, 'x');
  for (uint64_t i = 0; i < 64; ++i)
    file->write_at(i << 20, as_bytes(block)).value();
  file->sync().value();
  // 200,000 rounds over 64 MiB: a copy of the file in any of them would take hours, not fractions of a
  // second.
  for (uint64_t i = 0; i < 200'000; ++i) {
    file->write_at((64 << 20) + i * 10, as_bytes("0123456789")).value();
    if (i % 4 == 0) file->sync().value();
    if (i % 16 == 0) REQUIRE(disk.durable_prefix("f") == (64 << 20) + i * 10 + 10);
  }
  file->sync().value();
  CHECK(disk.durable_prefix("f") == (64 << 20) + 2'000'000);
}
