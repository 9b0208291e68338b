#include "schema/ids.hpp"

#include "schema/seams/random.hpp"

namespace pessoa {

namespace {

constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr size_t base64_length = 22;
constexpr size_t hex_length = 36;

int base64_value(char c) {
  for (int i = 0; i < 64; ++i)
    if (alphabet[i] == c) return i;
  return -1;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::array<uint8_t, 16>> parse_hex(std::string_view text) {
  std::array<uint8_t, 16> raw{};
  size_t digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    bool hyphen_here = i == 8 || i == 13 || i == 18 || i == 23;
    if (hyphen_here != (text[i] == '-')) return std::nullopt;
    if (hyphen_here) continue;
    int v = hex_value(text[i]);
    if (v < 0) return std::nullopt;
    raw[digits / 2] = static_cast<uint8_t>(raw[digits / 2] << 4 | v);
    ++digits;
  }
  return raw;
}

std::optional<std::array<uint8_t, 16>> parse_base64(std::string_view text) {
  std::array<uint8_t, 16> raw{};
  uint32_t bits = 0;
  int count = 0;
  size_t at = 0;
  for (char c : text) {
    int v = base64_value(c);
    if (v < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(v);
    count += 6;
    if (count >= 8 && at < raw.size()) {
      count -= 8;
      raw[at++] = static_cast<uint8_t>(bits >> count);
    }
  }
  // 22 characters carry 132 bits: the four that are left must be zero, or two texts would name one id.
  if ((bits & ((1u << count) - 1)) != 0) return std::nullopt;
  return raw;
}

} // namespace

std::array<uint8_t, 16> draw_uuid(random_source& random) {
  std::array<uint8_t, 16> raw{};
  do {
    for (size_t half = 0; half < 2; ++half) {
      uint64_t word = random.next();
      for (size_t i = 0; i < 8; ++i)
        raw[half * 8 + i] = static_cast<uint8_t>(word >> (8 * i));
    }
    raw[6] = static_cast<uint8_t>((raw[6] & 0x0f) | 0x40);
    raw[8] = static_cast<uint8_t>((raw[8] & 0x3f) | 0x80);
  } while (uuid_text(raw).front() == '-');
  return raw;
}

std::string uuid_text(const std::array<uint8_t, 16>& raw) {
  std::string text;
  text.reserve(base64_length);
  uint32_t bits = 0;
  int count = 0;
  for (uint8_t byte : raw) {
    bits = bits << 8 | byte;
    count += 8;
    while (count >= 6) {
      count -= 6;
      text.push_back(alphabet[(bits >> count) & 63]);
    }
  }
  text.push_back(alphabet[(bits << (6 - count)) & 63]);
  return text;
}

std::optional<std::array<uint8_t, 16>> parse_uuid(std::string_view text) {
  if (text.size() == base64_length) return parse_base64(text);
  if (text.size() == hex_length) return parse_hex(text);
  return std::nullopt;
}

std::string to_string(const partition_key& key) {
  return to_string(key.topic) + "-" + std::to_string(key.index.value());
}

} // namespace pessoa
