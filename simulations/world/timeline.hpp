// The world's one clock and what is due on it: deliveries, ends of I/O, faults. Nanoseconds from the beginning of the run.
//
// Events of the same moment run in the order in which they were asked for.
#pragma once

#include "schema/assert.hpp"
#include "schema/seams/clock.hpp"

#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace pessoa::sim {

using world_time = int64_t; // nanoseconds

inline constexpr world_time microsecond = 1'000;
inline constexpr world_time millisecond = 1'000'000;
inline constexpr world_time second = 1'000'000'000;

class timeline {
public:
  [[nodiscard]] world_time now() const { return now_; }

  // A moment that has passed counts as now.
  void at(world_time when, std::function<void()> what) {
    due_.emplace(std::pair{when > now_ ? when : now_, next_++}, std::move(what));
  }
  void after(world_time span, std::function<void()> what) { at(now_ + span, std::move(what)); }

  [[nodiscard]] std::optional<world_time> next() const {
    if (due_.empty()) return std::nullopt;
    return due_.begin()->first.first;
  }
  // Requires: not the past, and nothing is due before.
  void advance_to(world_time when) {
    PESSOA_ASSERT(when >= now_ && (due_.empty() || due_.begin()->first.first >= when), when, now_);
    now_ = when;
  }
  // Runs the first event that is due by now.
  bool run_one() {
    if (due_.empty() || due_.begin()->first.first > now_) return false;
    auto what = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    what();
    return true;
  }
  [[nodiscard]] size_t size() const { return due_.size(); }

private:
  world_time now_ = 0;
  uint64_t next_ = 0;
  std::map<std::pair<world_time, uint64_t>, std::function<void()>> due_;
};

} // namespace pessoa::sim
