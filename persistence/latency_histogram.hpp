// Counts durations in powers of two: bucket i holds those below 2^i microseconds, the last one all that are
// longer. Thread-safe.
#pragma once

#include "schema/seams/clock.hpp"

#include <array>
#include <atomic>
#include <vector>

namespace pessoa::persistence {

class latency_histogram {
public:
  static constexpr size_t buckets = 32;

  void add(duration took) {
    auto micros = static_cast<uint64_t>(std::max<int64_t>(took.count() / 1000, 0));
    size_t bucket = 0;
    while (bucket + 1 < buckets && micros >= (uint64_t{1} << bucket))
      ++bucket;
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
  }
  [[nodiscard]] std::vector<uint64_t> counts() const {
    std::vector<uint64_t> all;
    for (auto& count : counts_)
      all.push_back(count.load(std::memory_order_relaxed));
    return all;
  }

private:
  std::array<std::atomic<uint64_t>, buckets> counts_{};
};

} // namespace pessoa::persistence
