// Texts to values, for the settings table. Each refuses what it does not understand whole. Errors:
// invalid_argument.
#pragma once

#include "node/settings.hpp"

namespace pessoa::node {

result<bool> parse_switch(std::string_view text);                                // on, off, true, false
result<uint64_t> parse_count(std::string_view text, uint64_t min, uint64_t max); // decimal digits
result<uint64_t> parse_bytes(std::string_view text, uint64_t min,
                             uint64_t max); // 512, 64KiB, 256MiB, 1GiB, 1TiB
result<duration> parse_duration(std::string_view text, duration min, duration max); // 250ms, 10s, 5m, 2h, 7d
result<std::string> parse_host(std::string_view text);                // a name or an address, no port
result<std::vector<endpoint>> parse_endpoints(std::string_view text); // comma-separated, at least one

} // namespace pessoa::node
