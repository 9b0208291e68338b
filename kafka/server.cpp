#include "kafka/server.hpp"

#include "kafka/handlers/handlers.hpp"
#include "schema/topic_config.hpp"

#include <kj/exception.h>

namespace pessoa::kafka {

namespace {

template <class Handler>
kj::Promise<answer> decode_and_handle(exchange x, const request_head& head) {
  auto asked = decode_request<typename Handler::request>(x.frame.view(), head);
  if (!asked) return closing(asked.error());
  return Handler::handle(std::move(x), std::move(*asked));
}

struct row {
  api_key key;
  version_range versions;
  kj::Promise<answer> (*serve)(exchange, const request_head&);
};

template <class Handler>
constexpr row row_of() {
  return {Handler::key, Handler::versions, decode_and_handle<Handler>};
}

constexpr std::array rows{
    row_of<produce_handler>(),          row_of<fetch_handler>(),
    row_of<list_offsets_handler>(),     row_of<metadata_handler>(),
    row_of<find_coordinator_handler>(), row_of<api_versions_handler>(),
    row_of<create_topics_handler>(),    row_of<delete_topics_handler>(),
    row_of<init_producer_id_handler>(), row_of<offset_for_leader_epoch_handler>(),
    row_of<describe_configs_handler>(),
};
static_assert(rows.size() == api_promises.size(), "what is promised has a handler");

const row* find_row(int16_t key) {
  for (auto& r : rows)
    if (static_cast<int16_t>(r.key) == key) return &r;
  return nullptr;
}

error unknown_request(const request_head& head) {
  auto version = std::to_string(head.version);
  if (head.api == nullptr)
    return {ec::unsupported_version, "there is no API " + std::to_string(head.key) + " (version " + version
                                         + ") here: the client did not ask which there are"};
  return {ec::unsupported_version, std::string{head.api->name} + " version " + version
                                       + " is not spoken here: the client did not ask which are"};
}

class server final : public service {
public:
  explicit server(service_options options)
      : options_(std::make_shared<const service_options>(std::move(options))) {}

  kj::Promise<answer> serve(const std::shared_ptr<caller>& from, request_frame frame) override {
    exchange x;
    x.options = options_;
    x.from = from;
    x.frame = std::move(frame);
    count(&counters::requests);
    auto log_bug = [options = options_, from](kj::Exception&& e) {
      options->log->fail("kafka", "a request of " + from->peer + " ended with " + e.getDescription().cStr());
      return closing({ec::internal, "the request could not be served"});
    };
    return kj::evalNow([&] { return begin(std::move(x)); })
        .then(
            [this_options = options_](answer&& out) {
              if (out.close && this_options->counted != nullptr)
                this_options->counted->refused.fetch_add(1, std::memory_order_relaxed);
              return kj::mv(out);
            },
            std::move(log_bug));
  }

private:
  kj::Promise<answer> begin(exchange x) {
    auto head = read_request_head(x.frame.view());
    if (!head) return closing(head.error());
    x.key = static_cast<api_key>(head->key);
    x.version = head->version;
    x.correlation_id = head->correlation_id;
    if (head->client_id) x.from->client_id = quoted(*head->client_id);
    auto allowed = options_->apis.find(head->key);
    auto* found = find_row(head->key);
    if (found == nullptr || !allowed || !head->version_known || !allowed->contains(head->version)) {
      if (x.key == api_key::api_versions) return unknown_api_versions(x);
      return closing(unknown_request(*head));
    }
    return found->serve(std::move(x), *head);
  }
  void count(std::atomic<uint64_t> counters::*which) {
    if (options_->counted != nullptr) (options_->counted->*which).fetch_add(1, std::memory_order_relaxed);
  }

  std::shared_ptr<const service_options> options_;
};

} // namespace

std::unique_ptr<service> make_service(service_options options) {
  PESSOA_ASSERT(options.log != nullptr);
  return std::make_unique<server>(std::move(options));
}

} // namespace pessoa::kafka
