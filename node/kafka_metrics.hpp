// The series of what Kafka's clients are served with: requests refused, and whether record bytes were left where they lay.
#pragma once

#include "kafka/server.hpp"
#include "node/node_metrics.hpp"

namespace pessoa::node {

// pessoa_kafka_...; beside those of the listener (node/node_metrics.hpp).
metric_handles kafka_service_metrics(metrics_registry& registry, const kafka::counters& counted);

} // namespace pessoa::node
