// Makes a failing run smaller: fewer kinds of faults, less time, fewer clients, as long as the same checker fails.
#pragma once

#include "simulations/command/batch.hpp"

namespace pessoa::sim {

struct shrunk {
  scenario what;
  outcome out;
  uint64_t tries = 0;
};
// nullopt when the seed does not fail at all. Says on stderr what it tries.
std::optional<shrunk> shrink(const batch_options& options, uint64_t seed);
// The scenario as a file's text.
std::string to_toml(const scenario& what);

} // namespace pessoa::sim
