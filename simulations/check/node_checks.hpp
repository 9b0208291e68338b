// What is looked at inside a node after each of its steps: the invariants of the rules, and what a high watermark promises.
#pragma once

#include "simulations/check/durability.hpp"
#include "simulations/world/world.hpp"

#include <map>

namespace pessoa::sim {

class node_checks {
public:
  // Lives as long as the world runs.
  node_checks(world& of, node_place& node);

private:
  void look(process& ran);
  void look_at_partition(const caf::abstract_actor& actor);

  world& world_;
  node_place& node_;
  durability_check durable_;
  std::map<partition_key, offset> high_watermarks_; // the highest that anybody was shown
  uint64_t life_ = 0;
};

} // namespace pessoa::sim
