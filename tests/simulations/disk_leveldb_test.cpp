// What LevelDB 1.23 loses on a disk that lies, with the care its own environment takes and with ours.
#include "simulations/disk/sim_disk.hpp"

#include <catch2/catch.hpp>
#include <leveldb/db.h>

using namespace pessoa;
using namespace pessoa::persistence;
using namespace pessoa::sim;

namespace {

class database {
public:
  explicit database(storage_env& env, size_t write_buffer = 64 << 10) : env_(&env) {
    leveldb::Options options;
    options.env = &env;
    options.create_if_missing = true;
    options.write_buffer_size = write_buffer;
    leveldb::DB* raw = nullptr;
    status = leveldb::DB::Open(options, "db", &raw);
    db_.reset(raw);
    env.drain_scheduled();
  }
  ~database() { env_->drain_scheduled(); }

  // Without `drain` the background thread has not come to it yet: one full log may wait like that, not two.
  bool put(const std::string& key, bool drain = true) {
    leveldb::WriteOptions durable;
    durable.sync = true;
    auto done = db_->Put(durable, key, std::string(100, 'v'));
    if (drain) env_->drain_scheduled();
    return done.ok();
  }
  bool has(const std::string& key) {
    std::string value;
    return db_->Get({}, key, &value).ok();
  }
  int count(const std::string& prefix, int end) {
    int found = 0;
    for (int i = 0; db_ && i < end; ++i)
      found += has(prefix + std::to_string(i));
    return found;
  }

  leveldb::Status status;

private:
  storage_env* env_;
  std::unique_ptr<leveldb::DB> db_;
};

struct world {
  seeded_random random;
  sim_disk disk;

  world(uint64_t seed, leveldb_care care, bool strict = true)
      : random(seed), disk(random, {.strict_names = strict, .leveldb_care = care}) {
    create_directories_durably(disk.env(), "db").value();
  }
};

} // namespace

// failures S4
TEST_CASE("sim_disk: LevelDB loses synced puts with its new log's name, unless the directory is synced",
          "[simulations][disk]") {
  auto losses = [](leveldb_care care) {
    int lost = 0;
    for (uint64_t seed = 1; seed <= 40; ++seed) {
      world w{seed, care};
      int puts = 0;
      {
        database db{w.disk.env()};
        REQUIRE(db.status.ok());
        for (auto end = 450 + static_cast<int>(w.random.below(100)); puts < end;
             ++puts) // a new log after about 440
          REQUIRE(db.put("k" + std::to_string(puts), false));
        w.disk.crash(crash_kind::power);
      }
      database db{w.disk.env()};
      lost += !db.status.ok() || db.count("k", puts) < puts;
    }
    return lost;
  };
  CHECK(losses(leveldb_care::stock) > 0);
  CHECK(losses(leveldb_care::ours) == 0);
}

// failures S5
TEST_CASE("sim_disk: LevelDB's CURRENT can name a removed MANIFEST, unless its rename is made durable",
          "[simulations][disk]") {
  auto unopenable = [](leveldb_care care) {
    int failed = 0;
    for (uint64_t seed = 1; seed <= 100; ++seed) {
      world w{seed, care};
      { database{w.disk.env()}.put("first"); }
      w.disk.env().sync_directory("db").value();
      { database again{w.disk.env()}; } // a new MANIFEST, CURRENT renamed, the old one removed
      w.disk.crash(crash_kind::power);
      database db{w.disk.env()};
      failed += !db.status.ok() || !db.has("first");
    }
    return failed;
  };
  CHECK(unopenable(leveldb_care::stock) > 0);
  CHECK(unopenable(leveldb_care::ours) == 0);
}

// failures S1
TEST_CASE("sim_disk: LevelDB acknowledges behind a torn write, unless the file stays failed",
          "[simulations][disk]") {
  auto acknowledged_and_gone = [](leveldb_care care) {
    int gone = 0;
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      world w{seed, care};
      int acknowledged = 0;
      {
        database db{w.disk.env()};
        for (int i = 0; i < 10; ++i)
          REQUIRE(db.put("a" + std::to_string(i)));
        w.disk.faults().inject({.operation = disk_operation::write,
                                .fault = disk_fault::no_space,
                                .nth = 1,
                                .path_contains = ".log"});
        REQUIRE_FALSE(db.put("torn"));
        while (acknowledged < 10 && db.put("b" + std::to_string(acknowledged)))
          ++acknowledged;
      }
      w.disk.crash(crash_kind::kill);
      database db{w.disk.env()};
      CHECK(db.count("a", 10) == 10);
      gone += acknowledged - db.count("b", acknowledged);
    }
    return gone;
  };
  CHECK(acknowledged_and_gone(leveldb_care::stock) > 0);
  CHECK(acknowledged_and_gone(leveldb_care::ours) == 0);
}

// failures S6, S8: here LevelDB itself is careful: it refuses all writes after a failed sync. What "failed"
// meant stays open.
TEST_CASE("sim_disk: a put that failed in its sync may be there after the restart, or not",
          "[simulations][disk]") {
  auto care = GENERATE(leveldb_care::stock, leveldb_care::ours);
  int there = 0, gone = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    world w{seed, care};
    {
      database db{w.disk.env()};
      w.disk.env().sync_directory("db").value();
      REQUIRE(db.put("before"));
      w.disk.faults().inject(
          {.operation = disk_operation::sync, .fault = disk_fault::error, .path_contains = ".log"});
      REQUIRE_FALSE(db.put("unknown"));
      REQUIRE_FALSE(db.put("after"));
    }
    w.disk.crash(crash_kind::power);
    database db{w.disk.env()};
    REQUIRE(db.status.ok());
    CHECK(db.has("before"));
    CHECK_FALSE(db.has("after"));
    (db.has("unknown") ? there : gone) += 1;
  }
  CHECK(there > 0);
  CHECK(gone > 0);
}
