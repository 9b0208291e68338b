// How an outcome is told: one line of JSON for programs, a story for people.
#pragma once

#include "simulations/run/run.hpp"

#include <optional>
#include <string>

namespace pessoa::sim {

// `rerun`: whether a second run of the seed gave the same trace; nullopt: there was none.
std::string json_line(const outcome& of, std::optional<bool> rerun);
// What failed, the last events, and the command that replays it.
std::string story(const outcome& of, const std::string& replay);

} // namespace pessoa::sim
