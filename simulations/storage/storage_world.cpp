#include "simulations/storage/storage_world.hpp"

#include "simulations/storage/storage_life.hpp"

namespace pessoa::sim {

namespace {

habit draw_habit(random_source& random) {
  auto drawn = random.below(16);
  if (drawn < 4) return habit::restless;
  if (drawn < 6) return habit::full_starts;
  if (drawn < 9) return habit::equal_batches;
  return drawn < 12 ? habit::rotten_ends : habit::none;
}

sim_disk_options draw_disk(random_source& random, habit manner) {
  auto options = sim_disk_options::draw(random);
  options.stale_sectors = manner == habit::equal_batches;
  return options;
}

} // namespace

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
      habits(seed ^ 0x6861626974ull), lookups(seed ^ 0x6c6f6f6bull), manner(draw_habit(habits)),
      disk(disk_random, draw_disk(disk_random, manner)) {
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
  if (manner == habit::restless) {
    with_deletions = with_cuts_in_recovery = true;
    logs.resize(1 + habits.below(3));
  }
  if (manner == habit::equal_batches) {
    logs.resize(1 + habits.below(2));
    settings.journal_from_logs = habits.below(2) == 0 ? 1 : logs.size() + 1; // always, or never
  }
  if (manner == habit::full_starts) with_errors = with_full_disk = true;
  if (manner == habit::rotten_ends) {
    with_flip = true;
    logs.resize(1 + habits.below(2));
  }
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
  if (manner == habit::restless) lives = 6 + habits.below(10);
  if (manner == habit::equal_batches) lives = 6 + habits.below(30);
  if (manner == habit::rotten_ends) lives = 1 + habits.below(2);
  for (uint64_t life = 0; life < lives; ++life) {
    bool last = with_flip && life + 1 == lives;
    if (last) break_an_index();
    bool clean = manner == habit::restless ? live_restlessly() : live();
    if (last && !clean) cut_at_last();
    if (manner == habit::full_starts) remove_at_last();
    if (!clean) die(draw_crash());
    disk.faults().clear();
    disk.set_capacity(no_limit);
    if (with_flip && life + 1 == lives) {
      check_flipped();
      return;
    }
    // Two days: by its appends alone each producer is too old then, or not born.
    if (lookups.below(8) == 0) time.jump_wall((lookups.below(2) == 0 ? 2 : -2) * int64_t{86'400'000});
    restart();
    for (auto& log : logs)
      if (log.log) look_up(log);
  }
}

// One life: steps until it has lasted long enough, or the power goes. True after a clean stop.
bool storage_world::live() {
  bool is_short = manner == habit::equal_batches || manner == habit::rotten_ends;
  auto steps = is_short ? 3 + habits.below(15) : 20 + random.below(150);
  auto end = random.below(4); // how it ends: 0 a clean stop, 1 between two operations, else within one
  if (manner == habit::rotten_ends && habits.below(3) == 0) end = 0;
  if (end >= 2) disk.faults().cut_power_at(1 + random.below(120));
  if (end >= 1 && manner == habit::equal_batches) // while as much as possible is neither here nor there
    disk.faults().inject(
        {.operation = disk_operation::sync,
         .fault = disk_fault::power_cut,
         .nth = 1 + habits.below(4),
         .path_contains = settings.journal_from_logs == 1 && habits.below(2) == 0 ? ".journal" : ".log"});
  if (with_errors && random.below(2) == 0)
    disk.faults().set_rates({.write_error = static_cast<uint32_t>(random.below(15'000)),
                             .sync_error = static_cast<uint32_t>(random.below(15'000))});
  for (uint64_t i = 0; i < steps && !disk.is_cut(); ++i) {
    if (with_full_disk && random.below(manner == habit::full_starts ? 60 : 15) == 0)
      disk.set_capacity(random.below(2) == 0 ? no_limit : disk.bytes_used() + random.below(8000));
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

// A few steps, and then, but for clean stops, a change that is cut short soon after it has begun.
bool storage_world::live_restlessly() {
  auto steps = 2 + habits.below(25);
  for (uint64_t i = 0; i < steps; ++i) {
    ++outcome.steps;
    if (!pool->idle() && habits.below(4) != 0)
      pool->step();
    else
      act();
  }
  if (habits.below(4) == 0) return stop_cleanly();
  if (habits.below(2) == 0)
    cut_at_names(3);
  else
    disk.faults().cut_power_at(1 + habits.below(8));
  for (uint64_t i = 0; i < 20 && !disk.is_cut(); ++i) {
    auto& log = logs[habits.below(logs.size())];
    if (log.takes_changes() && habits.below(2) == 0)
      cut_something(log);
    else if (!pool->idle())
      pool->step();
    else
      act();
  }
  return false;
}

// In the sync of a directory of logs: what was made, renamed and removed is neither here nor there.
void storage_world::cut_at_names(uint64_t nth_max) {
  disk.faults().inject({.operation = disk_operation::sync_directory,
                        .fault = disk_fault::power_cut,
                        .nth = 1 + habits.below(nth_max),
                        .path_contains = "data/topics"});
}

// What it says is gone, and no log fails for it.
void storage_world::break_an_index() {
  if (habits.below(2) == 0) return;
  disk.faults().inject({.operation = disk_operation::write,
                        .fault = disk_fault::error,
                        .nth = 1 + habits.below(manner == habit::rotten_ends ? 4 : 20),
                        .path_contains = ".index"});
}

// Before a bit flips: truncations and removals that nothing was written after.
void storage_world::cut_at_last() {
  for (auto& log : logs) {
    if (disk.is_cut() || !log.takes_changes()) continue;
    auto what = habits.below(4);
    if (what == 0 || (what > 1 && manner == habit::rotten_ends)) truncate(log);
    if (what == 1) remove_before(log);
  }
}

// Before a start with little room: from then on snapshots alone know what producers did in what is gone.
void storage_world::remove_at_last() {
  for (auto& log : logs)
    if (!disk.is_cut() && log.takes_changes() && habits.below(2) == 0) remove_before(log);
}

void storage_world::cut_something(hosted& log) {
  switch (habits.below(6)) {
  case 0:
    return remove(log);
  case 1:
    return remove_before(log);
  default:
    return truncate(log);
  }
}

crash_kind storage_world::draw_crash() {
  bool kill = false;
  switch (manner) {
  case habit::restless:
  case habit::full_starts:
    kill = habits.below(3) != 0;
    break;
  case habit::equal_batches:
    kill = habits.below(6) == 0;
    break;
  default:
    kill = random.below(3) == 0;
  }
  return kill ? crash_kind::kill : crash_kind::power;
}

void storage_world::act() {
  auto& log = logs[random.below(logs.size())];
  if (log.waits) {
    if (habits.below(8) == 0) open_again(log);
    return;
  }
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
  if (choice < 98) return look_up(log);
  if (auto refused = service->refusing()) note(1);
}

// A process dies: the disk first, so that whatever the rest still tries is seen.
void storage_world::die(crash_kind kind) {
  (kind == crash_kind::power ? outcome.power_losses : outcome.kills)++;
  disk.crash(kind);
  end_life();
}

uint64_t storage_world::journal_rounds() const {
  return outcome.journal_rounds + (service ? service->counters().journal_syncs : 0);
}

void storage_world::end_life() {
  auto before = disk.counters().after_death;
  outcome.journal_rounds = journal_rounds();
  for (auto& log : logs)
    if (log.log) outcome.segments += log.log->segment_count();
  pool->kill();
  service.reset();
  for (auto& log : logs) {
    if (log.busy) ++outcome.dropped;
    log.busy = false;
    log.log.reset();
    log.open_failed = log.waits = false;
  }
  directory.reset();
  pool.reset();
  if (disk.counters().after_death != before)
    fail("no_io_after_death", std::to_string(disk.counters().after_death - before) + " operations");
}

bool storage_world::stop_cleanly() {
  for (int i = 0; i < 10'000 && !pool->idle() && !disk.is_cut(); ++i)
    pool->step();
  if (manner == habit::rotten_ends) cut_at_last();
  disk.faults().clear();
  for (auto& log : logs)
    if (log.log && log.log->failed()) return false; // nothing that failed ends cleanly
  if (!service->flush().ok()) return false;
  for (auto& log : logs) {
    if (log.open_failed || log.waits) return false;
    if (!log.log) continue;
    if (!service->detach(*log.log).ok() || !log.log->checkpoint().ok()) return false;
    log.log->release_files();
    if (log.log->durable_end() != log.log->log_end()) fail("a_checkpoint_is_durable", name(log));
  }
  for (auto& log : logs) // all of it is durable now, asked for or not
    if (log.log) log.model.acked_end = log.model.end();
  if (!directory->mark_clean_stop().ok()) return false;
  ++outcome.clean_stops;
  bool kill = random.below(2) == 0 && manner != habit::rotten_ends;
  disk.crash(kill ? crash_kind::kill : crash_kind::power);
  end_life();
  return true;
}

} // namespace pessoa::sim
