#include "kafka/codec/advertised.hpp"

#include "schema/assert.hpp"

#include <algorithm>

namespace pessoa::kafka {

namespace {

struct row {
  api_key key;
  version_range versions;
};

// Reasons where a number is not simply "all that the handlers do".
constexpr row promises[] = {
    // From 0, although 0-2 are refused when used: librdkafka before 2.11.1 turns compression off without it.
    // To 9: sarama of 2021 sends 9 without asking; 10 and more bring addresses of new leaders and topic ids.
    {api_key::produce, {0, 9}},
    // From 4: batch v2. To 12: 13 names topics by id only.
    {api_key::fetch, {4, 12}},
    // To 7: 8 and more ask for tiered storage. From 0 costs an old form of answer; nobody asked for it.
    {api_key::list_offsets, {1, 7}},
    // From 10 on topic ids are in the answers, and they are real.
    {api_key::metadata, {0, 12}},
    {api_key::find_coordinator, {0, 4}},
    {api_key::api_versions, {0, 4}},
    {api_key::create_topics, {2, 7}},
    {api_key::delete_topics, {1, 6}},
    {api_key::init_producer_id, {0, 4}},
    {api_key::offset_for_leader_epoch, {2, 4}},
    {api_key::describe_configs, {0, 4}},
};

error wrong(const advertised_api& entry, int16_t version_max) {
  return {ec::invalid_config, "version " + std::to_string(version_max) + " of " + std::string{entry.api->name}
                                  + " is outside of the advertised versions "
                                  + std::to_string(entry.versions.min) + " to "
                                  + std::to_string(entry.versions.max)};
}

} // namespace

advertised_apis::advertised_apis() {
  for (auto& promise : promises) {
    auto& api = info(promise.key);
    PESSOA_ASSERT(api.codec.contains(promise.versions.min) && api.codec.contains(promise.versions.max)
                      && promise.versions.min <= promise.versions.max,
                  api.name);
    apis_.push_back({&api, promise.versions});
  }
  std::sort(apis_.begin(), apis_.end(), [](auto& a, auto& b) { return a.api->key < b.api->key; });
}

result<advertised_api*> advertised_apis::named(std::string_view name) {
  auto found = std::find_if(apis_.begin(), apis_.end(), [&](auto& entry) { return entry.api->name == name; });
  if (found == apis_.end())
    return error{ec::invalid_config, "there is no advertised API " + std::string{name}};
  return &*found;
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
