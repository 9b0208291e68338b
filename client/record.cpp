#include "pessoa/record.hpp"

#include <ostream>

namespace pessoa::client {

std::string to_string(const topic_partition& at) { return at.topic + "-" + std::to_string(at.partition); }

std::ostream& operator<<(std::ostream& out, const topic_partition& at) { return out << to_string(at); }

record received::to_record() const {
  record out;
  if (key) out.key = std::string{*key};
  if (value) out.value = std::string{*value};
  for (auto& h : headers) {
    header copy{std::string{h.key}, std::nullopt};
    if (h.value) copy.value = std::string{*h.value};
    out.headers.push_back(std::move(copy));
  }
  out.timestamp_ms = timestamp_ms;
  out.partition = partition;
  return out;
}

} // namespace pessoa::client
