// What goes wrong during a run: kinds that are on or off per seed, events at drawn moments, all of it undone by calm().
#pragma once

#include "simulations/check/damage.hpp"
#include "simulations/run/fault_kinds.hpp"
#include "simulations/run/scenario.hpp"
#include "simulations/world/world.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace pessoa::sim {

class faults {
public:
  // Hears of every file whose bytes are not, from now on, what was written.
  using damage_hook = std::function<void(const std::string& path, damage how)>;
  // Draws what will happen in [begin, end), and arranges for it.
  faults(world& of, const scenario& what, world_time begin, world_time end, damage_hook on_damage);

  // Makes somebody ask for changes now: in the middle of a stop, or of a full disk. May be empty.
  std::function<void()> provoke;

  // Everything is healed, and nothing more goes wrong.
  void calm();
  [[nodiscard]] const std::map<std::string, uint64_t>& counts() const { return counts_; } // that took effect
  [[nodiscard]] uint64_t total() const;

private:
  // The kind's own randomness, or null when it is off: leaving out one kind changes nothing of the others.
  random_source* on(const scenario& what, const std::string& kind);
  void repeat(random_source& random, const std::string& kind, int64_t times_max,
              std::function<bool()> strike);
  void arrange_processes(const scenario& what);
  void arrange_client_pauses(random_source& random);
  void arrange_disks(const scenario& what);
  void arrange_damage(const scenario& what);
  void struck(disk_operation op, disk_fault fault, const std::string& path);
  bool rot(node_place& node, random_source& random);
  void arrange_network(const scenario& what);
  void arrange_clocks(const scenario& what);
  void came(const std::string& kind) { ++counts_[kind]; }
  node_place& any_node(random_source& random);

  world& world_;
  world_time begin_, end_;
  damage_hook on_damage_;
  bool calm_ = false;
  std::map<std::string, seeded_random> streams_;
  std::map<std::string, uint64_t> counts_;
  std::set<std::string> still_when_connected_; // addresses of clients
};

} // namespace pessoa::sim
