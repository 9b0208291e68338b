// A disk in memory that lies as disks do: power loss, failed and forgotten syncs, short writes, full, rotten.
//
//   seeded_random random{seed};
//   sim_disk disk{random, sim_disk_options::draw(random)};
//   { auto store = open(disk.env()); ... }     // one life of a process
//   disk.crash(crash_kind::power);             // what was not durable may be gone
//   { auto store = open(disk.env()); ... }     // the next life: a new environment over what is left
//
// Promises: the same seed and the same calls give the same bytes. A byte is lost or changed only by a fault
// that was asked for, or by a power cut while durable_prefix() or is_durable() did not vouch for it. For one
// thread; LevelDB's background work is queued until drain_scheduled(). Time inside stands still except when
// LevelDB sleeps. Slow and stuck I/O belong to the simulated thread pool, which draws when a job starts and
// ends.
#pragma once

#include "persistence/storage_env.hpp"
#include "simulations/disk/fault_plan.hpp"
#include "simulations/disk/sim_tree.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pessoa::sim {

struct sim_disk_options {
  bool strict_names = true;             // sim_tree.hpp
  bool stale_sectors = false;           // sim_file.hpp
  uint64_t capacity_bytes = 1ull << 40; // writes beyond it fail with ec::disk_full
  persistence::leveldb_care leveldb_care = persistence::leveldb_care::ours;
  // Chance in percent that a power cut loses nothing at all: all of it had just been written back.
  uint32_t lossless_percent = 10;

  // Strict or ordered by the seed; everything else as above.
  static sim_disk_options draw(random_source& random);
};

enum class crash_kind : uint8_t {
  kill,  // the process dies, the page cache survives
  power, // what is not durable is kept, lost, torn or replaced by garbage, as the seed wants
};

struct disk_counters {
  uint64_t reads = 0, bytes_read = 0;
  uint64_t writes = 0, bytes_written = 0;
  uint64_t syncs = 0, directory_syncs = 0;
  uint64_t no_room = 0; // writes that found the disk full
  // Operations tried by a life after its crash: zero, or something was not stopped.
  uint64_t after_death = 0;
};

class sim_env;

class sim_disk {
public:
  explicit sim_disk(random_source& random, sim_disk_options options = {});
  ~sim_disk();

  // The environment of the current life. Stays valid, and refuses everything, after a crash.
  persistence::storage_env& env();

  // Ends the life: its handles and locks die, and a new one begins.
  void crash(crash_kind kind);
  // The power went in the middle of an operation (disk_fault::power_cut): everything is refused since, and
  // the test should drop its objects and call crash().
  [[nodiscard]] bool is_cut() const;

  // -- faults ---
  [[nodiscard]] fault_plan& faults() { return faults_; }
  void set_capacity(uint64_t bytes) { options_.capacity_bytes = bytes; }
  [[nodiscard]] uint64_t capacity() const { return options_.capacity_bytes; }
  [[nodiscard]] uint64_t free_bytes() const {
    return options_.capacity_bytes - std::min(options_.capacity_bytes, used_);
  }
  // From now on nobody can say how much is free.
  void refuse_space(bool refuse) { space_refused_ = refuse; }
  [[nodiscard]] uint64_t bytes_used() const { return tree_.bytes_used(); }
  // Rot at rest. Requires: the file exists and has that bit.
  void flip_bit(const std::string& path, uint64_t bit_index);

  // -- what a test may know ---
  // Leading bytes of the file that read the same after any power cut that could happen now; 0 if its name, or
  // that of a directory above it, could go.
  [[nodiscard]] uint64_t durable_prefix(const std::string& path) const;
  [[nodiscard]] bool is_durable(const std::string& path, uint64_t begin, uint64_t end) const;
  [[nodiscard]] bool is_durable_name(const std::string& path) const { return tree_.is_durable_name(path); }
  // What lies there now, without a process that reads: no fault, nothing counted. Until the next change of the disk.
  [[nodiscard]] std::optional<byte_view> content(const std::string& path) const;       // nullopt: no file
  [[nodiscard]] std::vector<std::string> names_in(const std::string& directory) const; // in order
  [[nodiscard]] const std::multiset<std::string>&
  open_files() const; // by path, one per handle of the current life
  [[nodiscard]] const disk_counters& counters() const { return counters_; }
  // Operations that failed, by a fault or for want of room.
  [[nodiscard]] uint64_t troubles() const { return faults_.faults() + counters_.no_room; }
  // Whether the last crash lost or damaged anything.
  [[nodiscard]] bool last_crash_lost() const { return last_crash_lost_; }

private:
  friend class sim_env;
  friend class sim_handle;

  random_source& random_;
  sim_disk_options options_;
  sim_tree tree_;
  fault_plan faults_;
  disk_counters counters_;
  uint64_t used_ = 0; // bytes of files that have a name or a handle
  uint64_t micros_ = 1;
  bool last_crash_lost_ = false;
  bool space_refused_ = false;
  std::vector<std::unique_ptr<sim_env>> lives_; // the last one is current
};

} // namespace pessoa::sim
