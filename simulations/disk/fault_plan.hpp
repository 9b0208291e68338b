// Which operation of a simulated disk goes wrong, and how: by rule ("the 7th write to *.log"), by chance, or
// by cutting the power in the middle of the n-th change.
#pragma once

#include "schema/seams/random.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace pessoa::sim {

enum class disk_operation : uint8_t {
  open, // also create
  read,
  write,
  sync,
  truncate,
  create_directory,
  sync_directory,
  list,
  rename,
  remove,
};
const char* to_string(disk_operation op);
bool changes_disk(disk_operation op);

enum class disk_fault : uint8_t {
  none,
  error, // EIO. A write may have left any prefix. A failed sync drops what was pending, and the next one says
         // ok
  short_write,       // a prefix is written, then EIO
  no_space,          // a prefix is written, then ENOSPC
  flip_bit,          // a read returns one wrong bit; the disk is as it was
  lost_write,        // says ok, writes nothing
  misdirected_write, // says ok, writes elsewhere in the same file
  power_cut, // the operation happens in part; the life refuses everything from then on (sim_disk::is_cut)
};

struct fault_rule {
  disk_operation operation;
  disk_fault fault;
  uint64_t nth = 1;          // the first matching operation that fails, from 1, counted from injection
  uint64_t times = 1;        // how many in a row
  std::string path_contains; // empty: any
};

struct fault_rates { // per million operations
  uint32_t read_error = 0;
  uint32_t read_flip_bit = 0;
  uint32_t write_error = 0;
  uint32_t sync_error = 0;
};

class fault_plan {
public:
  explicit fault_plan(random_source& random) : random_(random) {}

  void inject(fault_rule rule) { rules_.push_back({std::move(rule), 0}); }
  void set_rates(const fault_rates& rates) { rates_ = rates; }
  // The n-th change from now, from 1, is cut.
  void cut_power_at(uint64_t nth_change) { cut_at_ = changes_ + nth_change; }
  void clear();

  // Hears of every operation that was made to fail, or to lie.
  std::function<void(disk_operation op, disk_fault fault, const std::string& path)> struck;

  // To be asked once per operation.
  disk_fault next(disk_operation op, const std::string& path);

  [[nodiscard]] uint64_t changes() const { return changes_; } // operations that change the disk, so far
  [[nodiscard]] uint64_t faults() const { return faults_; }   // how many were made to fail

private:
  struct armed_rule {
    fault_rule rule;
    uint64_t seen;
  };
  disk_fault choose(disk_operation op, const std::string& path);
  bool by_chance(uint32_t rate) { return rate > 0 && random_.below(1'000'000) < rate; }

  random_source& random_;
  std::vector<armed_rule> rules_;
  fault_rates rates_;
  uint64_t changes_ = 0;
  uint64_t faults_ = 0;
  uint64_t cut_at_ = 0; // 0: never
};

} // namespace pessoa::sim
