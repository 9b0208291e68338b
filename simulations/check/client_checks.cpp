#include "simulations/check/client_checks.hpp"

#include "simulations/world/client_process.hpp"

namespace pessoa::sim {

void check_clients(world& of) {
  of.after_step.push_back([&of](process& ran) {
    auto* client = dynamic_cast<client_process*>(&ran);
    if (client == nullptr) return;
    if (auto broken = client->core()->check_invariants())
      of.fail("invariants", client->name() + ": " + *broken);
  });
}

} // namespace pessoa::sim
