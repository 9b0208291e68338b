#include "node/rpc/session.hpp"

#include "actors/type_ids.hpp"
#include "node/rpc/admin.hpp"
#include "node/rpc/auto_create.hpp"
#include "node/rpc/consumer.hpp"
#include "node/rpc/producer.hpp"
#include "node/rpc/translate.hpp"

#include <caf/send.hpp>

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
    auto made = bridge<producer_id>(c_->loop(), {ec::leader_not_available, "the node is stopping"});
    auto request = std::make_shared<actors::producer_id_request>();
    request->reply = made.reply;
    caf::anon_send(c_->node.gateway, std::move(request));
    return kj::mv(made.promise).then([this, context](result<producer_id> id) mutable {
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
    context.allowCancellation();
    auto request = context.getParams().getRequest();
    metadata_index at_least{request.getAtLeast()};
    if (at_least <= c_->node.env->routes->load()->index) return create_and_answer(context);
    auto made = bridge<metadata_index>(c_->loop(), {ec::shutting_down, "the node is stopping"});
    auto wait = std::make_shared<actors::index_wait>();
    wait->index = at_least;
    wait->deadline = deadline_in(*c_, request.getTimeoutMs());
    wait->reply = made.reply;
    caf::anon_send(c_->node.broker, std::move(wait));
    auto patience = std::min(request.getTimeoutMs(), wait_ms_max) * kj::MILLISECONDS;
    auto late = c_->loop().timer().afterDelay(patience).then([at_least]() -> result<metadata_index> {
      return error{ec::timed_out, "this node has not reached metadata index " + std::to_string(at_least.value())};
    });
    return kj::mv(made.promise)
        .exclusiveJoin(kj::mv(late))
        .then([this, context](result<metadata_index> reached) mutable -> kj::Promise<void> {
          if (reached) return create_and_answer(context);
          wire::write_error(reached.error(), context.getResults().initError());
          return kj::READY_NOW;
        });
  }

private:
  kj::Promise<void> create_and_answer(MetadataContext& context) {
    auto request = context.getParams().getRequest();
    if (!c_->node.auto_create || !request.getCreate()) {
      answer_metadata(context, {});
      return kj::READY_NOW;
    }
    auto routes = c_->node.env->routes->load();
    std::vector<asked_topic> asked;
    std::set<std::string> missing;
    // An answer that would be refused for its size creates nothing.
    if (choose(request, *routes, asked))
      for (auto& topic : asked)
        if (topic.route == nullptr && check_topic_name(topic.name)) missing.insert(std::move(topic.name));
    if (missing.empty()) {
      answer_metadata(context, {});
      return kj::READY_NOW;
    }
    return create_topics(c_, std::move(missing), deadline_in(*c_, request.getTimeoutMs()))
        .then([this, context](creation_errors failed) mutable { answer_metadata(context, failed); });
  }

  void answer_metadata(MetadataContext& context, const creation_errors& not_created) {
    auto request = context.getParams().getRequest();
    auto routes = c_->node.env->routes->load();
    std::vector<asked_topic> asked;
    if (auto chosen = choose(request, *routes, asked); !chosen)
      return wire::write_error(chosen.error(), context.getResults().initError());
    auto out = context.getResults().initMetadata();
    out.setIndex(routes->index.value());
    wire::write(routes->cluster, out.initClusterId());
    out.setController(routes->controller.value());
    write_nodes(*routes, out.initNodes(static_cast<unsigned>(routes->nodes.size())));
    auto topics = out.initTopics(static_cast<unsigned>(asked.size()));
    unsigned i = 0;
    for (auto& [name, route] : asked) {
      auto entry = topics[i++];
      if (route != nullptr) {
        write_topic(*route, entry);
        continue;
      }
      entry.setName(text(name));
      wire::write_error(why_missing(name, not_created), entry.initError(), reason_bytes_max);
    }
  }

  static error why_missing(const std::string& name, const creation_errors& not_created) {
    if (auto valid = check_topic_name(name); !valid) return valid.error();
    if (auto found = not_created.find(name); found != not_created.end()) return found->second;
    return {ec::unknown_topic, "there is no topic " + pessoa::quoted(name)};
  }

  struct asked_topic {
    std::string name; // when it is unknown
    const actors::topic_route* route = nullptr;
  };
  // A small request can ask for a large answer (one name, many times): the size is known before a byte of it is made.
  static result<void> choose(wire::MetadataRequest::Reader request, const actors::routing_snapshot& routes,
                             std::vector<asked_topic>& asked) {
    constexpr size_t unknown_bytes = 384 + reason_bytes_max;         // with its error and the hint
    constexpr size_t bytes_max = rpc_message_bytes_max - (1u << 20); // the rest is for the nodes
    size_t bytes = 0;
    auto add = [&](asked_topic entry) -> result<void> {
      bytes += entry.route != nullptr ? wire_bytes(*entry.route) : unknown_bytes + entry.name.size();
      if (bytes > bytes_max)
        return error{ec::message_too_large, "the metadata asked for takes more than "
                                                + std::to_string(bytes_max)
                                                + " bytes: ask for fewer topics at a time"};
      asked.push_back(std::move(entry));
      return {};
    };
    if (request.getAll()) {
      for (auto& [id, topic] : routes.topics)
        PESSOA_CHECK(add({{}, topic.get()}));
      return {};
    }
    for (auto entry : request.getTopics()) {
      auto name = text_of(entry);
      auto* route = routes.find(name);
      PESSOA_CHECK(add({route != nullptr ? std::string{} : std::move(name), route}));
    }
    return {};
  }

  std::shared_ptr<rpc_caller> c_;
};

class bootstrap final : public wire::Bootstrap::Server {
public:
  explicit bootstrap(std::shared_ptr<rpc_caller> caller) : c_(std::move(caller)) {}

  kj::Promise<void> login(LoginContext context) override {
    auto hello = context.getParams().getHello();
    auto out = context.getResults();
    if (auto refused = check(hello); !refused) {
      c_->node.env->log->info("rpc", c_->connection->peer() + " was refused: " + to_string(refused.error()));
      wire::write_error(refused.error(), out.initError());
      return kj::READY_NOW;
    }
    c_->client = pessoa::quoted(text_of(hello.getClientId()));
    c_->connection->set_logged_in();
    auto routes = c_->node.env->routes->load();
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
  result<void> check(wire::Hello::Reader hello) const {
    constexpr size_t client_id_bytes_max = 249;
    if (hello.getProtocol() == 0) return error{ec::unsupported_version, "protocol 0 does not exist"};
    if (hello.getClientId().size() > client_id_bytes_max)
      return error{ec::invalid_argument, "the client id has more than 249 bytes"};
    auto pinned = wire::read<cluster_id>(hello.getClusterId());
    if (!pinned.is_nil() && pinned != c_->node.cluster)
      return error{ec::wrong_cluster, "this node belongs to cluster " + to_string(c_->node.cluster) + ", not to "
                                        + to_string(pinned)};
    if (!hello.getCredentials().isNone())
      return error{ec::denied, "this node knows no credentials: connect without"};
    return {};
  }

  std::shared_ptr<rpc_caller> c_;
};

} // namespace

wire::Bootstrap::Client make_bootstrap(std::shared_ptr<rpc_caller> caller) {
  return kj::heap<bootstrap>(std::move(caller));
}

} // namespace pessoa::node
