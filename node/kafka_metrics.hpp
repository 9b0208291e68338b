<<<<<<< HEAD
// The series of what Kafka's clients are served with: requests refused, and whether record bytes were left where they lay.
=======
// The series of the Kafka service: what it was asked, and how record bytes went through it.
>>>>>>> khandle
#pragma once

#include "kafka/server.hpp"
#include "node/node_metrics.hpp"

namespace pessoa::node {

<<<<<<< HEAD
// pessoa_kafka_...; beside those of the listener (node/node_metrics.hpp).
metric_handles kafka_service_metrics(metrics_registry& registry, const kafka::counters& counted);
=======
// pessoa_kafka_requests_total, pessoa_kafka_refused_total, pessoa_kafka_record_bytes_total. `counted` outlives the handles.
metric_handles kafka_metrics(metrics_registry& registry, const kafka::counters& counted);
>>>>>>> khandle

} // namespace pessoa::node
