// When to try again, and what to remember of what failed.
#pragma once

#include "pessoa/error.hpp"
#include "schema/seams/clock.hpp"
#include "schema/seams/random.hpp"

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

namespace pessoa::client {

// Pauses that double from `first` to `max`, each up to a fifth longer or shorter so that many clients do not
// come back in step after an outage. None is shorter than `least`, whatever is set: a client without pauses would come back
// thousands of times a second.
struct backoff_policy {
  static constexpr duration least = std::chrono::milliseconds{1};
  duration first{};
  duration max{};

  // Before repetition number `failures` (from 1).
  [[nodiscard]] duration pause(uint32_t failures, random_source& random) const {
    auto base = std::max(first, least), longest = std::max(max, least);
    for (uint32_t i = 1; i < failures && base < longest; ++i)
      base *= 2;
    base = std::min(base, longest);
    auto fifth = base.count() / 5;
    return base - duration{fifth}
           + duration{static_cast<int64_t>(random.below(static_cast<uint64_t>(2 * fifth)))};
  }
};

// The last few reasons, repeated ones once.
class cause_list {
public:
  void add(std::string cause) {
    if (!causes_.empty() && causes_.back() == cause) return;
    causes_.push_back(std::move(cause));
    if (causes_.size() > last_causes_max) causes_.pop_front();
  }
  void add(const error& e) {
    if (e.last_causes.empty()) add(to_string(e));
    for (auto& cause : e.last_causes)
      add(cause);
  }
  void clear() { causes_.clear(); }
  [[nodiscard]] bool empty() const { return causes_.empty(); }
  [[nodiscard]] std::vector<std::string> list() const { return {causes_.begin(), causes_.end()}; }

private:
  std::deque<std::string> causes_;
};

// What a client can do after an attempt failed.
enum class next_step {
  repeat,  // nothing was done: the same again after a pause
  refresh, // likewise, with new metadata
  doubt,   // it may have been done: again only if that is harmless
  give_up, // this request cannot succeed
  end,     // nothing of this producer or consumer can succeed any more
};

inline next_step judge(const error& e) {
  // The replica is offline until a person looks after its disk; another may take over its partitions.
  if (e.code == ec::storage_failed) return next_step::refresh;
  switch (e.category) {
  case error_category::retriable:
    return next_step::repeat;
  case error_category::refresh:
    return next_step::refresh;
  case error_category::unknown:
    return next_step::doubt;
  case error_category::fatal:
    return next_step::end;
  case error_category::none:
  case error_category::request:
  case error_category::environment:
    break;
  }
  return next_step::give_up;
}

} // namespace pessoa::client
