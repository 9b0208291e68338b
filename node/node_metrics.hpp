// The series of what this folder owns: the process, budgets, listeners. The handles keep them; what they read
// must outlive the handles.
#pragma once

#include "node/byte_budget.hpp"
#include "node/metrics.hpp"
#include "node/rpc_listener.hpp"

namespace pessoa::node {

using metric_handles = std::vector<metric_handle>;

// pessoa_build_info, pessoa_uptime_seconds, pessoa_memory_resident_bytes, pessoa_cpu_seconds_total,
// pessoa_open_files
metric_handles process_metrics(metrics_registry& registry, const clock& time, const std::string& version);

// pessoa_queue_bytes and its limit, high water and who waits, with the label queue
metric_handles budget_metrics(metrics_registry& registry, const std::string& queue,
                              std::shared_ptr<byte_budget> budget);

// pessoa_rpc_...
metric_handles rpc_listener_metrics(metrics_registry& registry, const rpc_listener& listener);

// pessoa_kafka_...
metric_handles kafka_listener_metrics(metrics_registry& registry, const stream_listener& listener);

// Of this process, from the kernel; 0 where it does not say.
uint64_t resident_bytes();
uint64_t bytes_read_so_far(); // by read calls of all kinds, page cache or not

} // namespace pessoa::node
