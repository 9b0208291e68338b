// Where reading begins and ends, as people write it: start|end|N|+N|-N|@TIME|A:B.
//
// `beginning` is start. +N counts from the start, -N from the end; TIME is RFC 3339, milliseconds since 1970
// or -1h. A:B reads from A up to, not including, B; either may be left out (10: , :end).
#pragma once

#include "schema/ids.hpp"
#include "schema/result.hpp"

#include <optional>
#include <string_view>

namespace pessoa::cli {

struct place {
  enum class kind : uint8_t { start, end, exact, from_start, from_end, time } of = kind::start;
  int64_t number = 0; // of exact, from_start, from_end; milliseconds of time
  friend bool operator==(const place&, const place&) = default;
};

struct reading_range {
  place from;
  std::optional<place> to;
};

// `now` gives "-1h" its meaning. Error: invalid_argument, with what is known.
result<reading_range> parse_offset(std::string_view text, timestamp now);

// Where the log of one partition begins and ends.
struct log_bounds {
  int64_t start = 0;
  int64_t end = 0;
};
// The offset a place means; nullopt for a time, which only the node can tell. Counting beyond start or end
// stops there.
std::optional<int64_t> locate(const place& at, const log_bounds& bounds);

} // namespace pessoa::cli
