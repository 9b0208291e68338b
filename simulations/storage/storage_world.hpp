// A data directory's logs and commit service on a disk that lies, driven from a seed: random commits, segments,
// truncations, retention, deletions, clean stops, power loss and kills at any operation, restarts, and checks
// after each.
//
//   run_storage_seed(7)  ->  {ok, what failed, what happened}
//
// The same seed gives the same run, byte for byte. docs/simulations.md says what is checked and how to read a
// failure.
#pragma once

#include <cstdint>
#include <string>

namespace pessoa::sim {

struct storage_outcome {
  bool ok = true;
  std::string check;   // the name of the one that failed
  std::string failure; // what it says, with values
  uint64_t trace = 0;  // a hash over everything that was answered and recovered
  double virtual_seconds = 0;
  uint64_t steps = 0, read = 0; // batches
  // How much of the interesting happened; a seed without any of it proves nothing.
  uint64_t acknowledged = 0, refused = 0, failed = 0, dropped = 0;
  uint64_t power_losses = 0, kills = 0, clean_stops = 0, crashes_in_recovery = 0;
  uint64_t journal_rounds = 0, segments = 0, truncations = 0, removals = 0, deletions = 0;
  uint64_t waits = 0; // logs that could not be opened for want of room
  uint64_t torn_tails = 0, frames_from_journal = 0, losses_reported = 0, flips = 0;
};

storage_outcome run_storage_seed(uint64_t seed);

} // namespace pessoa::sim
