// Record bytes travel as shared immutable buffers: one allocation, many readers, no copy between the rooms of the house.
//
// `bytes` is a view with an owner. It is written before it is shared and never after.
#pragma once

#include "schema/assert.hpp"

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pessoa {

using byte_view = std::span<const uint8_t>;

inline byte_view as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(byte_view view) {
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}
inline bool same_bytes(byte_view a, byte_view b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

class bytes {
public:
  bytes() = default;
  // Takes over any owner whose memory stays put: a vector, a string, a message.
  bytes(std::shared_ptr<const void> owner, byte_view view) : owner_(std::move(owner)), view_(view) {}

  static bytes take(std::vector<uint8_t> data) {
    auto owner = std::make_shared<const std::vector<uint8_t>>(std::move(data));
    return {owner, byte_view{*owner}};
  }
  static bytes copy(byte_view data) { return take({data.begin(), data.end()}); }

  [[nodiscard]] const uint8_t* data() const { return view_.data(); }
  [[nodiscard]] size_t size() const { return view_.size(); }
  [[nodiscard]] bool empty() const { return view_.empty(); }
  [[nodiscard]] byte_view view() const { return view_; }
  operator byte_view() const { return view_; }

  // A part of it that keeps the whole alive. Requires: begin + count <= size().
  [[nodiscard]] bytes slice(size_t begin, size_t count) const {
    PESSOA_ASSERT(begin <= size() && count <= size() - begin, begin, count, size());
    return {owner_, view_.subspan(begin, count)};
  }

private:
  std::shared_ptr<const void> owner_;
  byte_view view_;
};

} // namespace pessoa
