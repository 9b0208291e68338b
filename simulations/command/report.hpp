// How an outcome is told: one line of JSON for programs, a story for people.
#pragma once

#include "simulations/command/batch.hpp"

#include <optional>
#include <string>

namespace pessoa::sim {

// `rerun`: whether a second run of the seed gave the same trace; nullopt: there was none.
std::string json_line(const outcome& of, std::optional<bool> rerun);
// What failed, the last events, and the command that replays it.
std::string story(const outcome& of, const std::string& replay);

// How fast it went, and how busy the world was.
std::string speed_report(const batch_result& of);

// In how many percent of a batch's seeds each probe was reached. Marked: what was never reached, and in a batch of 1,000
// seeds or more what was reached in fewer than one of 1,000.
std::string probe_report(const batch_result& of);

} // namespace pessoa::sim
