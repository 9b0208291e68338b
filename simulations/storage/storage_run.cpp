#include "simulations/storage/storage_run.hpp"

#include "schema/plants.hpp"
#include "simulations/storage/storage_world.hpp"

namespace pessoa::sim {

namespace {

void count(std::map<std::string, uint64_t>& into, const char* what, uint64_t times) {
  if (times > 0) into[what] += times;
}

void add(outcome& to, const storage_outcome& one) {
  to.trace = to.trace * 31 + one.trace;
  to.virtual_seconds += one.virtual_seconds;
  to.steps += one.steps;
  to.acknowledged += one.acknowledged;
  to.refused += one.refused;
  to.unknown += one.failed + one.dropped;
  to.read += one.read;
  count(to.faults, "power", one.power_losses);
  count(to.faults, "kill", one.kills);
  count(to.faults, "restart", one.clean_stops);
  count(to.faults, "crash_in_recovery", one.crashes_in_recovery);
  count(to.faults, "full_disk", one.refused);
  count(to.faults, "failed_commit", one.failed);
  count(to.faults, "rot", one.flips);
}

} // namespace

outcome run_directories(const scenario& what, uint64_t seed) {
  outcome out;
  out.scenario = what.name;
  out.seed = seed;
  auto last = what.first_directory + what.directories;
  for (auto i = what.first_directory; i < last; ++i) {
    auto one = run_storage_seed(seed * directories_max + static_cast<uint64_t>(i));
    add(out, one);
    if (one.ok) continue;
    out.verdict = verdict::failed;
    out.reason = one.check;
    out.why = "directory " + std::to_string(i) + ": " + one.failure;
    out.failed_directory = i;
    break;
  }
  if (out.verdict == verdict::ok && out.acknowledged < acknowledged_min) {
    out.verdict = verdict::idle;
    out.reason = "only " + std::to_string(out.acknowledged) + " commits were acknowledged";
  }
  for (auto& [name, count] : plants::probes())
    out.probes[std::string{name}] = count;
  return out;
}

} // namespace pessoa::sim
