// Many seeds, one after the other or in several processes side by side, each told as it ends.
#pragma once

#include "simulations/run/run.hpp"

#include <map>
#include <optional>
#include <string>

namespace pessoa::sim {

struct batch_options {
  std::optional<scenario> what;  // nullopt: each seed draws one of the built-in ones
  std::string scenario_argument; // as it was given, for the command that replays
  uint64_t first = 1, last = 1;
  std::string plant;
  uint32_t jobs = 1;
  bool stop_at_first = false;
};

struct batch_result {
  uint64_t ran = 0, failed = 0, idle = 0, diverged = 0;
  // Second runs of a seed count, too.
  double virtual_seconds = 0, load_seconds = 0, cpu_seconds = 0;
  uint64_t steps = 0, batches = 0;
  std::map<std::string, uint64_t> reached; // probe -> the seeds that reached it; each probe of the list
  bool broken = false;                     // a process of the batch ended without its verdict
};

// One seed with the plant that is active. Some are run twice: a second trace that differs is a failure.
struct judged {
  outcome out;
  std::optional<bool> rerun; // whether the second run gave the same trace; nullopt: there was none
};
judged judge_seed(const batch_options& options, uint64_t seed);
// JSON lines to stdout, stories to stderr.
batch_result run_batch(const batch_options& options);
// The scenario that a seed means: the given one, or the one that it draws.
const scenario& scenario_of(const batch_options& options, uint64_t seed);
std::string replay_command(const batch_options& options, uint64_t seed);

} // namespace pessoa::sim
