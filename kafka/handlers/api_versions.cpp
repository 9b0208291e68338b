// ApiVersions: which APIs there are, and in which versions. No features: none that has a level is there yet.
#include "kafka/handlers/handlers.hpp"
#include "schema/topic_config.hpp"

namespace pessoa::kafka {

namespace {

// Kafka's rule for the names of client software: [a-zA-Z0-9] at both ends, '-' and '.' between them (KIP-511).
bool is_software_name(std::string_view text) {
  auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || !plain(text.front()) || !plain(text.back())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || c == '-' || c == '.'; });
}

api_versions_response::api entry_of(const advertised_api& from) {
  api_versions_response::api out;
  out.api_key = static_cast<int16_t>(from.api->key);
  out.min_version = from.versions.min;
  out.max_version = from.versions.max;
  return out;
}

} // namespace

template <>
kj::Promise<answer> api_versions_handler::handle(exchange x, api_versions_request asked) {
  api_versions_response out;
  if (x.version >= 3) {
    if (is_software_name(asked.client_software_name) && is_software_name(asked.client_software_version))
      x.from->software = quoted(asked.client_software_name + " " + asked.client_software_version);
    else
      out.error_code = +number::invalid_request;
  }
  if (out.error_code == 0)
    for (auto& api : x.options->apis.all())
      out.api_keys.push_back(entry_of(api));
  return reply(x, out);
}

answer unknown_api_versions(const exchange& x) {
  api_versions_response out;
  out.error_code = +number::unsupported_version;
  for (auto& api : x.options->apis.all())
    if (api.api->key == api_key::api_versions) out.api_keys.push_back(entry_of(api));
  // In version 0, whatever was asked: the one that every client reads.
  auto lowest = x;
  lowest.version = 0;
  return reply(lowest, out);
}

} // namespace pessoa::kafka
