// Tables under power cuts and kills at random moments: what was acknowledged is there, or the table says that
// it is not.
#include "persistence/table.hpp"

#include "simulations/disk/sim_disk.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::persistence;
using namespace pessoa::sim;

namespace {

// The log that the table is folded from: batch n changes a few keys, the same way each time.
table_batch batch_of(int64_t n) {
  seeded_random random{static_cast<uint64_t>(n) + 1000};
  table_batch batch;
  for (int i = 0; i < 4; ++i) {
    auto key = "k" + std::to_string(random.below(60));
    if (random.below(4) == 0) {
      batch.remove(key);
    } else {
      batch.put(key, std::to_string(n) + std::string(random.below(400), 'v'));
    }
  }
  return batch;
}

// The heads that a table has after each batch, computed on a disk that never fails.
const std::vector<table_head>& true_heads(int64_t end) {
  static std::vector<table_head> heads;
  if (heads.empty()) {
    seeded_random random{1};
    sim_disk disk{random};
    auto store = table::open(disk.env(), "table").value().store;
    for (int64_t n = 0; n < end; ++n) {
      store->write(batch_of(n), n, table_sync::later).value();
      heads.push_back(store->head());
    }
  }
  return heads;
}

struct tally {
  int lives = 0, rebuilt = 0, begun_anew = 0, went_back = 0, ended = 0;
};

void live_through(uint64_t seed, tally& seen, table_sync sync) {
  constexpr int64_t log_end = 1200;
  auto& heads = true_heads(log_end);
  seeded_random random{seed};
  sim_disk disk{random, sim_disk_options::draw(random)};
  table_options options{.write_buffer_bytes = size_t{16 << 10} << random.below(4), .file_bytes = 64 << 10};
  int64_t acknowledged = -1;
  bool clean = false;
  for (int life = 0; life < 6; ++life) {
    INFO("seed " << seed << " life " << life);
    ++seen.lives;
    // The power goes in the middle of some change, perhaps while opening; sometimes a sync or a write fails
    // before.
    if (random.below(5) > 0) disk.faults().cut_power_at(1 + random.below(random.below(2) == 0 ? 20 : 400));
    if (random.below(3) == 0) disk.faults().set_rates({.write_error = 2'000, .sync_error = 2'000});
    // A power cut after a failed sync takes what was acknowledged before it in no case.
    if (sync == table_sync::now && acknowledged >= 0) options.applied_at_least = acknowledged;
    auto opened = table::open(disk.env(), "table", options);
    if (opened.ok()) {
      auto& store = *opened->store;
      if (opened->rebuild) {
        (acknowledged >= 0 ? seen.rebuilt : seen.begun_anew) += 1;
        REQUIRE_FALSE(clean); // not without a reason
        REQUIRE_FALSE(store.applied());
        acknowledged = -1;
      }
      auto next = store.applied().value_or(-1) + 1;
      // A true state of one moment, never half of one; and with syncs no older than what was promised.
      if (next > 0) REQUIRE(store.head() == heads[static_cast<size_t>(next - 1)]);
      if (sync == table_sync::now) REQUIRE(next > acknowledged);
      seen.went_back += next <= acknowledged;
      acknowledged = next - 1;
      clean = false;
      auto goal = std::min<int64_t>(log_end, next + static_cast<int64_t>(random.below(150)));
      while (next < goal && store.write(batch_of(next), next, sync).ok())
        acknowledged = next++;
      seen.ended += store.failed().has_value();
      if (random.below(4) == 0) clean = store.close().ok();
    } else {
      REQUIRE(opened.error().code == ec::storage_failed);
      ++seen.ended;
    }
    if (opened.ok()) opened->store.reset();
    disk.faults().clear();
    disk.crash(random.below(3) == 0 ? crash_kind::kill : crash_kind::power);
    REQUIRE(disk.counters().after_death == 0);
  }
}

} // namespace

TEST_CASE("table: what was acknowledged survives any power cut, or the table says rebuild",
          "[persistence][table][crash]") {
  tally seen;
  for (uint64_t seed = 1; seed <= 600; ++seed)
    live_through(seed, seen, table_sync::now);
  CHECK(seen.ended > 500);
  CHECK(seen.rebuilt
        <= seen.lives / 200); // a rebuild is for damage: a torn sector in the last write, not for every crash
  CHECK(seen.begun_anew > 0); // the power went before the table was made
  CHECK(seen.went_back == 0);
}

TEST_CASE("table: without syncs it falls back to an earlier true state, or says rebuild",
          "[persistence][table][crash]") {
  tally seen;
  for (uint64_t seed = 1; seed <= 300; ++seed)
    live_through(seed, seen, table_sync::later);
  CHECK(seen.went_back > 0);
  CHECK(seen.rebuilt > 0);
}
