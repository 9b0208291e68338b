// What happens to the processes of nodes and clients, and to their machines' clocks.
#include "simulations/run/faults.hpp"

namespace pessoa::sim {

void faults::arrange_processes(const scenario& what) {
  if (auto* random = on(what, "kill"))
    repeat(*random, "kill", 6, [this, random] {
      auto& node = any_node(*random);
      if (node.life() == nullptr) return false;
      node.kill(false);
      return true;
    });
  if (auto* random = on(what, "power"))
    repeat(*random, "power", 4, [this, random] {
      auto& node = any_node(*random);
      if (!node.powered()) return false;
      node.kill(true);
      world_.time().after(between(*random, 10, 3000) * millisecond, [&node] { node.power_on(); });
      return true;
    });
  if (auto* random = on(what, "power_in_write"))
    repeat(*random, "power_in_write", 3, [this, random] {
      auto& node = any_node(*random);
      if (node.life() == nullptr) return false;
      node.disk().faults().cut_power_at(1 + random->below(20));
      world_.time().after(between(*random, 500, 3000) * millisecond, [&node] { node.power_on(); });
      return false; // not yet
    });
  if (auto* random = on(what, "restart"))
    repeat(*random, "restart", 3, [this, random] {
      auto& node = any_node(*random);
      if (node.life() == nullptr || (!node.ready() && random->below(3) > 0)) return false;
      if (!provoke || random->below(2) == 0) return node.stop(), true;
      provoke();                   // what is asked may reach the node in the middle of its stop
      if (random->below(2) == 0) { // which clients are not waited for as long as such a disk takes
        auto stuck = node.speed();
        stuck.stuck_until = world_.now() + between(*random, 200, 8000) * millisecond;
        node.set_speed(stuck);
      }
      world_.time().after(between(*random, 0, 5000) * microsecond, [&node] { node.stop(); });
      return true;
    });
  if (auto* random = on(what, "early_stop"))
    repeat(*random, "early_stop", 3, [this, random] {
      auto& node = any_node(*random);
      if (!node.powered() || node.disk().is_cut()) return false;
      node.kill(random->below(2) == 0);
      node.power_on();
      node.start();
      world_.time().after(between(*random, 0, 60'000) * microsecond, [&node] { node.stop(); });
      return true;
    });
  if (auto* random = on(what, "failed_open"))
    repeat(*random, "failed_open", 2, [this, random] {
      auto& node = any_node(*random);
      if (node.life() == nullptr || node.disk().is_cut()) return false;
      node.kill(true);
      node.power_on();
      node.disk().faults().inject(
          {disk_operation::read, disk_fault::error, 1 + random->below(30), 1, "/topics/"});
      node.start();
      return true;
    });
  if (auto* random = on(what, "second_start"))
    repeat(*random, "second_start", 2, [this, random] {
      auto& node = any_node(*random);
      if (node.life() == nullptr || node.disk().is_cut()) return false;
      auto changes = node.disk().faults().changes();
      auto why = node.start_twice();
      if (!why || why->code != ec::directory_in_use)
        world_.fail("one_owner", "a second process on one directory was not refused for it: "
                                     + (why ? to_string(*why) : "it started"));
      else if (node.disk().faults().changes() != changes)
        world_.fail("one_owner", "a process that was refused its directory has changed something there");
      return true;
    });
  if (auto* random = on(what, "pause"))
    repeat(*random, "pause", 4, [this, random] {
      auto& node = any_node(*random);
      if (node.life() == nullptr) return false;
      node.life()->pause_until(world_.now() + between(*random, 50, 4000) * millisecond);
      return true;
    });
  if (auto* random = on(what, "client_pause")) arrange_client_pauses(*random);
  if (auto* random = on(what, "slow_cpu"))
    repeat(*random, "slow_cpu", 2, [this, random] {
      auto& node = any_node(*random);
      if (node.life() == nullptr) return false;
      node.life()->set_step_cost(between(*random, 20, 300) * microsecond);
      return true;
    });
}

// Anywhere, or just when it has connected: then a connection can be new, used and gone before its owner looks again.
void faults::arrange_client_pauses(random_source& random) {
  auto stand_still = [this, &random](process& client) {
    client.pause_until(world_.now() + between(random, 50, 4000) * millisecond);
  };
  world_.net().connected = [this, &random, stand_still](const std::string& from) {
    if (calm_ || still_when_connected_.erase(from) == 0) return;
    world_.time().after(between(random, 0, 2000) * microsecond, [this, from, stand_still] {
      for (auto* client : world_.programs())
        if (client->on().address() == from) stand_still(*client);
      came("client_pause");
    });
  };
  repeat(random, "client_pause", 30, [this, &random, stand_still] {
    auto& clients = world_.programs();
    if (clients.empty()) return false;
    auto& chosen = *clients[random.below(clients.size())];
    if (random.below(2) == 0) return stand_still(chosen), true;
    still_when_connected_.insert(chosen.on().address());
    return false; // not yet
  });
}

void faults::arrange_clocks(const scenario& what) {
  if (auto* random = on(what, "drift"))
    repeat(*random, "drift", 3, [this, random] {
      world_.any_machine(*random).set_drift(between(*random, -50'000, 50'000));
      return true;
    });
  if (auto* random = on(what, "wall_jump"))
    repeat(*random, "wall_jump", 3, [this, random] {
      world_.any_machine(*random).jump_wall(between(*random, -86'400, 86'400) * second);
      return true;
    });
}

} // namespace pessoa::sim
