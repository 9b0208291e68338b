// The table of APIs that the codec knows: keys, names, versions, and which headers go with a version.
//
// Generated from kafka/definitions/. What a client is told is another table: kafka/codec/advertised.hpp.
#pragma once

#include "kafka/messages/api_key.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace pessoa::kafka {

struct version_range {
  int16_t min = 0, max = 0;

  [[nodiscard]] bool contains(int16_t version) const { return min <= version && version <= max; }
  friend bool operator==(const version_range&, const version_range&) = default;
};

struct api_info {
  api_key key;
  std::string_view name;         // Kafka's: "ApiVersions"
  version_range codec;           // the versions that can be decoded and encoded
  int16_t flexible_from;         // INT16_MAX: never
  int16_t fixed_response_header; // -1: as the flexibility says

  [[nodiscard]] int16_t request_header(int16_t version) const { return version >= flexible_from ? 2 : 1; }
  [[nodiscard]] int16_t response_header(int16_t version) const {
    if (fixed_response_header >= 0) return fixed_response_header;
    return version >= flexible_from ? 1 : 0;
  }
};

// In the order of keys.
std::span<const api_info> all_apis();
// Null when the codec does not know the key.
const api_info* find_api(int16_t key);
const api_info& info(api_key key);

} // namespace pessoa::kafka
