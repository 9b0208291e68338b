// Values as people type them. Each is taken whole or refused (invalid_argument with the text and what is
// expected).
#pragma once

#include "schema/ids.hpp"
#include "schema/result.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace pessoa::cli {

// Decimal digits, with a sign where `min` is negative.
result<int64_t> parse_integer(std::string_view text, int64_t min, int64_t max, std::string_view what);
// 250ms, 10s, 5m, 2h, 7d; a bare number is refused: seconds and milliseconds are too easily confused.
result<std::chrono::milliseconds> parse_duration(std::string_view text);
// 100, 64k, 1M, 10KiB, 4GiB: k, M, G are decimal; KiB, MiB, GiB binary.
result<uint64_t> parse_amount(std::string_view text, std::string_view what);
// Records per second: 1000, 10k, 2.5/s, 1000/s. Above 0.
result<double> parse_rate(std::string_view text);
// An RFC 3339 time, milliseconds since 1970, or a duration back from `now` ("-1h").
result<timestamp> parse_time(std::string_view text, timestamp now);
// "k=v", split at the first '='. `what` is for the message.
result<std::pair<std::string, std::string>> parse_pair(std::string_view text, std::string_view what);

std::string format_time(timestamp t);     // 2026-11-20T10:43:00.123Z
std::string format_bytes(double bytes);   // "12.3 MB"
std::string format_count(uint64_t count); // "1,234,567"

} // namespace pessoa::cli
