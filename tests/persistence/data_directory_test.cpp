#include "persistence/data_directory.hpp"

#include "schema/seams/random.hpp"
#include "simulations/disk/sim_disk.hpp"
#include "tests/support/temporary_directory.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace pessoa;
using namespace pessoa::persistence;
using namespace pessoa::sim;

namespace {

directory_identity some_identity(uint64_t seed = 1, int32_t node = 3) {
  seeded_random random{seed};
  return directory_identity::draw(cluster_id{draw_uuid(random)}, node_id{node}, random);
}

partition_key some_partition(uint64_t seed, int32_t index) {
  seeded_random random{seed + 100};
  return {topic_id{draw_uuid(random)}, partition_id{index}};
}

std::unique_ptr<data_directory> open_ok(storage_env& env, const std::string& path,
                                        data_directory_options options = {}) {
  auto opened = data_directory::open(env, path, options);
  if (!opened.ok()) FAIL(to_string(opened.error()));
  return std::move(*opened);
}

// Every path below `path` with its content.
std::map<std::string, std::string> picture(storage_env& env, const std::string& path) {
  std::map<std::string, std::string> all;
  auto names = env.list_directory(path).value();
  for (auto& name : names) {
    auto below = path + "/" + name;
    if (env.list_directory(below).ok()) {
      all[below + "/"];
      all.merge(picture(env, below));
    } else {
      all[below] = as_text(read_whole_file(env, below, 1 << 20).value());
    }
  }
  return all;
}

void directory_contract(storage_env& env, const std::string& path) {
  auto identity = some_identity();

  SECTION("a first start makes a directory, and later starts know it") {
    CHECK(data_directory::inspect(env, path).value() == directory_kind::missing);
    {
      auto directory = open_ok(env, path);
      CHECK(directory->is_fresh());
      CHECK(directory->was_clean_stop());
      CHECK(data_directory::inspect(env, path).value() == directory_kind::fresh);
      directory->initialise(identity).value();
      directory->begin_writing().value();
      CHECK_FALSE(directory->is_fresh());
      CHECK(
          env.list_directory(path).value()
          == std::vector<std::string>{"identity", "journal", "metadata", "pessoa.lock", "tables", "topics"});
    }
    CHECK(data_directory::inspect(env, path).value() == directory_kind::known);
    auto directory = open_ok(env, path, {.expected_cluster = identity.cluster});
    CHECK_FALSE(directory->is_fresh());
    CHECK(directory->identity() == identity);
    CHECK_FALSE(directory->was_clean_stop());
  }
  SECTION("the clean-stop mark holds until the next life begins to write") {
    {
      auto directory = open_ok(env, path);
      directory->initialise(identity).value();
      directory->begin_writing().value();
      directory->mark_clean_stop().value();
    }
    for (int look = 0; look < 2; ++look)
      CHECK(open_ok(env, path)->was_clean_stop());
    open_ok(env, path)->begin_writing().value();
    CHECK_FALSE(open_ok(env, path)->was_clean_stop());
  }
  SECTION("a mark that is damaged, or of another directory, is none") {
    auto directory = open_ok(env, path);
    directory->initialise(identity).value();
    auto other = GENERATE(std::string{}, std::string{"clean"}, clean_stop_mark(some_identity(9).directory),
                          std::string(identity_bytes_max + 1, 'x'));
    directory.reset();
    replace_file(env, path + "/clean-stop", as_bytes(other)).value();
    directory = open_ok(env, path);
    CHECK_FALSE(directory->was_clean_stop());
    directory->begin_writing().value();
    CHECK_FALSE(env.exists(path + "/clean-stop"));
  }
  SECTION("one opener has it, until it lets go") {
    auto directory = open_ok(env, path);
    auto second = data_directory::open(env, path);
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().code == ec::directory_in_use);
    CHECK(second.error().message.find(path) != std::string::npos);
    directory.reset();
    CHECK(open_ok(env, path)->is_fresh());
  }
  SECTION("a directory that is not ours is refused and not touched") {
    env.create_directories(path + "/photos").value();
    auto before = picture(env, path);
    auto opened = data_directory::open(env, path);
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().code == ec::directory_foreign);
    CHECK(opened.error().message.find("'photos'") != std::string::npos);
    CHECK(picture(env, path) == before);
  }
  SECTION("a file in its place is refused") {
    env.create_directories(parent_directory(path)).value();
    env.open_file(path, open_mode::create).value();
    CHECK_FALSE(data_directory::open(env, path).ok());
  }
  SECTION("an empty disk of its own may hold lost+found") {
    env.create_directories(path + "/lost+found").value();
    CHECK(open_ok(env, path)->is_fresh());
  }
  SECTION("a directory of another cluster, a damaged one and a newer one are not touched") {
    {
      auto directory = open_ok(env, path);
      directory->initialise(identity).value();
      directory->begin_writing().value();
      directory->mark_clean_stop().value();
    }
    auto expected = ec::directory_foreign;
    data_directory_options options{.expected_cluster = some_identity(2).cluster};
    SECTION("another cluster") {}
    SECTION("damaged") {
      auto text = identity.encode();
      text[30] ^= 1;
      replace_file(env, path + "/identity", as_bytes(text)).value();
      expected = ec::corrupt_data;
    }
    SECTION("newer") {
      replace_file(env, path + "/identity", as_bytes("pessoa-directory 2\nall is new\n")).value();
      expected = ec::unsupported_version;
    }
    SECTION("the identity is gone") { env.remove_file(path + "/identity").value(); }
    auto before = picture(env, path);
    auto opened = data_directory::open(env, path, options);
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().code == expected);
    CHECK(opened.error().message.find(path) != std::string::npos);
    CHECK(picture(env, path) == before);
  }
  SECTION("partitions are made, listed and deleted, and strange names are left alone") {
    auto directory = open_ok(env, path);
    directory->initialise(identity).value();
    CHECK(directory->partitions().value().partitions.empty());
    directory->begin_writing().value();
    std::set<partition_key> keys;
    for (uint64_t i = 0; i < 12; ++i)
      keys.insert(some_partition(i / 4, static_cast<int32_t>(i % 4) * 7));
    for (auto& key : keys) {
      CHECK(directory->create_partition(key).value() == directory->partition_path(key));
      CHECK(directory->create_partition(key).ok());
    }
    auto first = *keys.begin();
    auto strange = to_string(first.topic) + "-007";
    env.create_directories(path + "/topics/" + strange).value();
    env.create_directories(path + "/topics/x").value();
    auto list = directory->partitions().value();
    CHECK(list.partitions == std::vector<partition_key>{keys.begin(), keys.end()});
    CHECK(std::set<std::string>{list.unknown.begin(), list.unknown.end()}
          == std::set<std::string>{strange, "x"});

    for (int round = 0; round < 3; ++round) { // comes back and goes again before the bytes are freed
      auto file = env.open_file(directory->partition_path(first) + "/segment", open_mode::create).value();
      file->write_at(0, as_bytes("data")).value();
      directory->delete_partition(first).value();
      directory->delete_partition(first).value();
      CHECK_FALSE(env.exists(directory->partition_path(first)));
      CHECK(directory->partitions().value().partitions.size() == keys.size() - 1);
      if (round < 2) directory->create_partition(first).value();
    }
    CHECK(directory->finish_deletions().value()
          == 0); // the second deletion had freed what the first one left
    directory->create_partition(first).value();
    directory->delete_partition(first).value();
    CHECK(directory->finish_deletions().value() == 1);
    CHECK(directory->finish_deletions().value() == 0);
  }
  SECTION("what a crash left is cleared away, and nothing else") {
    auto directory = open_ok(env, path);
    directory->initialise(identity).value();
    directory->begin_writing().value();
    auto kept = directory->create_partition(some_partition(1, 0)).value();
    env.open_file(kept + "/x.tmp", open_mode::create).value(); // the log's own business
    env.create_directories(path + "/topics/deleted-something/inside").value();
    env.create_directories(path + "/tables/offsets.tmp").value();
    for (auto* name : {"/clean-stop.tmp", "/identity.tmp", "/topics/y.tmp", "/keep"})
      env.open_file(path + name, open_mode::create).value();
    directory.reset();
    auto opened = open_ok(env, path);
    CHECK(env.exists(path + "/identity.tmp")); // opening changes nothing
    opened->begin_writing().value();
    for (auto* gone : {"/clean-stop.tmp", "/identity.tmp", "/topics/y.tmp", "/topics/deleted-something",
                       "/tables/offsets.tmp"})
      CHECK_FALSE(env.exists(path + gone));
    CHECK(env.exists(path + "/keep"));
    CHECK(env.exists(kept + "/x.tmp"));
  }
}

} // namespace

TEST_CASE("data_directory: it works on the real disk", "[persistence][data_directory]") {
  tests::temporary_directory directory;
  auto env = make_posix_storage_env();
  directory_contract(*env, directory.path() + "/some/where/data");
}

TEST_CASE("data_directory: it works on the simulated disk", "[persistence][data_directory]") {
  seeded_random random{1};
  sim_disk disk{random};
  directory_contract(disk.env(), "some/where/data");
}

TEST_CASE("data_directory: an identity is read back, and no changed byte of it is believed",
          "[persistence][data_directory]") {
  auto identity = some_identity(5, 2147483647);
  auto text = identity.encode();
  CHECK(directory_identity::decode(as_bytes(text)).value() == identity);
  for (size_t i = 0; i < text.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      auto damaged = text;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      INFO(damaged);
      CHECK_FALSE(directory_identity::decode(as_bytes(damaged)).ok());
    }
  for (size_t size = 0; size < text.size(); ++size)
    CHECK(directory_identity::decode(as_bytes(text).subspan(0, size)).error().code == ec::corrupt_data);
  CHECK_FALSE(directory_identity::decode(as_bytes(text + "\n")).ok());
  // The examples of docs/formats/data-directory.md.
  CHECK(some_identity().encode()
        == "pessoa-directory 1\ncluster xRDHD22vQrOqTDZHllU7hQ\ndirectory FEUqCFaXSJKno2bCexwuZA\nnode "
           "3\ncrc 0aade608\n");
  CHECK(clean_stop_mark(some_identity().directory)
        == "pessoa-clean-stop 1\ndirectory FEUqCFaXSJKno2bCexwuZA\ncrc 9a1ebc44\n");
  CHECK(directory_identity::decode(as_bytes("pessoa-directory 2\n")).error().code == ec::unsupported_version);
}

TEST_CASE("data_directory: a nearly full disk is told with its figures, and a full one still starts",
          "[persistence][data_directory]") {
  seeded_random random{1};
  sim_disk disk{random, {.capacity_bytes = 300 << 20}};
  auto identity = some_identity();
  auto partition = some_partition(1, 0);
  {
    auto directory = open_ok(disk.env(), "data");
    directory->initialise(identity).value();
    directory->begin_writing().value();
    directory->create_partition(partition).value();
    CHECK(directory->check_space(100 << 20).ok());
    auto refused = directory->check_space(200 << 20);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ec::disk_full);
    CHECK(refused.error().message.find("299 MiB free of 300 MiB, 128 MiB are kept back")
          != std::string::npos);
    directory->mark_clean_stop().value();
  }
  disk.set_capacity(disk.bytes_used());
  auto directory = open_ok(disk.env(), "data");
  CHECK(directory->was_clean_stop());
  directory->begin_writing().value();
  CHECK(directory->check_space(0).ok());
  CHECK(directory->check_space(1).error().code == ec::disk_full);
  CHECK(directory->partitions().value().partitions.size() == 1);
  directory->delete_partition(partition).value();
  CHECK(directory->finish_deletions().value() == 1);
  // The mark's own room was freed by begin_writing(), and the end finds it again.
  CHECK(directory->mark_clean_stop().ok());
}

TEST_CASE("data_directory: a first start can die at any moment and be done again",
          "[persistence][data_directory][crash]") {
  auto identity = some_identity();
  std::set<directory_kind> seen;
  for (uint64_t nth = 1; nth <= 12; ++nth)
    for (uint64_t seed = 1; seed <= 60; ++seed) {
      INFO("change " << nth << " seed " << seed);
      seeded_random random{seed};
      sim_disk disk{random, sim_disk_options::draw(random)};
      disk.faults().cut_power_at(nth);
      bool initialised = false;
      if (auto directory = data_directory::open(disk.env(), "a/data"); directory.ok()) {
        initialised = (*directory)->initialise(identity).ok();
        if (initialised) (void)(*directory)->begin_writing();
      }
      disk.faults().clear();
      disk.crash(random.below(4) == 0 ? crash_kind::kill : crash_kind::power);
      auto kind = data_directory::inspect(disk.env(), "a/data").value();
      seen.insert(kind);
      if (initialised) REQUIRE(kind == directory_kind::known);
      auto directory = open_ok(disk.env(), "a/data");
      if (directory->is_fresh()) directory->initialise(identity).value();
      REQUIRE(directory->identity() == identity);
      REQUIRE((kind == directory_kind::known) == !directory->was_clean_stop());
      directory->begin_writing().value();
      directory->create_partition(some_partition(1, 1)).value();
    }
  CHECK(seen.size() == 3);
}

// failures R20: the mark must never outlive a write, and must be there after a clean stop
TEST_CASE("data_directory: lives that end at any moment never look clean, and clean ones do",
          "[persistence][data_directory][crash]") {
  auto identity = some_identity();
  int clean_lives = 0, cut_lives = 0;
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    INFO("seed " << seed);
    seeded_random random{seed};
    sim_disk disk{random, sim_disk_options::draw(random)};
    {
      auto directory = open_ok(disk.env(), "data");
      directory->initialise(identity).value();
    }
    std::set<partition_key> there, unsure; // what must be there, and what was being made or deleted
    bool was_clean = false, maybe_clean = false;
    for (int life = 0; life < 8; ++life) {
      auto directory = open_ok(disk.env(), "data");
      REQUIRE(directory->identity() == identity);
      if (!maybe_clean) REQUIRE(directory->was_clean_stop() == was_clean);
      auto list = directory->partitions().value();
      std::set<partition_key> found{list.partitions.begin(), list.partitions.end()};
      REQUIRE(list.unknown.empty());
      for (auto& key : there)
        REQUIRE((found.count(key) || unsure.count(key)));
      for (auto& key : found)
        REQUIRE((there.count(key) || unsure.count(key)));
      there = found;
      maybe_clean = false;
      bool looked_clean = directory->was_clean_stop();

      if (random.below(2) == 0) disk.faults().cut_power_at(1 + random.below(30));
      was_clean = false;
      auto begun = directory->begin_writing();
      if (begun.ok())
        unsure.clear(); // what was seen stays from now on; before, a power cut may still take it
      // Until begin_writing() has returned, nothing else was written, so the mark may stay.
      maybe_clean = looked_clean && !begun.ok();
      for (auto steps = random.below(10); begun.ok() && steps > 0 && !disk.is_cut(); --steps) {
        auto which = random.below(8);
        auto key = some_partition(which / 4, static_cast<int32_t>(which % 4));
        unsure.insert(key);
        if (random.below(2) == 0) {
          if (!directory->create_partition(key).ok()) break;
          there.insert(key);
        } else {
          if (!directory->delete_partition(key).ok()) break;
          there.erase(key);
        }
        unsure.erase(key);
        if (random.below(4) == 0 && !directory->finish_deletions().ok()) break;
      }
      if (begun.ok() && random.below(2) == 0) {
        was_clean = directory->mark_clean_stop().ok();
        maybe_clean = !was_clean;
      }
      (was_clean ? clean_lives : cut_lives) += 1;
      directory.reset();
      disk.faults().clear();
      disk.crash(random.below(3) == 0 ? crash_kind::kill : crash_kind::power);
      REQUIRE(disk.counters().after_death == 0);
    }
  }
  CHECK(clean_lives > 2000);
  CHECK(cut_lives > 2000);
}

namespace {

// Each seed: a partition with four files is created, `die` leaves it somewhere in its deletion, and the power goes. It must be
// there whole, or be gone; both happen.
void check_deletion_is_whole(void (*die)(sim_disk&, std::unique_ptr<data_directory>&, const partition_key&,
                                         uint64_t seed)) {
  auto key = some_partition(1, 0);
  const std::vector<std::string> files{"a", "b", "c", "d"};
  int whole = 0, gone = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    seeded_random random{seed};
    sim_disk disk{random};
    auto directory = open_ok(disk.env(), "data");
    directory->initialise(some_identity()).value();
    directory->begin_writing().value();
    auto path = directory->create_partition(key).value();
    for (auto& name : files)
      disk.env().open_file(path + "/" + name, open_mode::create).value();
    disk.env().sync_directory(path).value();
    die(disk, directory, key, seed);
    directory.reset();
    disk.crash(crash_kind::power);
    auto left = disk.names_in(path);
    INFO("seed " << seed);
    REQUIRE((left.empty() || left == files));
    (left.empty() ? gone : whole)++;
  }
  CHECK(whole > 10);
  CHECK(gone > 10);
}

} // namespace

// Storage seeds 2047011, 2064001, 2082619: killed within a deletion, and then the power goes within the next start.
TEST_CASE("data_directory: a deleted partition comes back whole or not at all",
          "[persistence][data_directory]") {
  check_deletion_is_whole([](sim_disk& disk, auto& directory, const partition_key& key, uint64_t seed) {
    disk.faults().inject({.operation = disk_operation::sync_directory, .fault = disk_fault::power_cut});
    CHECK_FALSE(directory->delete_partition(key).ok());
    directory.reset();
    disk.crash(crash_kind::kill);
    directory = open_ok(disk.env(), "data");
    disk.faults().clear();
    disk.faults().cut_power_at(1 + seed % 12);
    (void)directory->begin_writing();
  });
}

TEST_CASE("data_directory: a deletion that is repeated frees nothing that could come back in part",
          "[persistence][data_directory]") {
  check_deletion_is_whole([](sim_disk& disk, auto& directory, const partition_key& key, uint64_t seed) {
    disk.faults().inject({.operation = disk_operation::sync_directory, .fault = disk_fault::error});
    CHECK_FALSE(directory->delete_partition(key).ok());
    disk.faults().clear();
    disk.faults().cut_power_at(1 + seed % 3);
    (void)directory->delete_partition(key);
  });
}
