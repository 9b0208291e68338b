// A node that answers as it is told: for what a whole node cannot be brought to, and for fuzzing. One loop, virtual time.
#pragma once

#include "kafka/gateway.hpp"
#include "tests/node/test_loop.hpp"
#include "tests/support/deterministic_system.hpp"

#include <deque>

namespace pessoa::kafka::test {

class scripted_gateway final : public gateway {
public:
  template <class T>
  using later = kj::Promise<result<T>>;

  // What a test holds on to; the connection owns the gateway.
  struct script {
    explicit script(node::test_loop& loop) : loop(loop) {
      table = std::make_shared<actors::routing_snapshot>();
      table->controller = node_id{1};
      add_node(1, "127.0.0.1:9092");
    }
    void add_node(int32_t id, std::string kafka) {
      actors::node_route node;
      node.registration.node = node_id{id};
      node.registration.kafka = std::move(kafka);
      table->nodes[node_id{id}] = node;
    }
    // Led by `leader`, in epoch 3.
    actors::topic_route& add_topic(const std::string& name, int32_t partitions, int32_t leader = 1) {
      auto route = std::make_shared<actors::topic_route>();
      topic_id::bytes_type raw{};
      raw[0] = static_cast<uint8_t>(table->topics.size() + 1);
      route->id = topic_id{raw};
      route->name = name;
      for (int32_t i = 0; i < partitions; ++i)
        route->partitions.push_back(
            {node_id{leader}, leader_epoch{3}, {node_id{leader}}, {node_id{leader}}, {}, {}});
      table->topics[route->id] = route;
      table->by_name[name] = route->id;
      return *route;
    }

    node::test_loop& loop;
    pessoa::test::virtual_clock clock;
    std::shared_ptr<actors::routing_snapshot> table;
    bool creates = false;
    bool room = true;    // in the memory for answers
    size_t reserved = 0; // now
    size_t fetches = 0;  // asked so far
    std::function<result<protocol::produced>(partition_id, actors::produce_command&)> on_produce;
    std::function<later<actors::fetched>(partition_id, actors::fetch_command&)> on_fetch;
    std::function<result<actors::offset_answer>(partition_id, const actors::offset_query&)> on_offset;
    std::function<result<protocol::epoch_end>(partition_id, const actors::epoch_query&)> on_epoch;
    std::function<result<actors::committed_change>(const std::string& name)> on_change;
    std::function<result<producer_id>()> on_id;

    void pass(duration d) {
      clock.pass(d);
      loop.pass(d);
    }
  };

  explicit scripted_gateway(std::shared_ptr<script> how) : s(std::move(how)) {}

  std::shared_ptr<const actors::routing_snapshot> routes() const override { return s->table; }
  const pessoa::clock& time() const override { return s->clock; }
  node_id self() const override { return node_id{1}; }
  bool auto_create() const override { return s->creates; }
  int32_t default_partitions() const override { return 1; }
  std::shared_ptr<void> reserve_reply(size_t bytes) override {
    if (!s->room) return nullptr;
    s->reserved += bytes;
    return {new size_t{bytes}, [s = s](size_t* taken) {
              s->reserved -= *taken;
              delete taken;
            }};
  }
  kj::Promise<void> after(duration span) override {
    return s->loop.timer().afterDelay(span.count() * kj::NANOSECONDS);
  }
  later<protocol::produced> produce(const topic_id& topic, partition_id partition,
                                    std::shared_ptr<actors::produce_command> command) override {
    return at(topic, partition, s->on_produce, *command);
  }
  later<actors::fetched> fetch(const topic_id& topic, partition_id partition,
                               std::shared_ptr<actors::fetch_command> command) override {
    ++s->fetches;
    auto* route = s->table->find(topic);
    if (route == nullptr || partition.value() < 0
        || static_cast<size_t>(partition.value()) >= route->partitions.size())
      return result<actors::fetched>{ec::unknown_partition, "there is none"};
    if (!s->on_fetch) return result<actors::fetched>{actors::fetched{}};
    return s->on_fetch(partition, *command);
  }
  later<actors::offset_answer> find_offset(const topic_id& topic, partition_id partition,
                                           std::shared_ptr<actors::offset_query> query) override {
    return at(topic, partition, s->on_offset, *query);
  }
  later<protocol::epoch_end> find_epoch_end(const topic_id& topic, partition_id partition,
                                            std::shared_ptr<actors::epoch_query> query) override {
    return at(topic, partition, s->on_epoch, *query);
  }
  later<actors::committed_change> create_topic(protocol::create_topic_request request) override {
    return change(request.name);
  }
  later<actors::committed_change> delete_topic(std::string name) override { return change(name); }
  later<actors::committed_change> delete_topic(topic_id id) override { return change(to_string(id)); }
  kj::Promise<creation_errors> create_topics(std::set<std::string> names, instant) override {
    creation_errors failed;
    for (auto& name : names)
      if (s->on_change)
        if (auto done = s->on_change(name); !done) failed.emplace(name, done.error());
    return failed;
  }
  kj::Promise<void> all_ready() override { return kj::READY_NOW; }
  later<producer_id> new_producer_id() override {
    return s->on_id ? s->on_id() : result<producer_id>{producer_id{4}};
  }

private:
  template <class Outcome, class Command>
  later<Outcome> at(const topic_id& topic, partition_id partition,
                    std::function<result<Outcome>(partition_id, Command&)>& script,
                    std::remove_const_t<Command>& command) {
    auto* route = s->table->find(topic);
    if (route == nullptr || partition.value() < 0
        || static_cast<size_t>(partition.value()) >= route->partitions.size())
      return result<Outcome>{ec::unknown_partition, "there is none"};
    return script ? script(partition, command) : result<Outcome>{Outcome{}};
  }
  later<actors::committed_change> change(const std::string& name) {
    return s->on_change ? s->on_change(name) : result<actors::committed_change>{actors::committed_change{}};
  }

  std::shared_ptr<script> s;
};

} // namespace pessoa::kafka::test
