#include "simulations/storage/storage_run.hpp"

#include "schema/plants.hpp"
#include "simulations/storage/storage_world.hpp"
#include "simulations/storage/table_seed.hpp"

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
  count(to.faults, "full_start", one.waits);
  count(to.faults, "failed_commit", one.failed);
  count(to.faults, "rot", one.flips);
}

void add(outcome& to, const table_outcome& one) {
  to.trace = to.trace * 31 + one.trace;
  to.steps += one.written;
  to.acknowledged += one.written;
  count(to.faults, "power", one.power_losses);
  count(to.faults, "kill", one.kills);
  count(to.faults, "failed_table", one.ended);
  count(to.faults, "rot", one.flips);
}

// One directory, and every few of them a table beside it. The check that failed and what it says.
std::optional<std::pair<std::string, std::string>> run_directory(uint64_t seed, outcome& sum) {
  constexpr uint64_t table_every = 16;
  auto one = run_storage_seed(seed);
  add(sum, one);
  if (!one.ok) return std::pair{one.check, one.failure};
  if (seed % table_every != 0) return std::nullopt;
  auto sync = seed % (2 * table_every) == 0 ? persistence::table_sync::now : persistence::table_sync::later;
  auto table = run_table_seed(seed, sync, true);
  add(sum, table);
  if (!table.ok) return std::pair{table.check, "table: " + table.failure};
  return std::nullopt;
}

} // namespace

outcome run_directories(const scenario& what, uint64_t seed) {
  outcome out;
  out.scenario = what.name;
  out.seed = seed;
  auto last = what.first_directory + what.directories;
  for (auto i = what.first_directory; i < last; ++i) {
    auto failed = run_directory(seed * directories_max + static_cast<uint64_t>(i), out);
    if (!failed) continue;
    out.verdict = verdict::failed;
    out.reason = failed->first;
    out.why = "directory " + std::to_string(i) + ": " + failed->second;
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
