// The kinds of faults that a scenario may ask for.
#pragma once

#include <cstdint>
#include <vector>

namespace pessoa::sim {

struct fault_kind {
  const char* name;
  const char* about;
  uint32_t percent = 50; // of the seeds in which it happens, in a scenario that names no faults
};
const std::vector<fault_kind>& fault_kinds();

} // namespace pessoa::sim
