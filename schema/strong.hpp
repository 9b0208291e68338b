// Numbers with a meaning: a strong type per id, offset and epoch, so that an offset never silently becomes an epoch.
//
// Promises: no implicit conversion in either direction, total order, hash, and arithmetic only where the tag allows it.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <ostream>
#include <type_traits>

namespace pessoa {

// Tags derive from one of these to say what arithmetic makes sense.
struct plain_number {};   // identity only: node ids, producer ids
struct counting_number {};// may be advanced and measured: offsets, epochs

template <class Tag, class Rep>
class strong {
public:
  using rep = Rep;
  static constexpr bool counts = std::is_base_of_v<counting_number, Tag>;

  constexpr strong() = default;
  constexpr explicit strong(Rep value) : value_(value) {}

  [[nodiscard]] constexpr Rep value() const { return value_; }

  friend constexpr auto operator<=>(strong, strong) = default;
  friend constexpr bool operator==(strong, strong) = default;

  friend constexpr strong operator+(strong a, Rep n) requires counts { return strong{static_cast<Rep>(a.value_ + n)}; }
  friend constexpr strong operator-(strong a, Rep n) requires counts { return strong{static_cast<Rep>(a.value_ - n)}; }
  friend constexpr Rep operator-(strong a, strong b) requires counts { return static_cast<Rep>(a.value_ - b.value_); }
  constexpr strong& operator+=(Rep n) requires counts { value_ = static_cast<Rep>(value_ + n); return *this; }
  constexpr strong& operator++() requires counts { ++value_; return *this; }

  friend std::ostream& operator<<(std::ostream& out, strong x) { return out << +x.value_; }

private:
  Rep value_{};
};

} // namespace pessoa

template <class Tag, class Rep>
struct std::hash<pessoa::strong<Tag, Rep>> {
  size_t operator()(pessoa::strong<Tag, Rep> x) const noexcept { return std::hash<Rep>{}(x.value()); }
};
