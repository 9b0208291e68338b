// A table of the node's (persistence/table.hpp), driven from a seed: batches of changes, clean ends, power cuts and kills at any
// moment, failing writes and syncs, now and then a flipped bit.
//
// What is written follows from its position alone, so that a table can be compared with the one that no disk has ever failed.
#pragma once

#include "persistence/table.hpp"

#include <cstdint>
#include <string>

namespace pessoa::sim {

struct table_outcome {
  bool ok = true;
  std::string check;   // the name of the one that failed
  std::string failure; // what it says
  uint64_t trace = 0;
  uint64_t lives = 0, power_losses = 0, kills = 0, flips = 0;
  uint64_t written = 0;    // batches that were acknowledged
  uint64_t rebuilt = 0;    // tables that were thrown away although something had been acknowledged
  uint64_t begun_anew = 0; // likewise, before anything was
  uint64_t went_back = 0;  // starts that found less than had been acknowledged, and not everything
  uint64_t ended = 0;      // by a failed operation
};

// `rot`: flips a bit of some file between two lives, now and then.
table_outcome run_table_seed(uint64_t seed, persistence::table_sync sync, bool rot);

} // namespace pessoa::sim
