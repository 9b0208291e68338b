// Which of the things that could run runs next. Two policies, chosen per seed, because each finds what the other misses:
// uniform picking mixes everything; priorities with change points let one actor starve for long.
#pragma once

#include "simulations/world/process.hpp"
#include "simulations/world/streams.hpp"

#include <map>
#include <utility>
#include <vector>

namespace pessoa::sim {

class scheduling {
public:
  enum class policy : uint8_t { uniform, priorities };

  scheduling(policy which, random_source& random) : policy_(which), random_(random) { draw_change(); }

  // Requires: something can run.
  size_t pick(const std::vector<process::item>& items);

private:
  using key = std::pair<uint64_t, uint64_t>; // the process's label, identity
  static constexpr uint64_t steps_between_changes_max = 2000;

  void draw_change() { left_ = 1 + random_.below(steps_between_changes_max); }

  policy policy_;
  random_source& random_;
  std::map<key, uint64_t> priority_;
  uint64_t left_ = 0; // steps until the one that runs goes to the end
  uint64_t lowest_ = UINT64_MAX / 2;
};

} // namespace pessoa::sim
