// What is looked at inside a client after each of its steps: the invariants of its pure cores.
#pragma once

#include "simulations/world/world.hpp"

namespace pessoa::sim {

// From now on, as long as the world runs.
void check_clients(world& of);

} // namespace pessoa::sim
