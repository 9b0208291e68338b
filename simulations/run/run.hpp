// One seed of a scenario, from an empty world to a verdict.
//
// Three parts: everything is set up in peace; then work and faults until the last quarter; then calm, in which all that
// waits must come to an end in bounded time, nodes crash once more, and everything is read and compared.
#pragma once

#include "simulations/run/scenario.hpp"
#include "simulations/world/trace.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

namespace pessoa::sim {

enum class verdict : uint8_t { ok, failed, idle };
const char* to_string(verdict v);

struct outcome {
  std::string scenario;
  uint64_t seed = 0;
  pessoa::sim::verdict verdict = verdict::ok;
  std::string reason; // the checker that failed; why it counts as idle
  std::string why;    // in words
  uint64_t trace = 0;
  double virtual_seconds = 0;
  double load_seconds = 0; // of these clients worked
  uint64_t steps = 0;
  std::map<std::string, uint64_t> steps_of; // by process: who kept the world busy
  uint64_t batches = 0;                     // that the nodes' partitions took
  uint64_t acknowledged = 0, unknown = 0, refused = 0, read = 0;
  std::map<std::string, uint64_t> faults;
  std::map<std::string, uint64_t> probes;
  std::deque<trace::word> story;               // the last interesting events
  std::optional<int64_t> failed_directory;     // of a run of data directories
  std::map<std::string, std::string> settings; // that are not at their default, by whose they are
};

// Below this the seed has shown nothing.
inline constexpr uint64_t acknowledged_min = 200;

outcome run_seed(const scenario& what, uint64_t seed);

} // namespace pessoa::sim
