#include "cli/histogram.hpp"

#include "schema/assert.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace pessoa::cli {

// Values below 2^step_bits have a counter each; above, each doubling has `steps` of them.
size_t histogram::index_of(int64_t value) {
  if (value < steps) return static_cast<size_t>(value);
  int shift = std::bit_width(static_cast<uint64_t>(value)) - 1 - step_bits;
  if (shift >= doublings) return static_cast<size_t>(steps) * (doublings + 1) - 1;
  return static_cast<size_t>(steps * (shift + 1) + ((value >> shift) - steps));
}

int64_t histogram::highest_of(size_t index) {
  auto i = static_cast<int64_t>(index);
  if (i < steps) return i;
  auto shift = i / steps - 1;
  return ((steps + i % steps + 1) << shift) - 1;
}

void histogram::record(int64_t nanoseconds) {
  nanoseconds = std::max<int64_t>(0, nanoseconds);
  ++counts_[index_of(nanoseconds)];
  ++count_;
  max_ = std::max(max_, nanoseconds);
}

void histogram::add(const histogram& other) {
  for (size_t i = 0; i < counts_.size(); ++i)
    counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

int64_t histogram::quantile(double share) const {
  PESSOA_ASSERT(share > 0 && share <= 1, share);
  auto wanted = static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= wanted && seen > 0) return std::min(highest_of(i), max_);
  }
  return 0;
}

} // namespace pessoa::cli
