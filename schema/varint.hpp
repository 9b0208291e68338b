// Kafka's variable-length integers: zigzag, seven bits per byte, lowest first, the high bit says "more
// follows".
//
// Reading never passes `end` and refuses what does not fit the type: a sixth byte of a varint, an eleventh of
// a varlong, or bits in the last byte beyond the 32nd or 64th. Longer forms than needed are read (Kafka reads
// them too); writing always gives the shortest. docs/formats/record-batch.md has examples.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pessoa {

inline constexpr size_t varint_bytes_max = 5;
inline constexpr size_t varlong_bytes_max = 10;

constexpr uint32_t zigzag(int32_t x) {
  return (static_cast<uint32_t>(x) << 1) ^ static_cast<uint32_t>(x >> 31);
}
constexpr uint64_t zigzag(int64_t x) {
  return (static_cast<uint64_t>(x) << 1) ^ static_cast<uint64_t>(x >> 63);
}
constexpr int32_t unzigzag(uint32_t x) { return static_cast<int32_t>((x >> 1) ^ (~(x & 1) + 1)); }
constexpr int64_t unzigzag(uint64_t x) { return static_cast<int64_t>((x >> 1) ^ (~(x & 1) + 1)); }

// How many bytes the number takes.
constexpr size_t varint_size(int32_t x) {
  return (static_cast<size_t>(31 - __builtin_clz(zigzag(x) | 1)) + 7) / 7;
}
constexpr size_t varlong_size(int64_t x) {
  return (static_cast<size_t>(63 - __builtin_clzll(zigzag(x) | 1)) + 7) / 7;
}

namespace detail {

template <class U>
constexpr uint8_t* write_base128(uint8_t* at, U x) {
  while (x >= 0x80) {
    *at++ = static_cast<uint8_t>(x | 0x80);
    x >>= 7;
  }
  *at++ = static_cast<uint8_t>(x);
  return at;
}

// Three bytes and more, and what is wrong. Apart, so that the short forms below stay short where they are
// inlined.
template <class U>
[[gnu::noinline]] constexpr const uint8_t* read_long_base128(const uint8_t* at, const uint8_t* end, U& x) {
  constexpr unsigned bits = sizeof(U) * 8;
  x = 0;
  for (unsigned shift = 0; at != end && shift < bits; shift += 7) {
    uint8_t byte = *at++;
    if (bits - shift < 7 && (byte >> (bits - shift)) != 0) return nullptr;
    x |= static_cast<U>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return at;
  }
  return nullptr;
}

template <class U>
[[gnu::always_inline]] constexpr const uint8_t* read_base128(const uint8_t* at, const uint8_t* end, U& x) {
  // Nearly all numbers of a batch take one byte or two.
  if (end - at >= 2) {
    if (at[0] < 0x80) {
      x = at[0];
      return at + 1;
    }
    if (at[1] < 0x80) {
      x = static_cast<U>(at[0] & 0x7f) | static_cast<U>(at[1]) << 7;
      return at + 2;
    }
  }
  return read_long_base128(at, end, x);
}

} // namespace detail

// Writes at `at` and returns the place after it. Requires: room for varint_size / varlong_size bytes.
constexpr uint8_t* write_varint(uint8_t* at, int32_t x) { return detail::write_base128(at, zigzag(x)); }
constexpr uint8_t* write_varlong(uint8_t* at, int64_t x) { return detail::write_base128(at, zigzag(x)); }

// Reads from [at, end) and returns the place after it; nullptr when it is cut off or does not fit.
constexpr const uint8_t* read_varint(const uint8_t* at, const uint8_t* end, int32_t& x) {
  uint32_t raw = 0;
  at = detail::read_base128(at, end, raw);
  x = unzigzag(raw);
  return at;
}
constexpr const uint8_t* read_varlong(const uint8_t* at, const uint8_t* end, int64_t& x) {
  uint64_t raw = 0;
  at = detail::read_base128(at, end, raw);
  x = unzigzag(raw);
  return at;
}

} // namespace pessoa
