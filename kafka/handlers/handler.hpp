// What a handler is, and what it is given: one API, its versions in its type, a function from a decoded request to a
// promised answer.
//
//   using fetch_handler = handler<fetch_request, 4, 12>;                         // kafka/handlers/handlers.hpp
//   template <> kj::Promise<answer> fetch_handler::handle(exchange x, fetch_request asked) { ... }   // fetch.cpp
//
// A handler speaks to the gateway and to nothing else. It answers every error in the request's version; it closes the
// connection only for what no answer can say. What it sends to partitions it sends before it returns.
#pragma once

#include "kafka/codec/frame.hpp"
#include "kafka/codec/promises.hpp"
#include "kafka/errors.hpp"
#include "kafka/server.hpp"

#include <algorithm>
#include <functional>

namespace pessoa::kafka {

// One request being served. A cheap copy; keeps what it needs alive.
struct exchange {
  std::shared_ptr<const service_options> options;
  std::shared_ptr<caller> from;
  request_frame frame; // the whole request, head included
  api_key key{};
  int16_t version = 0;
  int32_t correlation_id = 0;

  [[nodiscard]] gateway& to() const { return *from->to; }
  [[nodiscard]] int16_t number_of(ec code) const { return kafka_number(code, key, version); }
  // Now and `ms`, which a client chose: not negative, at most ten minutes.
  [[nodiscard]] instant deadline_in(int32_t ms) const;
  // "127.0.0.1:53122 (client 'x')", for logs.
  [[nodiscard]] std::string who() const;
};

// The answer in the request's version. What cannot be encoded is a bug, or too large: it ends the connection.
template <class Response>
answer reply(const exchange& x, const Response& response) {
  answer out;
  auto message = encode_response(response, x.version, x.correlation_id);
  if (message)
    out.message = std::move(*message);
  else
    out.close = message.error();
  return out;
}
// No answer, and the end of the connection.
answer closing(error why);
// For answers that may be much larger than their requests: what `build` makes has its place in the memory for answers. When
// that is full the answer is dropped and made again a little later; after some seconds the connection ends (overloaded).
kj::Promise<answer> in_room(exchange x, std::function<answer()> build, int tries = 50);

// Requests name partitions by the thousand; more than any node has is nonsense that would cost us memory.
result<void> check_partition_count(size_t count);

// The topic that a request means by a name. Errors: unknown_topic.
result<const actors::topic_route*> topic_named(const actors::routing_snapshot& routes,
                                               const std::string& name);

// Where the client finds the brokers of the cluster: those with a listener for Kafka, and this node where it was reached.
struct broker_address {
  node_id node;
  host_port at;
  std::string rack; // empty: none
};
std::vector<broker_address> broker_addresses(const exchange& x, const actors::routing_snapshot& routes);

template <class Request, int16_t Min, int16_t Max>
struct handler {
  using request = Request;
  static constexpr api_key key = Request::message_key;
  static constexpr version_range versions{Min, Max};
  static_assert(promised(key) == versions, "a handler does what kafka/codec/promises.hpp promises");
  static_assert(Request::version_min <= Min && Max <= Request::version_max, "the codec knows these versions");

  // Never rejects but for a bug.
  static kj::Promise<answer> handle(exchange x, Request asked);
};

} // namespace pessoa::kafka
