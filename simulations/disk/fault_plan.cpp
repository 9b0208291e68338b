#include "simulations/disk/fault_plan.hpp"

namespace pessoa::sim {

const char* to_string(disk_operation op) {
  static constexpr const char* names[] = {
      "open",           "read", "write",  "sync",  "truncate", "create directory",
      "sync directory", "list", "rename", "remove"};
  return names[static_cast<size_t>(op)];
}

bool changes_disk(disk_operation op) {
  return op != disk_operation::open && op != disk_operation::read && op != disk_operation::list;
}

void fault_plan::clear() {
  rules_.clear();
  rates_ = {};
  cut_at_ = 0;
}

disk_fault fault_plan::next(disk_operation op, const std::string& path) {
  auto fault = choose(op, path);
  if (fault == disk_fault::none) return fault;
  ++faults_;
  if (struck) struck(op, fault, path);
  return fault;
}

disk_fault fault_plan::choose(disk_operation op, const std::string& path) {
  bool cut = changes_disk(op) && ++changes_ == cut_at_;
  auto chosen = disk_fault::none;
  for (auto& [rule, seen] : rules_) {
    if (rule.operation != op || path.find(rule.path_contains) == std::string::npos) continue;
    ++seen; // every rule counts every operation it names, also one that another rule fails
    if (chosen == disk_fault::none && seen >= rule.nth && seen - rule.nth < rule.times) chosen = rule.fault;
  }
  if (cut) return disk_fault::power_cut;
  if (chosen != disk_fault::none) return chosen;
  if (op == disk_operation::read) {
    if (by_chance(rates_.read_error)) return disk_fault::error;
    if (by_chance(rates_.read_flip_bit)) return disk_fault::flip_bit;
  }
  if (op == disk_operation::write && by_chance(rates_.write_error)) return disk_fault::error;
  if ((op == disk_operation::sync || op == disk_operation::sync_directory) && by_chance(rates_.sync_error))
    return disk_fault::error;
  return disk_fault::none;
}

} // namespace pessoa::sim
