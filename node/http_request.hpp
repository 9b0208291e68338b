// One HTTP/1.x request without a body, and an answer. Ours, and as small as that: kj-http 0.9.2 has two known
// holes in how it reads lengths (CVE-2026-32239, -32240), and pages for people and Prometheus need nothing of
// it.
//
// Strict on purpose: what two readers could understand differently (a body, folded lines, bare line ends, two
// lengths) is refused, so nothing can be smuggled through a proxy in front.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace pessoa::node {

constexpr size_t http_head_bytes_max = 16u << 10;

struct http_request {
  std::string method; // "GET"
  std::string path;   // "/metrics"; a query is cut off
};

struct http_reply {
  int status = 200;
  std::string body;
  std::string type = "text/plain; charset=utf-8";
  std::string allow = {}; // for 405
};

// How much of `data` is the head of a request, the empty line included; none while that is not there.
std::optional<size_t> http_head_bytes(std::string_view data);
// Whether a request can begin like this. Tells other protocols early.
bool may_begin_http(std::string_view data);
// `head` is complete. A refusal is the reply to send.
std::variant<http_request, http_reply> parse_http_request(std::string_view head);

// As sent: the connection closes after it. To HEAD goes the same without the body.
std::string to_text(const http_reply& reply, bool head_only);

} // namespace pessoa::node
