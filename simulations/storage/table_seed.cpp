#include "simulations/storage/table_seed.hpp"

#include "simulations/disk/sim_disk.hpp"
#include "simulations/storage/storage_life.hpp"

#include <algorithm>
#include <map>
#include <vector>

namespace pessoa::sim {

using namespace pessoa::persistence;

namespace {

constexpr int64_t log_end = 1200;

// The log that the table is folded from: batch n changes a few keys, the same way each time.
table_batch batch_of(int64_t n) {
  seeded_random random{static_cast<uint64_t>(n) + 1000};
  table_batch batch;
  for (int i = 0; i < 4; ++i) {
    auto key = "k" + std::to_string(random.below(60));
    if (random.below(4) == 0) {
      batch.remove(key);
    } else {
      auto size = random.below(400);
      batch.put(key, std::to_string(n) + std::string(size, 'v'));
    }
  }
  return batch;
}

// The heads that a table has after each batch, on a disk that never fails.
const std::vector<table_head>& true_heads() {
  static const std::vector<table_head> heads = [] {
    std::vector<table_head> made;
    seeded_random random{1};
    sim_disk disk{random};
    auto store = table::open(disk.env(), "table").value().store;
    for (int64_t n = 0; n < log_end; ++n) {
      store->write(batch_of(n), n, table_sync::later).value();
      made.push_back(store->head());
    }
    return made;
  }();
  return heads;
}

class table_life {
public:
  table_life(uint64_t seed, table_sync sync, bool rot, table_outcome& seen)
      : random_(seed), disk_(random_, sim_disk_options::draw(random_)), sync_(sync), rot_(rot), seen_(seen) {
    options_.write_buffer_bytes = size_t{16 << 10} << random_.below(4);
    options_.file_bytes = 64 << 10;
  }
  void run() {
    for (int life = 0; life < 6; ++life) {
      ++seen_.lives;
      trouble();
      live();
      die();
    }
  }

private:
  // The power goes in the middle of some change, perhaps while opening; sometimes a sync or a write fails before.
  void trouble() {
    if (random_.below(5) > 0) {
      auto within = random_.below(2) == 0 ? 20u : 400u;
      disk_.faults().cut_power_at(1 + random_.below(within));
    }
    if (random_.below(3) == 0) disk_.faults().set_rates({.write_error = 2'000, .sync_error = 2'000});
  }

  void live() {
    // A power cut after a failed sync takes what was acknowledged before it in no case.
    options_.applied_at_least.reset(); // what was thrown away is not known of any more
    if (sync_ == table_sync::now && acknowledged_ >= 0) options_.applied_at_least = acknowledged_;
    auto opened = table::open(disk_.env(), "table", options_);
    if (!opened.ok()) {
      if (opened.error().code != ec::storage_failed)
        throw check_failed{"a_table_opens", to_string(opened.error())};
      ++seen_.ended;
      return;
    }
    auto& store = *opened->store;
    if (opened->rebuild) {
      (acknowledged_ >= 0 ? seen_.rebuilt : seen_.begun_anew) += 1;
      if (clean_ && !flipped_)
        throw check_failed{"a_table_goes_for_a_reason", "it was closed, and then: " + *opened->rebuild};
      if (store.applied())
        throw check_failed{"a_table_goes_for_a_reason", "what was thrown away is still there"};
      acknowledged_ = -1;
    }
    auto next = store.applied().value_or(-1) + 1;
    note(static_cast<uint64_t>(next));
    // A true state of one moment, never half of one; and with syncs no older than what was promised.
    if (next > 0 && store.head() != true_heads()[static_cast<size_t>(next - 1)])
      throw check_failed{"a_table_is_true", "at " + std::to_string(next - 1)
                                                + " it has something else than was written up to there"};
    if (sync_ == table_sync::now && next <= acknowledged_)
      throw check_failed{"a_table_keeps_what_was_synced", "it goes on at " + std::to_string(next)
                                                              + ", acknowledged was "
                                                              + std::to_string(acknowledged_)};
    read(store, next);
    seen_.went_back += next <= acknowledged_;
    acknowledged_ = next - 1;
    clean_ = flipped_ = false;
    auto goal = std::min<int64_t>(log_end, next + static_cast<int64_t>(random_.below(150)));
    while (next < goal && store.write(batch_of(next), next, sync_).ok()) {
      acknowledged_ = next++;
      ++seen_.written;
    }
    seen_.ended += store.failed().has_value();
    if (random_.below(4) == 0) clean_ = store.close().ok();
  }

  // What is read is what the digest vouches for.
  void read(table& store, int64_t next) {
    table_head counted;
    auto done = store.scan("", [&](std::string_view key, std::string_view value) {
      counted.add(as_bytes(key), as_bytes(value));
      return true;
    });
    if (!done.ok() || next == 0) return; // it ends with its first failed read
    counted.applied = next - 1;
    if (counted != true_heads()[static_cast<size_t>(next - 1)])
      throw check_failed{"a_table_is_true",
                         "at " + std::to_string(next - 1) + " it is read with something else"};
  }

  void die() {
    disk_.faults().clear();
    bool killed = random_.below(3) == 0;
    ++(killed ? seen_.kills : seen_.power_losses);
    disk_.crash(killed ? crash_kind::kill : crash_kind::power);
    if (disk_.counters().after_death > 0)
      throw check_failed{"no_io_after_death", std::to_string(disk_.counters().after_death) + " operations"};
    if (rot_ && random_.below(4) == 0) flip();
  }

  void flip() {
    auto names = disk_.names_in("table");
    if (names.empty()) return;
    auto path = "table/" + names[random_.below(names.size())];
    auto bytes = disk_.content(path);
    if (!bytes || bytes->empty()) return;
    disk_.flip_bit(path, random_.below(bytes->size() * 8));
    flipped_ = true;
    ++seen_.flips;
  }

  void note(uint64_t value) {
    seen_.trace = (seen_.trace ^ value) * 0x9e3779b97f4a7c15ull;
    seen_.trace ^= seen_.trace >> 29;
  }

  seeded_random random_;
  sim_disk disk_;
  table_sync sync_;
  bool rot_;
  table_outcome& seen_;
  table_options options_;
  int64_t acknowledged_ = -1;
  bool clean_ = false, flipped_ = false;
};

} // namespace

table_outcome run_table_seed(uint64_t seed, table_sync sync, bool rot) {
  table_outcome seen;
  try {
    table_life{seed, sync, rot, seen}.run();
  } catch (const check_failed& failed) {
    seen.ok = false;
    seen.check = failed.check;
    seen.failure = failed.what;
  }
  return seen;
}

} // namespace pessoa::sim
