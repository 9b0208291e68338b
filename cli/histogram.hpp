// A log-linear histogram of times: 128 steps per doubling, so that a value read back is at most 0.8 % too high, from
// nanoseconds to hours, in a fixed 40 KiB. Recording is a shift and an increment.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pessoa::cli {

class histogram {
public:
  void record(int64_t nanoseconds);
  void add(const histogram& other);

  [[nodiscard]] uint64_t count() const { return count_; }
  [[nodiscard]] int64_t max() const { return max_; }
  // The smallest recorded step that at least this share of all values does not exceed. Requires: 0 < share <= 1. 0 if empty.
  [[nodiscard]] int64_t quantile(double share) const;

private:
  static constexpr int step_bits = 7;
  static constexpr int64_t steps = 1 << step_bits; // per doubling
  static constexpr int doublings = 40;             // the last begins at 2^46 ns, about 20 hours
  static size_t index_of(int64_t value);
  static int64_t highest_of(size_t index);

  std::array<uint64_t, static_cast<size_t>(steps) * (doublings + 1)> counts_{};
  uint64_t count_ = 0;
  int64_t max_ = 0;
};

} // namespace pessoa::cli
