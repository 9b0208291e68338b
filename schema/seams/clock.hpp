// Time comes in from outside. Two kinds that must not be mixed (failures N4): `instant` for timeouts, `timestamp` for
// records and people.
#pragma once

#include "schema/ids.hpp"

#include <chrono>

namespace pessoa {

using duration = std::chrono::nanoseconds;

struct monotonic {
  using rep = int64_t;
  using period = std::nano;
  using duration = pessoa::duration;
  using time_point = std::chrono::time_point<monotonic>;
  static constexpr bool is_steady = true;
};
// A moment on this process's monotonic clock. Meaningless in another process and after a restart.
using instant = monotonic::time_point;

class clock {
public:
  virtual ~clock() = default;
  [[nodiscard]] virtual instant now() const = 0;       // never goes back
  [[nodiscard]] virtual timestamp wall() const = 0;    // may jump either way
};

} // namespace pessoa
