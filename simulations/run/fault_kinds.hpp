// The kinds of faults that a scenario may ask for.
#pragma once

#include <vector>

namespace pessoa::sim {

struct fault_kind {
  const char* name;
  const char* about;
};
const std::vector<fault_kind>& fault_kinds();

} // namespace pessoa::sim
