#include "cli/offset_expression.hpp"

#include "cli/values.hpp"
#include "schema/topic_config.hpp"

#include <algorithm>
#include <charconv>

namespace pessoa::cli {

namespace {

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t value = 0;
  bool digit = !text.empty() && text.front() >= '0' && text.front() <= '9';
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!digit || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<place> parse_place(std::string_view text, timestamp now) {
  using kind = place::kind;
  if (text == "start" || text == "beginning") return place{kind::start, 0};
  if (text == "end") return place{kind::end, 0};
  if (text.starts_with('@')) {
    auto time = parse_time(text.substr(1), now);
    if (!time) return std::nullopt;
    return place{kind::time, time->value()};
  }
  auto of = text.starts_with('+') ? kind::from_start : text.starts_with('-') ? kind::from_end : kind::exact;
  auto number = whole_number(of == kind::exact ? text : text.substr(1));
  if (!number) return std::nullopt;
  return place{of, *number};
}

} // namespace

result<reading_range> parse_offset(std::string_view text, timestamp now) {
  if (auto whole = parse_place(text, now)) return reading_range{*whole, {}};
  // Times contain colons, so every one of them may be the divider.
  for (size_t colon = text.find(':'); colon != std::string_view::npos; colon = text.find(':', colon + 1)) {
    auto left = text.substr(0, colon);
    auto right = text.substr(colon + 1);
    if (left.empty() && right.empty()) break;
    auto from = left.empty() ? std::optional{place{}} : parse_place(left, now);
    auto to = right.empty() ? std::optional<place>{} : parse_place(right, now);
    if (!from || (!right.empty() && !to)) continue;
    if (from->of == place::kind::time && to && to->of == place::kind::exact)
      return error{ec::invalid_argument, "offset " + pessoa::quoted(text)
                                             + " mixes a time and an offset; did you mean "
                                             + std::string{left} + ":@" + std::string{right} + "?"};
    return reading_range{*from, to};
  }
  return error{ec::invalid_argument,
               "offset " + pessoa::quoted(text)
                   + " is none of start, end, N, +N (from the start), -N (from the end), @TIME"
                     " (RFC 3339, milliseconds since 1970, or -1h), A:B"};
}

std::optional<int64_t> locate(const place& at, const log_bounds& bounds) {
  switch (at.of) {
  case place::kind::start:
    return bounds.start;
  case place::kind::end:
    return bounds.end;
  case place::kind::exact:
    return at.number;
  case place::kind::from_start:
    return bounds.start + std::min(at.number, bounds.end - bounds.start);
  case place::kind::from_end:
    return bounds.end - std::min(at.number, bounds.end - bounds.start);
  case place::kind::time:
    break;
  }
  return std::nullopt;
}

} // namespace pessoa::cli
