#include "schema/seams/io_loop.hpp"

#include <charconv>

namespace pessoa {

result<host_port> parse_host_port(std::string_view text) {
  auto refuse = [&](const char* why) -> result<host_port> {
    // Quoted, cut and cleaned: the text may come from anywhere and lands in logs.
    std::string shown{text.substr(0, 300)};
    for (auto& c : shown)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    return {ec::invalid_argument, "address '" + shown + "': " + why};
  };
  host_port out;
  std::string_view port;
  if (!text.empty() && text.front() == '[') {
    auto end = text.find(']');
    if (end == std::string_view::npos) return refuse("a '[' without ']'");
    out.host = text.substr(1, end - 1);
    auto rest = text.substr(end + 1);
    if (rest.empty() || rest.front() != ':') return refuse("HOST:PORT or [IPV6]:PORT is expected");
    port = rest.substr(1);
  } else {
    auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return refuse("HOST:PORT is expected, the port is missing");
    out.host = text.substr(0, colon);
    if (out.host.find(':') != std::string::npos)
      return refuse("an IPv6 address stands in brackets, as in [::1]:18880");
    port = text.substr(colon + 1);
  }
  if (out.host.empty()) return refuse("the host is missing");
  if (out.host.size() > 255) return refuse("the host is longer than 255 bytes");
  for (unsigned char c : out.host)
    if (c <= 0x20 || c == 0x7f || c == '/' || c == '[' || c == ']')
      return refuse("the host holds a character that no host has");
  uint32_t number = 0;
  auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || problem != std::errc{} || end != port.data() + port.size() || number > 65535)
    return refuse("the port is a number from 0 to 65535");
  out.port = static_cast<uint16_t>(number);
  return out;
}

std::string to_string(const host_port& address) {
  bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

} // namespace pessoa
