#include "node/http_request.hpp"

#include <algorithm>

namespace pessoa::node {

namespace {

// RFC 9110, 5.6.2
bool is_token(char c) {
  auto u = static_cast<unsigned char>(c);
  return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9')
         || std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

http_reply refuse(const char* why) { return {400, std::string{"bad request: "} + why + "\n"}; }

const char* reason_of(int status) {
  switch (status) {
  case 200:
    return "OK";
  case 400:
    return "Bad Request";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 408:
    return "Request Timeout";
  case 413:
    return "Content Too Large";
  case 431:
    return "Request Header Fields Too Large";
  case 500:
    return "Internal Server Error";
  case 503:
    return "Service Unavailable";
  case 505:
    return "HTTP Version Not Supported";
  default:
    return "Unknown";
  }
}

std::optional<http_reply> judge_header(std::string_view line) {
  auto colon = line.find(':');
  // Also a folded line, which begins with a blank, and a blank before the colon.
  if (colon == 0 || colon == std::string_view::npos
      || !std::all_of(line.begin(), line.begin() + colon, is_token))
    return refuse("a header line is not NAME: VALUE");
  auto name = line.substr(0, colon), value = trimmed(line.substr(colon + 1));
  if (same_ignoring_case(name, "Transfer-Encoding"))
    return http_reply{413, "a request with a body is not taken\n"};
  if (same_ignoring_case(name, "Content-Length") && value != "0")
    return http_reply{413, "a request with a body is not taken\n"};
  return std::nullopt;
}

} // namespace

std::optional<size_t> http_head_bytes(std::string_view data) {
  auto end = data.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  return end + 4;
}

bool may_begin_http(std::string_view data) {
  // A method of at most 16 letters and a blank.
  auto end = std::find_if_not(data.begin(), data.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (end - data.begin() > 16) return false;
  return end == data.end() || (*end == ' ' && end != data.begin());
}

std::variant<http_request, http_reply> parse_http_request(std::string_view head) {
  if (head.size() < 4 || head.substr(head.size() - 4) != "\r\n\r\n") return refuse("it ends too early");
  head.remove_suffix(2);
  for (size_t i = 0; i < head.size(); ++i) {
    bool line_end = head[i] == '\r' && i + 1 < head.size() && head[i + 1] == '\n';
    if (line_end) {
      ++i;
      continue;
    }
    auto u = static_cast<unsigned char>(head[i]);
    if ((u < 0x20 && u != '\t') || u == 0x7f) return refuse("it holds a control character");
  }
  auto take_line = [&] {
    auto end = head.find("\r\n");
    auto line = head.substr(0, end);
    head.remove_prefix(end + 2);
    return line;
  };
  auto first = take_line();
  auto blank = first.find(' '), last = first.rfind(' ');
  if (blank == std::string_view::npos || blank == last || blank == 0)
    return refuse("its first line is not METHOD PATH VERSION");
  auto method = first.substr(0, blank), target = first.substr(blank + 1, last - blank - 1),
       version = first.substr(last + 1);
  if (!may_begin_http(first)) return refuse("the method is not a word of capital letters");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return http_reply{505, "HTTP/1.1 is spoken here\n"};
  if (target.empty() || target[0] != '/' || target.find(' ') != std::string_view::npos)
    return refuse("the path does not begin with '/'");
  size_t lengths = 0;
  while (!head.empty()) {
    auto line = take_line();
    if (auto bad = judge_header(line)) return *bad;
    if (same_ignoring_case(line.substr(0, line.find(':')), "Content-Length") && ++lengths > 1)
      return refuse("two lengths");
  }
  return http_request{std::string{method}, std::string{target.substr(0, target.find('?'))}};
}

std::string to_text(const http_reply& reply, bool head_only) {
  std::string out =
      "HTTP/1.1 " + std::to_string(reply.status) + ' ' + reason_of(reply.status)
      + "\r\nContent-Type: " + reply.type + "\r\nContent-Length: " + std::to_string(reply.body.size())
      + "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n";
  if (!reply.allow.empty()) out += "Allow: " + reply.allow + "\r\n";
  out += "\r\n";
  if (!head_only) out += reply.body;
  return out;
}

} // namespace pessoa::node
