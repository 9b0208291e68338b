#include "kafka/codec/frame.hpp"

#include <algorithm>

namespace pessoa::kafka {

const api_info* find_api(int16_t key) {
  auto apis = all_apis();
  auto found =
      std::find_if(apis.begin(), apis.end(), [&](auto& api) { return static_cast<int16_t>(api.key) == key; });
  return found == apis.end() ? nullptr : &*found;
}

const api_info& info(api_key key) {
  auto* found = find_api(static_cast<int16_t>(key));
  PESSOA_ASSERT(found != nullptr, static_cast<int16_t>(key));
  return *found;
}

result<request_head> read_request_head(const bytes& message) {
  request_head out;
  reader first{message};
  first.value(out.key);
  first.value(out.version);
  first.value(out.correlation_id);
  if (auto read = first.status(); !read.ok()) return in_message("request_header", 0, read.error());
  out.api = find_api(out.key);
  out.version_known = out.api != nullptr && out.api->codec.contains(out.version);
  if (!out.version_known) return out;

  int16_t version = out.api->request_header(out.version);
  reader in{message};
  request_header header;
  header.decode(in, version);
  if (auto read = in.status(); !read.ok()) return in_message("request_header", version, read.error());
  out.client_id = std::move(header.client_id);
  out.body_begin = in.position();
  return out;
}

} // namespace pessoa::kafka
