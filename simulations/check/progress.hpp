// Time goes on: a program that works without end at one moment of virtual time would stop the world.
#pragma once

#include "simulations/world/world.hpp"

namespace pessoa::sim {

class progress_check {
public:
  static constexpr const char* name = "time_goes_on";
  static constexpr const char* about = "nobody works without end at one moment of virtual time";

  // Lives as long as the world runs.
  explicit progress_check(world& of);

private:
  // As many as more than twenty busy seconds of virtual time take.
  static constexpr uint64_t steps_max = 200'000;

  world& world_;
  world_time moment_ = 0;
  uint64_t steps_ = 0; // in it
};

} // namespace pessoa::sim
