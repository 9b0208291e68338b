// The texts of simulations/scenarios/*.toml, by name; made by the build (simulations/CMakeLists.txt).
#pragma once

#include <string_view>
#include <utility>
#include <vector>

namespace pessoa::sim {

const std::vector<std::pair<std::string_view, std::string_view>>& built_in_scenarios();

} // namespace pessoa::sim
