// The series of the data directory and of the roles that write and read it: records and bytes, syncs, free space, health.
#pragma once

#include "actors/environment.hpp"
#include "node/node_metrics.hpp"

namespace pessoa::node {

// pessoa_records_..., pessoa_batches_..., pessoa_partitions_..., pessoa_request_errors_total
metric_handles actor_metrics(metrics_registry& registry, const actors::environment& env);

// pessoa_storage_...
metric_handles storage_metrics(metrics_registry& registry, const actors::environment& env);

// What the start had to do before the node could serve.
struct recovery_figures {
  duration took{0};
  uint64_t bytes_read = 0; // all of them: logs, indexes, journal, identity
};
// pessoa_storage_recovery_...
metric_handles recovery_metrics(metrics_registry& registry, const recovery_figures& figures);

// pessoa_cluster_...
metric_handles health_metrics(metrics_registry& registry, const actors::environment& env);

} // namespace pessoa::node
