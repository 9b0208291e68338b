// What `pessoa simulate --list` shows: names with a sentence each.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pessoa::sim {

using named_list = std::vector<std::pair<std::string, std::string>>;

const named_list& planted_bugs();
const named_list& probes();
const named_list& checkers();
// "scenarios", "bugs", "probes", "checkers", "faults"; nullopt for another word.
std::optional<named_list> list_of(const std::string& what);

} // namespace pessoa::sim
