// Durability as a service of the data directory, shared by all its partitions (rules.md 1).
//
// Requests that wait are taken together as one *round*. With few dirty logs the round writes and syncs their
// segments; with many it writes the segments without sync, puts the same frames into one journal, syncs that
// once, and lets the segments follow in the background; then the journal is trimmed. So a thousand thin
// partitions cost one sync.
//
// Callers keep one commit per log in flight. `done` runs on a storage thread, exactly once per request, or is
// destroyed unrun when the service dies first.
#pragma once

#include "persistence/partition_log.hpp"
#include "schema/seams/clock.hpp"
#include "schema/seams/thread_pool.hpp"

#include <map>

namespace pessoa::persistence {

struct commit_outcome {
  result<offset> durable_end;
  uint64_t generation; // of the log when the frames were written
};

struct commit_settings {
  // The journal is used in rounds of at least so many dirty logs, with at most so many bytes for each on average: more
  // bytes cost more when they are written twice than the syncs they save (docs/performance.md).
  size_t journal_from_logs = 4;
  uint64_t journal_bytes_per_log_max = 80u << 10;
  uint64_t journal_bytes_max = 256u << 20; // beyond it, segments are synced until it can be trimmed
  uint64_t reserve_bytes = 64u << 20;      // free space below which writes are refused with ec::disk_full
};

struct commit_counters { // cumulative; for /metrics and the benches
  uint64_t rounds = 0, requests = 0, frames = 0, bytes = 0;
  uint64_t segment_syncs = 0, journal_syncs = 0, journal_bytes = 0;
  uint64_t refused_disk_full = 0, failures = 0;
  uint64_t queued_bytes = 0;                   // now
  std::vector<uint64_t> sync_micros_histogram; // bucket i counts syncs below 2^i microseconds
  std::vector<uint64_t> write_micros_histogram;
};

class commit_service {
public:
  // Opens the journal in `directory` and reads what an unclean stop left there. Blocking.
  static result<std::unique_ptr<commit_service>> open(storage_env& env, std::string directory,
                                                      thread_pool& pool, const clock& time,
                                                      commit_settings settings);
  // Waits for the running round; drops what waits.
  virtual ~commit_service() = default;

  // Frames that the journal holds for a log, for partition_log::open. Each log may take them once ...
  virtual journal_frames recovered(const partition_key& key) = 0;
  // ... and once more after this: it could not be opened with them, and will be tried again.
  virtual void recovered_in_vain(const partition_key& key) = 0;
  // Every log that will come back has taken its frames and synced them: the old journal can go. Blocking.
  virtual result<void> recovery_complete() = 0;

  // Writes and syncs `frames` to `log`. Never blocks. The shared pointer is the loan: it is let go of before
  // `done` runs.
  virtual void commit(std::shared_ptr<partition_log> log, std::vector<frame_input> frames,
                      std::function<void(commit_outcome)> done) = 0;
  // Syncs every segment that leans on the journal, and trims it: before a clean stop. Blocking.
  virtual result<void> flush() = 0;
  // A log is about to be closed or deleted: its segments no longer lean on the journal when this returns.
  // Blocking.
  virtual result<void> detach(partition_log& log) = 0;

  [[nodiscard]] virtual commit_counters counters() const = 0;
  // The refusal that is in force while the disk is below the reserve; nullopt when writes are taken.
  [[nodiscard]] virtual std::optional<error> refusing() const = 0;
  // Room on the disk as it was last seen: at each round, and when look_at_space() asks; nullopt while nobody can say.
  // Never blocks.
  [[nodiscard]] virtual std::optional<space_info> space() const = 0;
  // Soon, on the pool; for upkeep, when nothing is committed. Never blocks.
  virtual void look_at_space() const = 0;
};

} // namespace pessoa::persistence
