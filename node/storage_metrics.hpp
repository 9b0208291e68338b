// The series of the data directory and of the roles that write and read it: records and bytes, syncs, free space, health.
#pragma once

#include "actors/environment.hpp"
#include "node/node_metrics.hpp"

namespace pessoa::node {

// pessoa_records_..., pessoa_batches_..., pessoa_partitions_..., pessoa_request_errors_total
metric_handles actor_metrics(metrics_registry& registry, const actors::environment& env);

// pessoa_storage_...
metric_handles storage_metrics(metrics_registry& registry, const actors::environment& env);

// pessoa_cluster_...
metric_handles health_metrics(metrics_registry& registry, const actors::environment& env);

} // namespace pessoa::node
