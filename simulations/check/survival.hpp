// Whatever clients do, a node goes on: its process does not end by itself unless its disk gave it a reason, and its memory
// stays within its budget.
//
// An end by itself is one that nobody brought about: not a kill, a power cut or a stop. The disk gave a reason when it
// refused an operation in the life that ended, or had too little room at some moment of it; an end long after a fault in an
// earlier life has none. What the disk makes of memory it got (lost and torn bytes) is never a reason: that is what a node
// is there for.
//
// Memory is that of the whole process, for which the allocator is asked once a virtual second, less what the simulated disk
// holds. The bound is generous: budgets, what strangers may hold before they are known, and a margin for everything else.
#pragma once

#include "simulations/world/world.hpp"

namespace pessoa::sim {

class survival {
public:
  static constexpr const char* unexpected_end = "no_unexpected_end";
  static constexpr const char* memory = "memory_is_bounded";

  // Lives as long as the world runs.
  survival(world& of, node_place& node);

private:
  void look();
  void weigh();

  world& world_;
  node_place& node_;
  uint64_t life_ = 0, ends_ = 0;
  bool short_of_room_ = false; // in this life
  int64_t began_with_ = 0;
};

} // namespace pessoa::sim
