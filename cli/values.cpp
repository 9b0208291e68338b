#include "cli/values.hpp"

#include "schema/topic_config.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

namespace pessoa::cli {

namespace {

error bad(std::string_view text, std::string_view expected) {
  return {ec::invalid_argument, pessoa::quoted(text) + " is not " + std::string{expected}};
}

// Digits and an optional fraction, then a unit; nullopt when there is no number at the front.
struct quantity {
  double number;
  std::string_view unit;
};
std::optional<quantity> split_quantity(std::string_view text) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  double number = 0;
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (parsed.ec != std::errc{}) return std::nullopt;
  return quantity{number, text.substr(static_cast<size_t>(parsed.ptr - text.data()))};
}

// Reads exactly `count` digits at the front of `text` and takes them away.
std::optional<int> digits(std::string_view& text, size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}
bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<timestamp> parse_rfc3339(std::string_view text) {
  namespace ch = std::chrono;
  auto year = digits(text, 4);
  if (!year || !take(text, "-")) return std::nullopt;
  auto month = digits(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  auto day = digits(text, 2);
  if (!day || !take(text, "Tt ")) return std::nullopt;
  auto hour = digits(text, 2);
  if (!hour || !take(text, ":")) return std::nullopt;
  auto minute = digits(text, 2);
  if (!minute || !take(text, ":")) return std::nullopt;
  auto second = digits(text, 2);
  if (!second) return std::nullopt;
  int64_t millis = 0;
  if (take(text, ".")) {
    int64_t scale = 100;
    bool any = false;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      millis += (text.front() - '0') * scale;
      scale /= 10;
      any = true;
      text.remove_prefix(1);
    }
    if (!any) return std::nullopt;
  }
  int64_t zone_minutes = 0;
  if (!take(text, "Zz")) {
    bool west = !text.empty() && text.front() == '-';
    if (!take(text, "+-")) return std::nullopt;
    auto zone_hour = digits(text, 2);
    if (!zone_hour || !take(text, ":")) return std::nullopt;
    auto zone_minute = digits(text, 2);
    if (!zone_minute || *zone_hour > 23 || *zone_minute > 59) return std::nullopt;
    zone_minutes = (*zone_hour * 60 + *zone_minute) * (west ? -1 : 1);
  }
  ch::year_month_day date{ch::year{*year}, ch::month{static_cast<unsigned>(*month)},
                          ch::day{static_cast<unsigned>(*day)}};
  // A leap second is taken as the first instant after it.
  if (!text.empty() || !date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  int64_t days = ch::sys_days{date}.time_since_epoch().count();
  int64_t minutes = (days * 24 + *hour) * 60 + *minute - zone_minutes;
  return timestamp{(minutes * 60 + *second) * 1000 + millis};
}

} // namespace

result<int64_t> parse_integer(std::string_view text, int64_t min, int64_t max, std::string_view what) {
  int64_t value = 0;
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  bool whole = !text.empty() && parsed.ptr == text.data() + text.size();
  if (parsed.ec != std::errc{} || !whole || value < min || value > max) {
    auto high = max == std::numeric_limits<int64_t>::max() ? std::string{"2^63-1"} : std::to_string(max);
    return bad(text, fmt::format("{} (a whole number from {} to {})", what, min, high));
  }
  return value;
}

result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  auto parts = split_quantity(text);
  double unit_ms = 0;
  if (parts) {
    if (parts->unit == "ms")
      unit_ms = 1;
    else if (parts->unit == "s")
      unit_ms = 1000;
    else if (parts->unit == "m")
      unit_ms = 60e3;
    else if (parts->unit == "h")
      unit_ms = 3600e3;
    else if (parts->unit == "d")
      unit_ms = 86400e3;
  }
  constexpr double ten_years_ms = 10.0 * 366 * 86400e3;
  if (unit_ms == 0 || parts->number * unit_ms > ten_years_ms)
    return bad(text, "a duration such as 250ms, 10s, 5m, 2h or 7d");
  return std::chrono::milliseconds{std::llround(parts->number * unit_ms)};
}

result<uint64_t> parse_amount(std::string_view text, std::string_view what) {
  auto parts = split_quantity(text);
  double scale = 0;
  if (parts) {
    auto unit = parts->unit;
    if (unit.empty())
      scale = 1;
    else if (unit == "k" || unit == "K")
      scale = 1e3;
    else if (unit == "M")
      scale = 1e6;
    else if (unit == "G")
      scale = 1e9;
    else if (unit == "KiB")
      scale = 1024;
    else if (unit == "MiB")
      scale = 1024.0 * 1024;
    else if (unit == "GiB")
      scale = 1024.0 * 1024 * 1024;
  }
  double value = scale == 0 ? 0 : parts->number * scale;
  if (scale == 0 || value > 9e18 || value != std::floor(value))
    return bad(text, std::string{what} + " such as 500, 10k, 2M or 64KiB");
  return static_cast<uint64_t>(value);
}

result<double> parse_rate(std::string_view text) {
  auto number = text;
  if (number.ends_with("/s")) number.remove_suffix(2);
  auto parts = split_quantity(number);
  double scale = 0;
  if (parts) {
    if (parts->unit.empty())
      scale = 1;
    else if (parts->unit == "k")
      scale = 1e3;
    else if (parts->unit == "M")
      scale = 1e6;
  }
  if (scale == 0 || parts->number * scale <= 0 || parts->number * scale > 1e9)
    return bad(text, "a rate of records per second above 0, such as 1000/s or 10k");
  return parts->number * scale;
}

result<timestamp> parse_time(std::string_view text, timestamp now) {
  auto refused =
      bad(text, "a time: RFC 3339 (2026-11-20T10:43:00Z), milliseconds since 1970, or -1h for an hour ago");
  if (text.starts_with('-')) {
    auto back = parse_duration(text.substr(1));
    if (!back) return refused;
    return timestamp{std::max<int64_t>(0, now.value() - back->count())};
  }
  int64_t millis = 0;
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), millis);
  if (!text.empty() && parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size())
    return timestamp{millis};
  if (auto date = parse_rfc3339(text)) return *date;
  return refused;
}

result<std::pair<std::string, std::string>> parse_pair(std::string_view text, std::string_view what) {
  auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return bad(text, std::string{what} + " of the form KEY=VALUE");
  return std::pair{std::string{text.substr(0, equals)}, std::string{text.substr(equals + 1)}};
}

std::string format_time(timestamp t) {
  namespace ch = std::chrono;
  ch::sys_time<ch::milliseconds> at{ch::milliseconds{t.value()}};
  auto day = ch::floor<ch::days>(at);
  ch::year_month_day date{day};
  ch::hh_mm_ss time{at - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

std::string format_bytes(double bytes) {
  static constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < std::size(units)) {
    bytes /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, units[unit]);
}

std::string format_count(uint64_t count) {
  auto text = std::to_string(count);
  for (auto at = static_cast<int64_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<size_t>(at), ",");
  return text;
}

} // namespace pessoa::cli
