#include "node/rpc/session.hpp"

#include "node/rpc/admin.hpp"
#include "node/rpc/consumer.hpp"
#include "node/rpc/producer.hpp"
#include "node/rpc/requests.hpp"
#include "node/rpc/translate.hpp"

namespace pessoa::node {

namespace {

constexpr uint16_t protocol_version = 1;
constexpr size_t reason_bytes_max = 320; // of an unknown topic's error: a request may name thousands

class session final : public wire::Session::Server {
public:
  explicit session(std::shared_ptr<rpc_caller> caller) : c_(std::move(caller)) {}

  kj::Promise<void> admin(AdminContext context) override {
    context.getResults().setAdmin(make_admin(c_));
    return kj::READY_NOW;
  }

  kj::Promise<void> producer(ProducerContext context) override {
    if (!context.getParams().getIdempotent()) {
      context.getResults().setProducer(make_producer(c_));
      return kj::READY_NOW;
    }
    return c_->to.new_producer_id().then([this, context](result<producer_id> id) mutable {
      auto out = context.getResults();
      if (!id) return wire::write_error(id.error(), out.initError());
      out.setProducer(make_producer(c_));
      out.setProducerId(id->value());
      out.setProducerEpoch(0);
    });
  }

  kj::Promise<void> consumer(ConsumerContext context) override {
    context.getResults().setConsumer(make_consumer(c_));
    return kj::READY_NOW;
  }

  kj::Promise<void> metadata(MetadataContext context) override {
    auto read = read_metadata_request(context.getParams().getRequest());
    if (!read) return fail(context, read.error());
    context.releaseParams();
    context.allowCancellation();
    auto asked = std::make_shared<const metadata_request>(std::move(*read));
    auto place = c_->park();
    if (!place) return fail(context, place.error());
    if (asked->at_least <= c_->to.routes()->index)
      return create_and_answer(context, asked).attach(std::move(*place));
    return c_->to.applied(asked->at_least, asked->timeout_ms)
        .then([this, context, asked](result<metadata_index> reached) mutable -> kj::Promise<void> {
          if (!reached) return fail(context, reached.error());
          return create_and_answer(context, asked);
        })
        .attach(std::move(*place));
  }

private:
  using asked_metadata = std::shared_ptr<const metadata_request>;

  kj::Promise<void> create_and_answer(MetadataContext& context, const asked_metadata& asked) {
    std::set<std::string> missing;
    if (c_->to.auto_create() && asked->create) {
      auto routes = c_->to.routes();
      // An answer that would be refused for its size creates nothing.
      if (auto found = look_up(*asked, *routes))
        for (auto& topic : *found)
          if (topic.route == nullptr && check_topic_name(*topic.name)) missing.insert(*topic.name);
    }
    if (missing.empty()) {
      answer_metadata(context, *asked, {});
      return kj::READY_NOW;
    }
    return c_->to.create_topics(std::move(missing), c_->to.deadline_in(asked->timeout_ms))
        .then([this, context, asked](creation_errors failed) mutable {
          answer_metadata(context, *asked, failed);
        });
  }

  void answer_metadata(MetadataContext& context, const metadata_request& asked,
                       const creation_errors& not_created) {
    auto routes = c_->to.routes();
    auto found = look_up(asked, *routes);
    if (!found) return wire::write_error(found.error(), context.getResults().initError());
    auto out = context.getResults().initMetadata();
    out.setIndex(routes->index.value());
    wire::write(routes->cluster, out.initClusterId());
    out.setController(routes->controller.value());
    write_nodes(*routes, out.initNodes(static_cast<unsigned>(routes->nodes.size())));
    auto topics = out.initTopics(static_cast<unsigned>(found->size()));
    unsigned i = 0;
    for (auto& [name, route] : *found) {
      auto entry = topics[i++];
      if (route != nullptr) {
        write_topic(*route, entry);
        continue;
      }
      entry.setName(text(*name));
      wire::write_error(why_missing(*name, not_created), entry.initError(), reason_bytes_max);
    }
  }

  static error why_missing(const std::string& name, const creation_errors& not_created) {
    if (auto valid = check_topic_name(name); !valid) return valid.error();
    if (auto found = not_created.find(name); found != not_created.end()) return found->second;
    return {ec::unknown_topic, "there is no topic " + pessoa::quoted(name)};
  }

  struct entry {
    const std::string* name = nullptr; // in the request
    const actors::topic_route* route = nullptr;
  };
  // A small request can ask for a large answer (one name, many times): the size is known before a byte of it is made.
  static result<std::vector<entry>> look_up(const metadata_request& asked,
                                            const actors::routing_snapshot& routes) {
    constexpr size_t unknown_bytes = 384 + reason_bytes_max;         // with its error and the hint
    constexpr size_t bytes_max = rpc_message_bytes_max - (1u << 20); // the rest is for the nodes
    std::vector<entry> out;
    size_t bytes = 0;
    auto add = [&](entry next) -> result<void> {
      bytes += next.route != nullptr ? wire_bytes(*next.route) : unknown_bytes + next.name->size();
      if (bytes > bytes_max)
        return error{ec::message_too_large, "the metadata asked for takes more than "
                                                + std::to_string(bytes_max)
                                                + " bytes: ask for fewer topics at a time"};
      out.push_back(next);
      return {};
    };
    if (asked.all) {
      for (auto& [id, topic] : routes.topics)
        PESSOA_CHECK(add({nullptr, topic.get()}));
      return out;
    }
    for (auto& name : asked.topics)
      PESSOA_CHECK(add({&name, routes.find(name)}));
    return out;
  }

  template <class Context>
  static kj::Promise<void> fail(Context& context, const error& why) {
    wire::write_error(why, context.getResults().initError());
    return kj::READY_NOW;
  }

  std::shared_ptr<rpc_caller> c_;
};

class bootstrap final : public wire::Bootstrap::Server {
public:
  explicit bootstrap(std::shared_ptr<rpc_caller> caller) : c_(std::move(caller)) {}

  kj::Promise<void> login(LoginContext context) override {
    auto out = context.getResults();
    auto hello = check(context.getParams().getHello());
    if (!hello) {
      c_->node.env->log->info("rpc", c_->connection->peer() + " was refused: " + to_string(hello.error()));
      wire::write_error(hello.error(), out.initError());
      return kj::READY_NOW;
    }
    c_->client = pessoa::quoted(hello->client_id);
    c_->connection->set_logged_in();
    auto routes = c_->to.routes();
    auto welcome = out.initWelcome();
    welcome.setProtocol(protocol_version);
    wire::write(c_->node.cluster, welcome.initClusterId());
    welcome.setNodeId(c_->node.env->self.value());
    welcome.setVersion(text(c_->node.version));
    welcome.setMessageBytesMax(static_cast<uint32_t>(2 * rpc_message_bytes_max));
    welcome.setMetadataIndex(routes->index.value());
    out.setSession(kj::heap<session>(c_));
    return kj::READY_NOW;
  }

private:
  result<hello> check(wire::Hello::Reader in) const {
    PESSOA_TRY(auto said, read_hello(in));
    if (said.cluster && *said.cluster != c_->node.cluster)
      return error{ec::wrong_cluster, "this node belongs to cluster " + to_string(c_->node.cluster)
                                          + ", not to " + to_string(*said.cluster)};
    return said;
  }

  std::shared_ptr<rpc_caller> c_;
};

} // namespace

wire::Bootstrap::Client make_bootstrap(std::shared_ptr<rpc_caller> caller) {
  return kj::heap<bootstrap>(std::move(caller));
}

} // namespace pessoa::node
