// Fixed-width integers in byte buffers: big-endian for Kafka's formats, little-endian for our own files.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace pessoa {

template <class T>
constexpr T byte_swapped(T x) {
  using u = std::make_unsigned_t<T>;
  if constexpr (sizeof(T) == 1) return x;
  else if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(static_cast<u>(x)));
  else if constexpr (sizeof(T) == 4) return static_cast<T>(__builtin_bswap32(static_cast<u>(x)));
  else return static_cast<T>(__builtin_bswap64(static_cast<u>(x)));
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "pessoa's on-disk integers assume a little-endian machine");

template <class T>
T load_be(const uint8_t* at) { T x; std::memcpy(&x, at, sizeof x); return byte_swapped(x); }
template <class T>
void store_be(uint8_t* at, T x) { x = byte_swapped(x); std::memcpy(at, &x, sizeof x); }
template <class T>
T load_le(const uint8_t* at) { T x; std::memcpy(&x, at, sizeof x); return x; }
template <class T>
void store_le(uint8_t* at, T x) { std::memcpy(at, &x, sizeof x); }

} // namespace pessoa
