// A fuzzer's input, taken apart from its front: first the choices, then the bytes they are about.
#pragma once

#include "schema/bytes.hpp"

#include <algorithm>
#include <vector>

namespace pessoa::fuzz {

class byte_source {
public:
  byte_source(const uint8_t* data, size_t size) : rest_(data, size) {}

  // 0 when there is nothing left.
  uint8_t byte() {
    if (rest_.empty()) return 0;
    uint8_t x = rest_[0];
    rest_ = rest_.subspan(1);
    return x;
  }
  uint16_t number() {
    uint8_t high = byte();
    return static_cast<uint16_t>(high << 8 | byte());
  }
  byte_view take(size_t size_max) {
    auto part = rest_.first(std::min(size_max, rest_.size()));
    rest_ = rest_.subspan(part.size());
    return part;
  }
  byte_view rest() { return take(rest_.size()); }

private:
  byte_view rest_;
};

// In a buffer without a byte to spare: a vector that has grown hides reads behind its end from the address
// sanitizer.
inline std::vector<uint8_t> exact(byte_view data) { return {data.begin(), data.end()}; }

} // namespace pessoa::fuzz
