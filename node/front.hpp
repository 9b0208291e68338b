// The front of a node: what listeners of every protocol ask of the actors, as promises on the loop of one connection.
//
// Thin: routes are read, commands are sent, answers come back over a bridge. It holds no state of its own, so a copy is as
// good; it must not outlive the node. The promises of its functions: kafka/gateway.hpp.
#pragma once

#include "kafka/gateway.hpp"
#include "node/byte_budget.hpp"
#include "node/services.hpp"

#include <algorithm>

namespace pessoa::node {

using kafka::creation_errors;

// Longest time a caller may ask us to hold a request.
inline constexpr uint32_t wait_ms_max = 600'000;

class front final : public kafka::gateway {
public:
  // `replies` is the connection's part of the memory for answers.
  front(const services& node, io_loop& loop, std::shared_ptr<byte_budget> replies)
      : node_(node), loop_(loop), replies_(std::move(replies)) {}

  [[nodiscard]] const services& node() const { return node_; }
  [[nodiscard]] io_loop& loop() const { return loop_; }
  [[nodiscard]] instant deadline_in(uint32_t ms) const {
    return node_.env->time->now() + std::chrono::milliseconds{std::min(ms, wait_ms_max)};
  }

  [[nodiscard]] std::shared_ptr<const actors::routing_snapshot> routes() const override {
    return node_.env->routes->load();
  }
  [[nodiscard]] const clock& time() const override { return *node_.env->time; }
  [[nodiscard]] node_id self() const override { return node_.env->self; }
  [[nodiscard]] bool auto_create() const override { return node_.auto_create; }
  [[nodiscard]] int32_t default_partitions() const override { return node_.default_partitions; }
  [[nodiscard]] std::shared_ptr<void> reserve_reply(size_t bytes) override;
  kj::Promise<void> after(duration span) override {
    return loop_.timer().afterDelay(span.count() * kj::NANOSECONDS);
  }

  kj::Promise<result<protocol::produced>> produce(const topic_id& topic, partition_id partition,
                                                  std::shared_ptr<actors::produce_command> command) override;
  kj::Promise<result<actors::fetched>> fetch(const topic_id& topic, partition_id partition,
                                             std::shared_ptr<actors::fetch_command> command) override;
  kj::Promise<result<actors::offset_answer>>
  find_offset(const topic_id& topic, partition_id partition,
              std::shared_ptr<actors::offset_query> query) override;
  kj::Promise<result<protocol::epoch_end>>
  find_epoch_end(const topic_id& topic, partition_id partition,
                 std::shared_ptr<actors::epoch_query> query) override;
  kj::Promise<result<offset>> delete_records(const topic_id& topic, partition_id partition, offset before);
  kj::Promise<result<actors::partition_status>> status(const actors::partition_route& route);

  kj::Promise<result<actors::committed_change>> create_topic(protocol::create_topic_request request) override;
  kj::Promise<result<actors::committed_change>> alter_topic(protocol::alter_topic_request request);
  kj::Promise<result<actors::committed_change>> delete_topic(std::string name) override;
  kj::Promise<result<actors::committed_change>> delete_topic(topic_id id) override;
  kj::Promise<creation_errors> create_topics(std::set<std::string> names, instant deadline) override;
  kj::Promise<void> all_ready() override;
  // When this node has applied `index`. Errors: timed_out, shutting_down.
  kj::Promise<result<metadata_index>> applied(metadata_index index, uint32_t timeout_ms);
  kj::Promise<result<producer_id>> new_producer_id() override;

private:
  // The partition a request is for, on this node.
  [[nodiscard]] result<actors::partition_actor> local_leader(const topic_id& topic, partition_id index) const;
  template <class Command>
  kj::Promise<result<actors::committed_change>> change(std::shared_ptr<Command> command);

  const services& node_;
  io_loop& loop_;
  std::shared_ptr<byte_budget> replies_;
};

} // namespace pessoa::node
