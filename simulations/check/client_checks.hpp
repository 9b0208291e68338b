// What is looked at inside a client after each of its steps: the invariants of its pure cores.
#pragma once

#include "simulations/world/world.hpp"

namespace pessoa::sim {

class client_checks {
public:
  // Lives as long as the world runs.
  explicit client_checks(world& of);
};

} // namespace pessoa::sim
