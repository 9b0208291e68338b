#include "kafka/codec/advertised.hpp"

#include "kafka/codec/promises.hpp"
#include "schema/assert.hpp"
#include "schema/topic_config.hpp"

#include <algorithm>
#include <charconv>

namespace pessoa::kafka {

namespace {

error wrong(const advertised_api& entry, int16_t version_max) {
  return {ec::invalid_config, "version " + std::to_string(version_max) + " of " + std::string{entry.api->name}
                                  + " is outside of the advertised versions "
                                  + std::to_string(entry.versions.min) + " to "
                                  + std::to_string(entry.versions.max)};
}

} // namespace

advertised_apis::advertised_apis() {
  for (auto& promise : api_promises) {
    auto& api = info(promise.key);
    PESSOA_ASSERT(api.codec.contains(promise.versions.min) && api.codec.contains(promise.versions.max)
                      && promise.versions.min <= promise.versions.max,
                  api.name);
    apis_.push_back({&api, promise.versions});
  }
  std::sort(apis_.begin(), apis_.end(), [](auto& a, auto& b) { return a.api->key < b.api->key; });
}

result<advertised_apis> advertised_apis::limited(std::string_view text) {
  advertised_apis out;
  while (!text.empty()) {
    auto end = std::min(text.find(','), text.size());
    auto part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (part.starts_with(' '))
      part.remove_prefix(1);
    while (part.ends_with(' '))
      part.remove_suffix(1);
    PESSOA_CHECK(out.limit(part));
  }
  return out;
}

result<void> advertised_apis::limit(std::string_view part) {
  auto equals = part.find('=');
  if (equals == std::string_view::npos)
    return {ec::invalid_config, quoted(part) + " is not API=VERSION or API=off"};
  auto name = part.substr(0, equals), value = part.substr(equals + 1);
  if (value == "off") return hide(name);
  int16_t version = -1;
  auto [end, wrong] = std::from_chars(value.data(), value.data() + value.size(), version);
  if (wrong != std::errc{} || end != value.data() + value.size())
    return {ec::invalid_config, quoted(part) + " is not API=VERSION or API=off"};
  return cap(name, version);
}

result<advertised_api*> advertised_apis::named(std::string_view name) {
  auto found = std::find_if(apis_.begin(), apis_.end(), [&](auto& entry) { return entry.api->name == name; });
  if (found != apis_.end()) return &*found;
  std::vector<std::string_view> names;
  for (auto& entry : apis_)
    names.push_back(entry.api->name);
  auto text = "there is no advertised API " + quoted(name);
  if (auto near = nearest(name, names); !near.empty()) text.append(", did you mean ").append(near).append("?");
  return error{ec::invalid_config, std::move(text)};
}

result<void> advertised_apis::cap(std::string_view name, int16_t version_max) {
  PESSOA_TRY(auto* entry, named(name));
  if (!entry->versions.contains(version_max)) return wrong(*entry, version_max);
  entry->versions.max = version_max;
  return {};
}

result<void> advertised_apis::hide(std::string_view name) {
  PESSOA_TRY(auto* entry, named(name));
  if (entry->api->key == api_key::api_versions)
    return {ec::invalid_config, "ApiVersions cannot be hidden: it is how a client learns the others"};
  apis_.erase(apis_.begin() + (entry - apis_.data()));
  return {};
}

std::optional<version_range> advertised_apis::find(int16_t key) const {
  auto found = std::find_if(apis_.begin(), apis_.end(),
                            [&](auto& entry) { return static_cast<int16_t>(entry.api->key) == key; });
  if (found == apis_.end()) return std::nullopt;
  return found->versions;
}

} // namespace pessoa::kafka
