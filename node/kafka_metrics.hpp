// The series of what Kafka's clients are served with: requests refused, and how record bytes went through.
#pragma once

#include "kafka/server.hpp"
#include "node/node_metrics.hpp"

namespace pessoa::node {

// pessoa_kafka_requests_refused_total, pessoa_kafka_record_bytes_total; beside those of the listener
// (node/node_metrics.hpp). `counted` outlives the handles.
metric_handles kafka_service_metrics(metrics_registry& registry, const kafka::counters& counted);

} // namespace pessoa::node
