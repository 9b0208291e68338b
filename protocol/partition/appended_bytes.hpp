// How many bytes lie between an offset and the high watermark? For fetches that wait for `bytes_min`
// (KIP-74).
//
// Exact for the most recent batches; about older ones it only knows that they are "enough", so a fetch from
// there is answered at once. Positions count bytes appended in this epoch, from 0, and fall back only when
// appends are undone.
#pragma once

#include "schema/ids.hpp"

#include <cstdint>
#include <deque>
#include <optional>

namespace pessoa::protocol {

class appended_bytes {
public:
  // Remembered below the high watermark; what lies above is remembered whole (it is bounded where it is let
  // in).
  static constexpr size_t batches_max = 1024;

  explicit appended_bytes(offset log_end) : end_(log_end) {}

  // A batch of `size` bytes now ends at `end`. Requires: end lies above the former one.
  void append(offset end, size_t size, offset high_watermark);
  // Batches at or above `log_end` are undone. Requires: it is the end of a batch, and not below the high
  // watermark.
  void undo(offset log_end);

  // The position at which the batch that contains `at` begins; nullopt when that is too long ago to know
  // (never at or above the high watermark). Requires: at <= end().
  [[nodiscard]] std::optional<uint64_t> position(offset at) const;
  [[nodiscard]] offset end() const { return end_; }
  [[nodiscard]] uint64_t end_position() const { return end_position_; }

private:
  struct batch {
    offset base;
    uint64_t begin_position;
  };
  std::deque<batch> recent_; // oldest first, contiguous up to end_
  offset end_;
  uint64_t end_position_ = 0;
};

} // namespace pessoa::protocol
