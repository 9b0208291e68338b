// One record as people think of it: key, value, headers, a time. Null and empty are different things.
#pragma once

#include "schema/bytes.hpp"
#include "schema/ids.hpp"

#include <optional>
#include <vector>

namespace pessoa {

// A borrowed header. The key is UTF-8 by convention and never null; the value may be null.
struct header_view {
  std::string_view key;
  std::optional<byte_view> value;
};

// A borrowed record: views into a batch or into a caller's memory, valid as long as that lives.
struct record_view {
  timestamp time = no_timestamp;
  std::optional<byte_view> key;
  std::optional<byte_view> value;
  std::vector<header_view> headers;
};

} // namespace pessoa
