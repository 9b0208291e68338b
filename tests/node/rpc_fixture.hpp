// A client of a node in the same thread, on the bare wire contract: what a well-behaved library would not send can be sent.
#pragma once

#include "schema/record_batch.hpp"
#include "schema/wire/client.capnp.h"
#include "schema/wire/convert.hpp"
#include "tests/support/one_thread_node.hpp"

#include <capnp/rpc-twoparty.h>

namespace pessoa::test {

// A batch as a producer sends it: base offset 0.
inline std::vector<uint8_t> make_wire_batch(int32_t records, size_t value_bytes = 16,
                                            const batch_builder::identity& producer = {}) {
  batch_builder builder;
  std::string value(value_bytes, 'v');
  for (int32_t i = 0; i < records; ++i)
    builder.add({timestamp{1'700'000'000'000}, std::nullopt, as_bytes(value), {}});
  return builder.finish(producer);
}

inline std::string name_of(wire::Error::Reader e) { return e.getName().cStr(); }
inline std::string message_of(wire::Error::Reader e) { return e.getMessage().cStr(); }

// A peer's stream that may stop reading.
class gated_stream final : public kj::AsyncIoStream {
public:
  explicit gated_stream(kj::Own<kj::AsyncIoStream> to) : to_(kj::mv(to)) {}
  void close_gate() {
    auto made = kj::newPromiseAndFulfiller<void>();
    gate_ = made.promise.fork();
    opener_ = kj::mv(made.fulfiller);
  }
  void open_gate() { opener_->fulfill(); }

  kj::Promise<size_t> tryRead(void* buffer, size_t min_bytes, size_t max_bytes) override {
    return gate_.addBranch().then([=, this] { return to_->tryRead(buffer, min_bytes, max_bytes); });
  }
  kj::Promise<void> write(const void* buffer, size_t size) override { return to_->write(buffer, size); }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    return to_->write(pieces);
  }
  kj::Promise<void> whenWriteDisconnected() override { return to_->whenWriteDisconnected(); }
  void shutdownWrite() override { to_->shutdownWrite(); }

private:
  kj::Own<kj::AsyncIoStream> to_;
  kj::ForkedPromise<void> gate_ = kj::Promise<void>{kj::READY_NOW}.fork();
  kj::Own<kj::PromiseFulfiller<void>> opener_;
};

// A connection, before the login.
struct rpc_peer {
  explicit rpc_peer(one_thread_node& n)
      : n(n), stream(kj::heap<gated_stream>(n.net.connect(18880))), rpc(*stream),
        bootstrap(rpc.bootstrap().castAs<wire::Bootstrap>()) {}
  one_thread_node& n;
  kj::Own<gated_stream> stream;
  capnp::TwoPartyClient rpc;
  wire::Bootstrap::Client bootstrap;

  // What comes back now.
  template <class Request>
  auto ask(Request& request) {
    return n.get<response_of<Request>>(request.send());
  }
  // Sends, and looks for the answer later.
  template <class Request>
  auto begin(Request& request) {
    using response = response_of<Request>;
    auto slot = std::make_shared<kj::Maybe<response>>();
    waiting.push_back(kj::Promise<response>{request.send()}
                          .then([slot](response&& r) { *slot = kj::mv(r); })
                          .eagerlyEvaluate([](kj::Exception&&) {}));
    n.settle();
    return slot;
  }
  std::vector<kj::Promise<void>> waiting;

  template <class Params, class Results>
  static Results results_of(const capnp::Request<Params, Results>&);
  template <class Request>
  using response_of = capnp::Response<decltype(results_of(std::declval<Request&>()))>;
};

// Logged in, with every capability.
struct rpc_session : rpc_peer {
  explicit rpc_session(one_thread_node& n) : rpc_peer(n) {
    auto login = bootstrap.loginRequest();
    login.initHello().setClientId("test");
    session = ask(login).getSession();
    auto a = session.adminRequest();
    admin = ask(a).getAdmin();
    auto p = session.producerRequest();
    producer = ask(p).getProducer();
    auto c = session.consumerRequest();
    consumer = ask(c).getConsumer();
  }
  wire::Session::Client session{nullptr};
  wire::Admin::Client admin{nullptr};
  wire::Producer::Client producer{nullptr};
  wire::Consumer::Client consumer{nullptr};

  auto create(const std::string& name, int32_t partitions = 1,
              const std::vector<std::pair<std::string, std::string>>& config = {}) {
    auto request = admin.createTopicRequest();
    auto in = request.initRequest();
    in.setName(name);
    in.setPartitions(partitions);
    auto entries = in.initConfig(static_cast<unsigned>(config.size()));
    for (unsigned i = 0; i < entries.size(); ++i) {
      entries[i].setKey(config[i].first);
      entries[i].setValue(config[i].second);
    }
    return ask(request);
  }
  topic_id id_of(const std::string& name) {
    auto found = n.node->service().env->routes->load()->find(name);
    return found == nullptr ? topic_id{} : found->id;
  }
  void fill(wire::ProduceRequest::Builder out, const std::string& topic, const std::vector<uint8_t>& batch,
            int32_t partition = 0) {
    wire::write(id_of(topic), out.initTopic());
    out.setPartition(partition);
    out.setBatch(kj::arrayPtr(batch.data(), batch.size()));
  }
  auto produce(const std::string& topic, int32_t records, int32_t partition = 0) {
    auto request = producer.produceRequest();
    fill(request.initRequest(), topic, make_wire_batch(records), partition);
    return ask(request);
  }
  void fill(wire::FetchRequest::Builder out, const std::string& topic, int64_t from, uint32_t wait_ms = 0) {
    auto at = out.initPosition();
    wire::write(id_of(topic), at.initTopic());
    at.setOffset(from);
    out.setWaitMs(wait_ms);
  }
  auto fetch(const std::string& topic, int64_t from) {
    auto request = consumer.fetchRequest();
    fill(request.initRequest(), topic, from);
    return ask(request);
  }
};

} // namespace pessoa::test
