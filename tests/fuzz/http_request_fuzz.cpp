// Whatever bytes come: a request that is accepted has one reading. Printing it again and reading that gives
// the same, and the head holds nothing that a second reader could take for a body or a second request.
#include "node/http_request.hpp"
#include "schema/assert.hpp"

#include <algorithm>

using namespace pessoa::node;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text{reinterpret_cast<const char*>(data), size};
  auto head_bytes = http_head_bytes(text);
  auto parsed = parse_http_request(text.substr(0, head_bytes.value_or(size)));
  if (auto* refusal = std::get_if<http_reply>(&parsed)) {
    PESSOA_ASSERT(refusal->status >= 400 && !refusal->body.empty(), refusal->status);
    return 0;
  }
  PESSOA_ASSERT(head_bytes && may_begin_http(text));
  auto& request = std::get<http_request>(parsed);
  PESSOA_ASSERT(!request.method.empty() && request.path.front() == '/');
  auto again = parse_http_request(request.method + " " + request.path + " HTTP/1.1\r\n\r\n");
  auto* same = std::get_if<http_request>(&again);
  PESSOA_ASSERT(same && same->method == request.method && same->path == request.path);
  std::string lower{text.substr(0, *head_bytes)};
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  PESSOA_ASSERT(lower.find("\ntransfer-encoding:") == std::string::npos);
  for (size_t i = 0; i < lower.size(); ++i)
    PESSOA_ASSERT((lower[i] != '\n' || lower[i - 1] == '\r') && (lower[i] != '\r' || lower[i + 1] == '\n'),
                  i);
  constexpr std::string_view length = "\ncontent-length:";
  if (auto at = lower.find(length); at != std::string::npos) {
    auto value = lower.substr(at + length.size(), lower.find('\r', at) - at - length.size());
    std::erase_if(value, [](char c) { return c == ' ' || c == '\t'; });
    PESSOA_ASSERT(value == "0", value);
    PESSOA_ASSERT(lower.find(length, at + 1) == std::string::npos);
  }
  return 0;
}
