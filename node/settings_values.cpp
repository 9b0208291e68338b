#include "node/settings_values.hpp"

#include "schema/topic_config.hpp"

#include <charconv>

namespace pessoa::node {

namespace {

error bad(std::string message) { return {ec::invalid_argument, std::move(message)}; }

bool host_characters(std::string_view text, std::string_view extra) {
  if (text.empty() || text.size() > 253) return false;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'
                 || c == '.' || c == '_';
    if (!plain && extra.find(c) == std::string_view::npos) return false;
  }
  return true;
}

} // namespace

result<bool> parse_switch(std::string_view text) {
  if (text == "on" || text == "true") return true;
  if (text == "off" || text == "false") return false;
  return bad("neither on nor off");
}

result<uint64_t> parse_count(std::string_view text, uint64_t min, uint64_t max) {
  uint64_t value = 0;
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || text.empty())
    return bad("not a whole number");
  if (value < min || value > max)
    return bad("not between " + std::to_string(min) + " and " + std::to_string(max));
  return value;
}

result<uint64_t> parse_bytes(std::string_view text, uint64_t min, uint64_t max) {
  struct unit {
    std::string_view name;
    int shift;
  };
  static constexpr unit units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
  int shift = 0;
  for (auto& u : units) {
    if (text.ends_with(u.name)) {
      shift = u.shift;
      text.remove_suffix(u.name.size());
      break;
    }
  }
  auto count = parse_count(text, 0, UINT64_MAX);
  if (!count) return bad("not a number of bytes such as 1048576, 64KiB, 256MiB or 1GiB");
  if (*count > (UINT64_MAX >> shift)) return bad("too large");
  uint64_t value = *count << shift;
  if (value < min || value > max) return bad("out of its range");
  return value;
}

result<duration> parse_duration(std::string_view text, duration min, duration max) {
  struct unit {
    std::string_view name;
    std::chrono::milliseconds span;
  };
  using namespace std::chrono_literals;
  static constexpr unit units[] = {{"ms", 1ms}, {"s", 1s}, {"m", 1min}, {"h", 1h}, {"d", 24h}};
  for (auto& u : units) {
    if (!text.ends_with(u.name)) continue;
    auto count = parse_count(text.substr(0, text.size() - u.name.size()), 0, 1ull << 32);
    if (!count) continue;
    // Ten years and more do not fit into nanoseconds for long.
    if (*count > static_cast<uint64_t>(std::chrono::milliseconds{24h * 3660} / u.span))
      return bad("too long");
    duration value = u.span * static_cast<int64_t>(*count);
    if (value < min || value > max) return bad("out of its range");
    return value;
  }
  return bad("not a duration such as 250ms, 10s, 5m, 2h or 7d");
}

result<std::string> parse_host(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']') && text.size() > 2) text = text.substr(1, text.size() - 2);
  if (!host_characters(text, ":%")) return bad("not a host name or address");
  // One colon is a port that has no place here; an IPv6 address has at least two.
  if (auto colon = text.find(':');
      colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos)
    return bad("a host without a port belongs here");
  return std::string{text};
}

std::string to_string(const endpoint& address) {
  bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

result<endpoint> parse_endpoint(std::string_view text) {
  auto colon = text.rfind(':');
  auto not_an_address = bad(pessoa::quoted(text) + " is not HOST:PORT");
  if (colon == std::string_view::npos || colon == 0) return not_an_address;
  auto host = text.substr(0, colon);
  bool bracketed = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!host_characters(host, bracketed ? ":%" : "")) return not_an_address;
  auto port = parse_count(text.substr(colon + 1), 0, 65535);
  if (!port) return not_an_address;
  return endpoint{std::string{host}, static_cast<uint16_t>(*port)};
}

result<std::vector<endpoint>> parse_endpoints(std::string_view text) {
  std::vector<endpoint> out;
  while (true) {
    auto comma = text.find(',');
    PESSOA_TRY(auto one, parse_endpoint(text.substr(0, comma)));
    if (one.port == 0) return bad(pessoa::quoted(text) + " has port 0, which nobody can call");
    out.push_back(std::move(one));
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

} // namespace pessoa::node
