// The parts of one storage seed (storage_world.hpp): storage_world.cpp drives, storage_actions.cpp asks the
// log for things and tells the model, storage_checks.cpp, storage_lookups.cpp and
// storage_flips.cpp compare.
#pragma once

#include "persistence/commit_service.hpp"
#include "persistence/data_directory.hpp"
#include "persistence/frame_walk.hpp"
#include "simulations/disk/sim_disk.hpp"
#include "simulations/storage/log_model.hpp"
#include "simulations/storage/stepped_pool.hpp"
#include "simulations/storage/storage_world.hpp"

#include <algorithm>

namespace pessoa::sim {

struct check_failed {
  std::string check;
  std::string what;
};

inline bool contains(byte_view all, byte_view part) {
  return std::search(all.begin(), all.end(), part.begin(), part.end()) != all.end();
}

class stepped_clock final : public clock {
public:
  [[nodiscard]] instant now() const override { return now_; }
  [[nodiscard]] timestamp wall() const override {
    return timestamp{1'700'000'000'000 + jumped_ms_ + now_.time_since_epoch().count() / 1'000'000};
  }
  void pass(duration d) { now_ += d; }
  void jump_wall(int64_t ms) { jumped_ms_ += ms; }

private:
  instant now_{};
  int64_t jumped_ms_ = 0;
};

// What a directory's lives are like. Most have none of it: each makes something frequent that is rare otherwise.
enum class habit : uint8_t {
  none,
  restless,      // many short lives that end inside a change, most by a kill; crashes within starts
  full_starts,   // syncs fail, processes are killed, and starts find little room
  equal_batches, // all frames have the size of a sector, and new sectors may show what was there before
  rotten_ends, // few lives, the last of which loses an index, ends in truncations and removals, and then a bit flips
};

struct storage_world {
  static constexpr int64_t producers_max = 3;      // ids from 0
  static constexpr uint64_t no_limit = 1ull << 40; // of the disk's bytes

  explicit storage_world(uint64_t seed);
  ~storage_world() {
    if (pool) pool->kill(); // a check failed: nothing goes on
  }
  void run();

  struct hosted {
    log_model model;
    std::shared_ptr<persistence::partition_log> log;
    bool busy = false;        // a commit is in flight
    bool open_failed = false; // until the next start
    bool waits = false;       // there was no room to open it
    // The journal's rounds when it learned that the log was deleted.
    std::optional<uint64_t> forgotten_at_round;

    [[nodiscard]] bool takes_changes() const { return log && !busy && !log->failed(); }
  };

  // -- storage_world.cpp ---
  bool live();
  bool live_restlessly();
  void act();
  void cut_something(hosted& log);
  void cut_at_names(uint64_t nth_max);
  void break_an_index();
  void cut_at_last();
  void remove_at_last();
  [[nodiscard]] crash_kind draw_crash();
  void die(crash_kind kind);
  [[nodiscard]] uint64_t journal_rounds() const; // of all lives
  void end_life();
  bool stop_cleanly();
  [[noreturn]] void fail(const std::string& check, const std::string& what) const;
  void note(uint64_t value);

  // -- storage_actions.cpp ---
  void start_first();
  void restart();
  bool try_start();
  bool open(hosted& log, bool clean);
  void open_again(hosted& log);
  [[nodiscard]] bool all_are_open() const;
  void create(hosted& log);
  void commit(hosted& log);
  void answered(hosted& log, const std::vector<model_batch>& sent, persistence::commit_outcome done,
                uint64_t generation);
  void truncate(hosted& log);
  void remove_before(hosted& log);
  void remove(hosted& log);
  [[nodiscard]] std::string path(const hosted& log) const;
  [[nodiscard]] std::string name(const hosted& log) const;

  // -- storage_checks.cpp ---
  void check_durable(hosted& log, const model_batch& batch);
  void check_recovered(hosted& log, const persistence::recovery_report& report);
  void check_producers(hosted& log);
  void read_back(hosted& log, bool to_the_end);

  // -- storage_lookups.cpp ---
  void look_up(hosted& log);
  void find_a_time(hosted& log);
  void ask_retention(hosted& log);

  // -- storage_flips.cpp ---
  void check_flipped();
  struct flipped;
  std::optional<flipped> flip_something();
  bool start_flipped(flipped& flip);
  [[nodiscard]] bool is_somewhere(const hosted& log,
                                  const model_batch& batch) const; // in a segment or the journal
  bool walk_segment(const hosted& log, const std::string& file, persistence::walk_depth depth,
                    const persistence::frame_visitor& look);
  std::optional<uint64_t> header_at(const hosted& log, const std::string& file, uint64_t byte);
  offset frame_at(const hosted& log, const std::string& file, uint64_t byte);
  std::optional<uint64_t> bit_that_makes_up(const hosted& log, const std::string& file);

  storage_outcome outcome;
  seeded_random random;      // what is asked for
  seeded_random disk_random; // what the disk does
  seeded_random schedule;    // when jobs and answers run
  // Apart from all else, so that a directory without a habit is what it would be without any.
  seeded_random habits;
  seeded_random lookups; // what is asked beside records, and the wall clock's jumps
  habit manner;
  sim_disk disk;
  stepped_clock time;
  persistence::commit_settings settings;
  persistence::log_settings log_options;
  bool with_errors = false, with_full_disk = false, with_flip = false, with_deletions = false,
       with_cuts_in_recovery = false;

  std::unique_ptr<persistence::data_directory> directory;
  std::unique_ptr<stepped_pool> pool;
  std::unique_ptr<persistence::commit_service> service;
  std::vector<hosted> logs;
};

} // namespace pessoa::sim
