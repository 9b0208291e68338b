// Draws random messages, for round trips and fuzzing: whatever comes out can be encoded in its version and comes back
// equal. Small and mean: empty parts, edges of numbers, nulls wherever they are allowed, payloads around the size from
// which they go out by reference. Not linked into a node.
#pragma once

#include "kafka/codec/payload.hpp"
#include "schema/ids.hpp"
#include "schema/seams/random.hpp"

#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace pessoa::kafka {

class drawer {
public:
  explicit drawer(random_source& random) : random_(random) {}

  // Two times of three: whether a tagged field is drawn, or keeps its default and is left out.
  bool often() { return random_.below(3) > 0; }

  template <std::integral T>
  void draw(T& out, int16_t) {
    using limits = std::numeric_limits<T>;
    switch (random_.below(6)) {
    case 0:
      out = limits::min();
      break;
    case 1:
      out = limits::max();
      break;
    case 2:
      out = static_cast<T>(-1);
      break;
    default:
      out = static_cast<T>(random_.below(200));
    }
  }
  void draw(bool& out, int16_t) { out = random_.below(2) == 1; }
  void draw(topic_id& out, int16_t) {
    out = random_.below(4) == 0 ? topic_id{} : topic_id{draw_uuid(random_)};
  }
  void draw(std::string& out, int16_t) {
    out.clear();
    // 130 and more need a second byte of compact length.
    for (auto size = random_.below(12) == 0 ? 130 + random_.below(200) : random_.below(20); size > 0; --size)
      out.push_back(static_cast<char>(random_.below(256)));
  }
  void draw(payload& out, int16_t) {
    std::vector<uint8_t> data(random_.below(3) == 0 ? 500 + random_.below(30) : random_.below(40));
    for (auto& byte : data)
      byte = static_cast<uint8_t>(random_.next());
    out = payload{bytes::take(std::move(data))};
  }
  template <class T>
  void draw(std::vector<T>& out, int16_t version) {
    out.clear();
    out.resize(random_.below(4));
    for (auto& element : out)
      draw(element, version);
  }
  template <class T>
  void draw(std::optional<T>& out, int16_t version, bool nullable) {
    if (nullable && random_.below(4) == 0)
      out.reset();
    else
      draw(out.emplace(), version);
  }
  template <class T>
  requires requires(T& x, drawer& d) { x.draw(d, int16_t{}); }
  void draw(T& out, int16_t version) { out.draw(*this, version); }

private:
  random_source& random_;
};

} // namespace pessoa::kafka
