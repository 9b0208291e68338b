#include "schema/crc32c.hpp"

#include "schema/endian.hpp"

#include <algorithm>
#include <array>

#if !defined(PESSOA_PORTABLE_CRC32C) && __has_include(<isa-l/crc.h>)
#  include <isa-l/crc.h>
#  define PESSOA_ISAL_CRC32C 1
#endif

namespace pessoa {

namespace {

constexpr uint32_t polynomial = 0x82f63b78; // 0x1edc6f41 with its bits reversed

// tables[k][b] advances the CRC by byte b and k zero bytes after it, so that eight bytes cost eight
// independent look-ups instead of a chain of eight.
constexpr std::array<std::array<uint32_t, 256>, 8> make_tables() {
  std::array<std::array<uint32_t, 256>, 8> t{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc & 1) != 0 ? (crc >> 1) ^ polynomial : crc >> 1;
    t[0][b] = crc;
  }
  for (size_t k = 1; k < 8; ++k)
    for (size_t b = 0; b < 256; ++b)
      t[k][b] = (t[k - 1][b] >> 8) ^ t[0][t[k - 1][b] & 0xff];
  return t;
}

constexpr auto tables = make_tables();

} // namespace

uint32_t crc32c_portable(byte_view data, uint32_t before) {
  uint32_t crc = ~before;
  const uint8_t* at = data.data();
  size_t left = data.size();
  for (; left >= 8; left -= 8, at += 8) {
    uint64_t word = load_le<uint64_t>(at) ^ crc;
    crc = 0;
    for (size_t k = 0; k < 8; ++k)
      crc ^= tables[7 - k][(word >> (8 * k)) & 0xff];
  }
  for (; left > 0; --left)
    crc = (crc >> 8) ^ tables[0][(crc ^ *at++) & 0xff];
  return ~crc;
}

#ifdef PESSOA_ISAL_CRC32C

uint32_t crc32c(byte_view data, uint32_t before) {
  // isa-l takes an int for the length, works on the inverted value and does not write through its pointer.
  constexpr size_t piece_bytes_max = 1u << 30;
  uint32_t crc = ~before;
  while (!data.empty()) {
    size_t piece = std::min(data.size(), piece_bytes_max);
    crc = crc32_iscsi(const_cast<uint8_t*>(data.data()), static_cast<int>(piece), crc);
    data = data.subspan(piece);
  }
  return ~crc;
}

#else

uint32_t crc32c(byte_view data, uint32_t before) { return crc32c_portable(data, before); }

#endif

} // namespace pessoa
