// A machine of the world: an address, and clocks that go wrong. It outlives the processes on it.
//
// The monotonic clock may run too fast or too slow, and never goes back; the wall clock may be off and jump.
#pragma once

#include "schema/seams/clock.hpp"
#include "simulations/world/timeline.hpp"

#include <string>

namespace pessoa::sim {

class machine final : public clock {
public:
  machine(const timeline& time, std::string address) : time_(time), address_(std::move(address)) {}

  [[nodiscard]] const std::string& address() const { return address_; } // "10.0.0.1"

  [[nodiscard]] instant now() const override { return instant{duration{local(time_.now())}}; }
  [[nodiscard]] timestamp wall() const override {
    return timestamp{wall_began_ms + (local(time_.now()) - local_began + wall_offset_) / millisecond};
  }

  // From now on the monotonic clock gains so many millionths. Requires: above -1,000,000.
  void set_drift(int64_t millionths) {
    auto now = time_.now();
    base_local_ = local(now);
    base_world_ = now;
    drift_ = millionths;
  }
  void jump_wall(world_time by) { wall_offset_ += by; }

  // -- between the two times; local(world_when(x)) >= x ---
  [[nodiscard]] int64_t local(world_time when) const {
    auto span = when - base_world_;
    return base_local_ + span + span / 1'000'000 * drift_ + span % 1'000'000 * drift_ / 1'000'000;
  }
  [[nodiscard]] world_time world_when(int64_t local_time) const {
    if (drift_ == 0) return base_world_ + (local_time - base_local_);
    auto wide = static_cast<__int128>(local_time - base_local_) * 1'000'000 / (1'000'000 + drift_);
    auto when = base_world_ + static_cast<world_time>(wide);
    while (local(when) < local_time)
      ++when;
    return when;
  }

private:
  static constexpr int64_t local_began = 3600 * second; // machines are up for an hour when the world begins
  static constexpr int64_t wall_began_ms = 1'700'000'000'000;

  const timeline& time_;
  std::string address_;
  world_time base_world_ = 0;
  int64_t base_local_ = local_began;
  int64_t drift_ = 0;
  int64_t wall_offset_ = 0;
};

} // namespace pessoa::sim
