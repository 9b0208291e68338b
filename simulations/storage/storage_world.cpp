#include "simulations/storage/storage_world.hpp"

#include "simulations/storage/storage_life.hpp"

namespace pessoa::sim {

storage_outcome run_storage_seed(uint64_t seed) {
  storage_world world{seed};
  try {
    world.run();
  } catch (const check_failed& failed) {
    world.outcome.ok = false;
    world.outcome.check = failed.check;
    world.outcome.failure = failed.what;
  }
  world.outcome.virtual_seconds = std::chrono::duration<double>(world.time.now().time_since_epoch()).count();
  return world.outcome;
}

storage_world::storage_world(uint64_t seed)
    : random(seed), disk_random(seed ^ 0x6469736bull), schedule(seed ^ 0x7363686564ull),
      disk(disk_random, sim_disk_options::draw(disk_random)) {
  settings.journal_from_logs = 1 + random.below(5);
  settings.journal_bytes_max = 3000 + random.below(40'000);
  settings.reserve_bytes = 2000;
  log_options.segment_bytes = static_cast<int64_t>(400 + random.below(6000));
  log_options.index_interval_bytes = static_cast<int64_t>(64 + random.below(1500));
  log_options.producer_snapshot_bytes = 500 + random.below(5000);
  // Swarm: each kind of trouble is in some seeds only, and some seeds have none.
  with_errors = random.below(5) == 0;
  with_full_disk = random.below(5) == 0;
  with_flip = random.below(4) == 0;
  with_deletions = random.below(2) == 0;
  with_cuts_in_recovery = random.below(2) == 0;
  logs.resize(1 + random.below(6));
  for (size_t i = 0; i < logs.size(); ++i)
    logs[i].model.key = {topic_id{draw_uuid(random)}, partition_id{static_cast<int32_t>(i)}};
}

void storage_world::fail(const std::string& check, const std::string& what) const {
  throw check_failed{check, what};
}

void storage_world::note(uint64_t value) {
  outcome.trace = (outcome.trace ^ value) * 0x9e3779b97f4a7c15ull;
  outcome.trace ^= outcome.trace >> 29;
}

void storage_world::run() {
  start_first();
  auto lives = 2 + random.below(4);
  for (uint64_t life = 0; life < lives; ++life) {
    bool clean = live();
    if (!clean) die(random.below(3) == 0 ? crash_kind::kill : crash_kind::power);
    disk.faults().clear();
    disk.set_capacity(1ull << 40);
    if (with_flip && life + 1 == lives) {
      check_flipped();
      return;
    }
    restart();
  }
}

// One life: steps until it has lasted long enough, or the power goes. True after a clean stop.
bool storage_world::live() {
  auto steps = 20 + random.below(150);
  auto end = random.below(4); // how it ends: 0 a clean stop, 1 between two operations, else within one
  if (end >= 2) disk.faults().cut_power_at(1 + random.below(120));
  if (with_errors && random.below(2) == 0)
    disk.faults().set_rates({.write_error = static_cast<uint32_t>(random.below(15'000)),
                             .sync_error = static_cast<uint32_t>(random.below(15'000))});
  for (uint64_t i = 0; i < steps && !disk.is_cut(); ++i) {
    if (with_full_disk && random.below(15) == 0)
      disk.set_capacity(random.below(2) == 0 ? 1ull << 40 : disk.bytes_used() + random.below(8000));
    ++outcome.steps;
    time.pass(std::chrono::milliseconds{random.below(400)});
    if (!pool->idle() && random.below(3) != 0)
      pool->step();
    else
      act();
  }
  if (disk.is_cut() || end != 0) return false;
  return stop_cleanly();
}

void storage_world::act() {
  auto& log = logs[random.below(logs.size())];
  if (!log.log) {
    if (!log.open_failed && random.below(2) == 0) create(log);
    return;
  }
  if (log.busy) return;
  auto choice = random.below(100);
  if (choice < 82) return commit(log);
  if (log.log->failed()) return;
  if (choice < 86) return truncate(log);
  if (choice < 91) return remove_before(log);
  if (choice < 93 && with_deletions) return remove(log);
  if (choice < 95) return log.log->release_files();
  if (choice < 96) return read_back(log, false);
  if (auto refused = service->refusing()) note(1);
}

// A process dies: the disk first, so that whatever the rest still tries is seen.
void storage_world::die(crash_kind kind) {
  (kind == crash_kind::power ? outcome.power_losses : outcome.kills)++;
  disk.crash(kind);
  end_life();
}

void storage_world::end_life() {
  auto before = disk.counters().after_death;
  if (service) outcome.journal_rounds += service->counters().journal_syncs;
  for (auto& log : logs)
    if (log.log) outcome.segments += log.log->segment_count();
  pool->kill();
  service.reset();
  for (auto& log : logs) {
    if (log.busy) ++outcome.dropped;
    log.busy = false;
    log.log.reset();
    log.open_failed = false;
  }
  directory.reset();
  pool.reset();
  if (disk.counters().after_death != before)
    fail("no_io_after_death", std::to_string(disk.counters().after_death - before) + " operations");
}

bool storage_world::stop_cleanly() {
  for (int i = 0; i < 10'000 && !pool->idle() && !disk.is_cut(); ++i)
    pool->step();
  disk.faults().clear();
  for (auto& log : logs)
    if (log.log && log.log->failed()) return false; // nothing that failed ends cleanly
  if (!service->flush().ok()) return false;
  for (auto& log : logs) {
    if (log.open_failed) return false;
    if (!log.log) continue;
    if (!service->detach(*log.log).ok() || !log.log->checkpoint().ok()) return false;
    log.log->release_files();
    if (log.log->durable_end() != log.log->log_end()) fail("a_checkpoint_is_durable", name(log));
  }
  for (auto& log : logs) // all of it is durable now, asked for or not
    if (log.log) log.model.acked_end = log.model.end();
  if (!directory->mark_clean_stop().ok()) return false;
  ++outcome.clean_stops;
  disk.crash(random.below(2) == 0 ? crash_kind::kill : crash_kind::power);
  end_life();
  return true;
}

} // namespace pessoa::sim
