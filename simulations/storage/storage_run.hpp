// A seed of a scenario that has data directories in the place of nodes: each is a storage seed of its own.
//
// Directory i of seed s is storage seed 1000 * s + i, so that it can be run again alone (`first_directory`).
#pragma once

#include "simulations/run/run.hpp"

#include <string>
#include <utility>
#include <vector>

namespace pessoa::sim {

// Requires: what.directories > 0.
outcome run_directories(const scenario& what, uint64_t seed);

// Name and promise of each check that only storage seeds have.
const std::vector<std::pair<std::string, std::string>>& storage_checkers();

} // namespace pessoa::sim
