// The series of the Kafka service: what it was asked, and how record bytes went through it.
#pragma once

#include "kafka/server.hpp"
#include "node/node_metrics.hpp"

namespace pessoa::node {

// pessoa_kafka_requests_total, pessoa_kafka_refused_total, pessoa_kafka_record_bytes_total. `counted` outlives the handles.
metric_handles kafka_metrics(metrics_registry& registry, const kafka::counters& counted);

} // namespace pessoa::node
