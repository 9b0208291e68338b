// Serves Kafka's clients: node/stream_listener.hpp with a kafka_connection on each stream. Who gets no connection is closed
// without a word, because Kafka has none.
#pragma once

#include "node/kafka_connection.hpp"

namespace pessoa::node {

struct kafka_listener_options {
  connection_limits connections;
  kafka_connection_options connection;
};

// The node as one connection sees it. Called on the connection's loop; what it throws ends that connection.
using gateway_factory = std::function<std::unique_ptr<kafka::gateway>(io_loop& loop)>;

// `service` is called on all the loops, side by side.
std::unique_ptr<stream_listener>
serve_kafka(std::shared_ptr<listening_socket> socket, std::vector<std::shared_ptr<io_loop>> loops,
            kafka_listener_budgets budgets, std::shared_ptr<kafka::service> service, gateway_factory gateways,
            kafka_listener_options options, stream_listener_hooks hooks = {});

} // namespace pessoa::node
