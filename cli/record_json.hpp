// A record as one JSON object per line, both ways:
// {"topic","partition","offset","timestamp","key","value","headers":[{"key","value"}]}
//
// A null is null; bytes that are not UTF-8 are {"base64":"..."}. What is printed reads back byte for byte.
#pragma once

#include "cli/record_format.hpp"

#include <optional>
#include <string>
#include <vector>

namespace pessoa::cli {

// Strict: no surrogates, no overlong forms, nothing above U+10FFFF.
bool is_utf8(std::string_view text);
// With the quotation marks. Requires: is_utf8(text).
void append_json_string(std::string& out, std::string_view text);
// null, a string, or {"base64":...}.
void append_json_bytes(std::string& out, const std::optional<byte_view>& data);
// With the newline.
void append_json_record(std::string& out, const placed_record& placed);

// A record read from JSON; owns its bytes. Topic and offset are accepted and not kept: the target decides
// them.
struct json_record {
  struct header {
    std::string key;
    std::optional<std::string> value;
  };
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<header> headers;
  std::optional<int32_t> partition;
  timestamp time = no_timestamp;
};

// Strict, so that a slip ("vlaue") does not become a null: unknown fields and a missing value are errors.
// Error: invalid_record.
result<json_record> parse_json_record(std::string_view line);

std::string base64(std::string_view data);
std::optional<std::string> from_base64(std::string_view text);

} // namespace pessoa::cli
