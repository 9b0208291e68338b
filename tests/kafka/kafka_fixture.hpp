// A Kafka client of a whole node in one thread: requests go through the service as a listener would bring them, and come
// back decoded. What the client asked for and the node answers are real bytes in the version of the request.
#pragma once

#include "kafka/codec/frame.hpp"
#include "kafka/messages/all.hpp"
#include "kafka/server.hpp"
#include "node/front.hpp"
#include "schema/record_batch.hpp"
#include "tests/support/one_thread_node.hpp"

namespace pessoa::kafka::test {

using pessoa::test::one_thread_node;
using raw = std::vector<uint8_t>;

template <class Request>
struct answered_by;
#define PESSOA_ANSWERED_BY(name)                                                                             \
  template <>                                                                                                \
  struct answered_by<name##_request> {                                                                       \
    using type = name##_response;                                                                            \
  };
PESSOA_ANSWERED_BY(api_versions)
PESSOA_ANSWERED_BY(create_topics)
PESSOA_ANSWERED_BY(delete_topics)
PESSOA_ANSWERED_BY(describe_configs)
PESSOA_ANSWERED_BY(fetch)
PESSOA_ANSWERED_BY(find_coordinator)
PESSOA_ANSWERED_BY(init_producer_id)
PESSOA_ANSWERED_BY(list_offsets)
PESSOA_ANSWERED_BY(metadata)
PESSOA_ANSWERED_BY(offset_for_leader_epoch)
PESSOA_ANSWERED_BY(produce)
#undef PESSOA_ANSWERED_BY

// A batch as a producer sends it: base offset 0.
inline raw batch_of(int32_t records, size_t value_bytes = 16, compression codec = compression::none,
                    int64_t time = 1'700'000'000'000, const batch_identity& producer = {}) {
  batch_builder builder{codec};
  std::string value(value_bytes, 'v');
  for (int32_t i = 0; i < records; ++i)
    builder.add({timestamp{time + i}, std::nullopt, as_bytes(value), {}});
  return builder.finish(producer);
}

inline payload payload_of(raw data) { return payload{bytes::take(std::move(data))}; }

// A frame as the listener hands it over, behind its length.
inline request_frame frame_of(const raw& with_length) {
  request_frame out;
  out.size = with_length.size() - 4;
  out.data = std::shared_ptr<uint8_t[]>(new uint8_t[out.size + 1]);
  std::memcpy(out.data.get(), with_length.data() + 4, out.size);
  out.charge = std::make_shared<int>(0);
  return out;
}

// What a promise comes to, when it does.
struct pending_answer {
  std::optional<answer> got;
  kj::Promise<void> waiting{kj::READY_NOW};
};

// A service and a connection of it, over any gateway.
class peer {
public:
  peer(std::unique_ptr<gateway> to, log_sink& log, service_options options = {}) {
    options.log = &log;
    options.counted = &counted;
    served = make_service(std::move(options));
    from->peer = "127.0.0.1:50001";
    from->reached = {"127.0.0.1", 9092};
    from->to = std::move(to);
  }

  template <class Request>
  static request_frame frame(const Request& asked, int16_t version) {
    auto made = encode_request(asked, version, 7, "test client");
    INFO((made.ok() ? std::string{} : to_string(made.error())));
    REQUIRE(made.ok());
    return frame_of(made->joined());
  }
  std::shared_ptr<pending_answer> begin(request_frame frame) {
    auto slot = std::make_shared<pending_answer>();
    slot->waiting = served->serve(from, std::move(frame))
                        .then([at = slot.get()](answer&& a) { at->got = kj::mv(a); })
                        .eagerlyEvaluate(nullptr);
    return slot;
  }
  template <class Request>
  std::shared_ptr<pending_answer> begin(const Request& asked, int16_t version) {
    return begin(frame(asked, version));
  }
  // The message in an answer that does not end the connection.
  template <class Request>
  static typename answered_by<Request>::type read(const answer& a, int16_t version) {
    INFO((a.close ? to_string(*a.close) : std::string{}));
    REQUIRE_FALSE(a.close.has_value());
    REQUIRE(a.message.has_value());
    auto all = a.message->joined();
    REQUIRE(all.size() == a.message->size);
    REQUIRE(load_be<int32_t>(all.data()) == static_cast<int32_t>(all.size() - 4));
    auto got = decode_response<typename answered_by<Request>::type>(bytes::copy(byte_view{all}.subspan(4)),
                                                                    version, 7);
    INFO((got.ok() ? std::string{} : to_string(got.error())));
    REQUIRE(got.ok());
    return std::move(*got);
  }

  counters counted;
  std::shared_ptr<caller> from = std::make_shared<caller>();
  std::unique_ptr<service> served;
};

// A connection to a whole node.
class node_peer : public peer {
public:
  explicit node_peer(one_thread_node& n, service_options options = {})
      : node_peer(n, n.net.make_loop("kafka"), std::move(options)) {}

  answer get(request_frame frame) {
    auto slot = begin(std::move(frame));
    n.settle();
    REQUIRE(slot->got.has_value());
    return std::move(*slot->got);
  }
  template <class Request>
  answer get(const Request& asked, int16_t version) {
    return get(frame(asked, version));
  }
  template <class Request>
  typename answered_by<Request>::type ask(const Request& asked, int16_t version) {
    return read<Request>(get(asked, version), version);
  }
  // Why the connection ends.
  template <class Request>
  ec end_of(const Request& asked, int16_t version) {
    auto a = get(asked, version);
    REQUIRE(a.close.has_value());
    return a.close->code;
  }

  // Not through Kafka: for tests of something else.
  void create(const std::string& name, int32_t partitions = 1,
              std::map<std::string, std::string> config = {}) {
    protocol::create_topic_request request;
    request.name = name;
    request.partitions = partitions;
    request.config = std::move(config);
    REQUIRE(n.get(from->to->create_topic(std::move(request))).ok());
    n.settle();
  }
  const actors::topic_route& route(const std::string& name) {
    routes = from->to->routes();
    auto* found = routes->find(name);
    REQUIRE(found != nullptr);
    return *found;
  }

  static produce_request produce_of(const std::string& topic, raw batch, int32_t partition = 0,
                                    int16_t acks = -1) {
    produce_request out;
    out.acks = acks;
    out.timeout_ms = 1000;
    auto& t = out.topics.emplace_back();
    t.name = topic;
    auto& p = t.partitions.emplace_back();
    p.index = partition;
    p.records = payload_of(std::move(batch));
    return out;
  }
  produce_response::topic::partition produce(const std::string& topic, raw batch, int32_t partition = 0,
                                             int16_t version = 9) {
    auto out = ask(produce_of(topic, std::move(batch), partition), version);
    return out.topics.at(0).partitions.at(0);
  }
  static fetch_request fetch_of(const std::string& topic, int64_t from, int32_t partition = 0) {
    fetch_request out;
    out.max_wait_ms = 0;
    out.min_bytes = 1;
    out.topics.emplace_back().topic = topic;
    add(out, from, partition);
    return out;
  }
  static fetch_request::topic::partition& add(fetch_request& to, int64_t from, int32_t partition) {
    auto& p = to.topics.back().partitions.emplace_back();
    p.partition = partition;
    p.fetch_offset = from;
    p.partition_max_bytes = 1 << 20;
    return p;
  }
  fetch_response::topic::partition fetch(const std::string& topic, int64_t from, int16_t version = 11) {
    auto out = ask(fetch_of(topic, from), version);
    return out.topics.at(0).partitions.at(0);
  }

  one_thread_node& n;
  std::shared_ptr<io_loop> loop;
  std::shared_ptr<node::byte_budget> replies;

private:
  node_peer(one_thread_node& n, std::shared_ptr<io_loop> on, service_options options)
      : node_peer(n, on, node::byte_budget::make(connection_bytes_budget, n.node->service().replies),
                  std::move(options)) {}
  node_peer(one_thread_node& n, std::shared_ptr<io_loop> on, std::shared_ptr<node::byte_budget> room,
            service_options options)
      : peer(std::make_unique<node::front>(n.node->service(), *on, room), n.log, std::move(options)), n(n),
        loop(std::move(on)), replies(std::move(room)) {}
  std::shared_ptr<const actors::routing_snapshot> routes;
};

} // namespace pessoa::kafka::test
