#include "kafka/server.hpp"

#include "kafka/codec/frame.hpp"
#include "kafka/messages/api_versions.hpp"
#include "schema/assert.hpp"
#include "schema/topic_config.hpp"

namespace pessoa::kafka {

namespace {

constexpr int16_t kafka_unsupported_version = 35;

answer end_with(error why) { return {std::nullopt, {}, std::move(why), {}}; }

class server final : public service {
public:
  explicit server(service_options options) : options_(std::move(options)) {}
  ~server() noexcept(false) override {}

  kj::Promise<answer> serve(const std::shared_ptr<caller>& from, request_frame frame) override {
    auto message = frame.view();
    auto head = read_request_head(message);
    if (!head) return end_with(head.error());
    if (head->client_id) from->client_id = quoted(*head->client_id);
    if (head->key != static_cast<int16_t>(api_key::api_versions))
      return end_with({ec::unsupported_version, "a request with the key " + std::to_string(head->key)
                                                    + " in version " + std::to_string(head->version)
                                                    + ", which is not served here"});
    return tell_versions(message, *head);
  }

private:
  answer tell_versions(const bytes& message, const request_head& head) const {
    api_versions_response out;
    auto add = [&](const advertised_api& entry) {
      api_versions_response_api api;
      api.api_key = static_cast<int16_t>(entry.api->key);
      api.min_version = entry.versions.min;
      api.max_version = entry.versions.max;
      out.api_keys.push_back(api);
    };
    auto served = options_.apis.find(head.key);
    int16_t version = head.version;
    if (!served || !served->contains(version)) {
      // In version 0 and without looking at the body, so that it can ask again (KIP-511).
      out.error_code = kafka_unsupported_version;
      version = 0;
      for (auto& entry : options_.apis.all())
        if (entry.api->key == api_key::api_versions) add(entry);
    } else {
      if (auto asked = decode_request<api_versions_request>(message, head); !asked)
        return end_with(asked.error());
      for (auto& entry : options_.apis.all())
        add(entry);
    }
    auto written = encode_response(out, version, head.correlation_id);
    if (!written) return end_with(written.error());
    return {std::move(*written), {}, std::nullopt, {}};
  }

  const service_options options_;
};

} // namespace

std::unique_ptr<service> make_service(service_options options) {
  PESSOA_ASSERT(options.log != nullptr);
  return std::make_unique<server>(std::move(options));
}

} // namespace pessoa::kafka
