#include "node/storage_metrics.hpp"

#include "node/health.hpp"

namespace pessoa::node {

namespace {

// Bucket i of the service counts what took less than 2^i microseconds. The sum is not kept there; the middle of each
// bucket stands for what is in it.
metric_histogram::snapshot from_micros(const std::vector<uint64_t>& buckets) {
  metric_histogram::snapshot out;
  for (size_t i = 0; i < buckets.size(); ++i) {
    out.count += buckets[i];
    double bound = static_cast<double>(uint64_t{1} << i) / 1e6;
    out.sum += static_cast<double>(buckets[i]) * bound * 0.75;
    out.cumulative.emplace_back(bound, out.count);
  }
  return out;
}

} // namespace

metric_handles actor_metrics(metrics_registry& registry, const actors::environment& env) {
  auto* c = env.counters;
  auto count = [&](const char* name, const char* help, const std::atomic<uint64_t>& value,
                   metric_labels labels = {}) {
    return registry.counter_callback(name, help, labels,
                                     [&value] { return static_cast<double>(value.load()); });
  };
  return {
      count("pessoa_records_in_total", "Records appended.", c->records_in),
      count("pessoa_batches_in_total", "Batches appended.", c->batches_in),
      count("pessoa_bytes_in_total", "Bytes of batches appended, as they came.", c->bytes_in),
      count("pessoa_duplicate_batches_total", "Batches that were there already.", c->duplicates),
      count("pessoa_bytes_out_total", "Bytes of batches read for consumers.", c->bytes_out),
      count("pessoa_fetches_total", "Fetches that reached a partition.", c->fetches),
      count("pessoa_request_errors_total", "Requests that a partition answered with an error.",
            c->produce_errors, {{"api", "produce"}}),
      count("pessoa_request_errors_total", "Requests that a partition answered with an error.",
            c->fetch_errors, {{"api", "fetch"}}),
      count("pessoa_partition_leaderships_total", "Leadership epochs begun here.", c->leaderships),
      count("pessoa_retention_bytes_total", "Bytes that retention and deletion freed.", c->retention_bytes),
      registry.gauge("pessoa_partition_replicas", "Replicas open on this node.", {},
                     [c] { return static_cast<double>(c->replicas_open.load()); }),
      registry.gauge("pessoa_partition_replicas_offline", "Replicas whose log failed.", {},
                     [c] { return static_cast<double>(c->replicas_offline.load()); }),
  };
}

metric_handles storage_metrics(metrics_registry& registry, const actors::environment& env) {
  auto* commits = env.commits;
  using counters = persistence::commit_counters;
  auto count = [&](const char* name, const char* help, uint64_t counters::*field, metric_labels labels = {}) {
    return registry.counter_callback(
        name, help, labels, [commits, field] { return static_cast<double>(commits->counters().*field); });
  };
  auto space = [&](const char* name, const char* help, uint64_t persistence::space_info::*field) {
    // As it was last seen: a disk that hangs must not hang this page.
    return registry.gauge(name, help, {}, [commits, field] {
      auto found = commits->space();
      return found ? static_cast<double>((*found).*field) : -1.0;
    });
  };
  return {
      count("pessoa_storage_commit_rounds_total",
            "Rounds of the commit service: each is one wait for the disk.", &counters::rounds),
      count("pessoa_storage_commits_total", "Commits of one log each.", &counters::requests),
      count("pessoa_storage_committed_bytes_total", "Bytes of frames committed.", &counters::bytes),
      count("pessoa_storage_syncs_total", "Syncs that answers waited for.", &counters::segment_syncs,
            {{"file", "segment"}}),
      count("pessoa_storage_syncs_total", "Syncs that answers waited for.", &counters::journal_syncs,
            {{"file", "journal"}}),
      count("pessoa_storage_journal_bytes_total", "Bytes written to the journal.", &counters::journal_bytes),
      count("pessoa_storage_refused_total", "Commits refused because the disk is full.",
            &counters::refused_disk_full),
      count("pessoa_io_errors_total", "Commits that failed.", &counters::failures),
      registry.gauge("pessoa_queue_bytes", "Bytes held at this moment.", {{"queue", "commit"}},
                     [commits] { return static_cast<double>(commits->counters().queued_bytes); }),
      registry.histogram_callback(
          "pessoa_storage_fsync_seconds", "How long syncs took.", {},
          [commits] { return from_micros(commits->counters().sync_micros_histogram); }),
      registry.histogram_callback(
          "pessoa_storage_append_seconds", "How long writes to the page cache took.", {},
          [commits] { return from_micros(commits->counters().write_micros_histogram); }),
      space("pessoa_storage_disk_free_bytes", "Free space below the data directory.",
            &persistence::space_info::free_bytes),
      space("pessoa_storage_disk_total_bytes", "Size of the data directory's file system.",
            &persistence::space_info::total_bytes),
      registry.gauge("pessoa_storage_disk_alert", "1 while writes are refused because the disk is full.", {},
                     [commits] { return commits->refusing() ? 1.0 : 0.0; }),
  };
}

metric_handles recovery_metrics(metrics_registry& registry, const recovery_figures& figures) {
  auto seconds = std::chrono::duration<double>(figures.took).count();
  return {
      registry.gauge("pessoa_storage_recovery_seconds",
                     "How long the start worked on the data directory before it served.", {},
                     [seconds] { return seconds; }),
      registry.counter_callback("pessoa_storage_recovery_bytes_read_total",
                                "Bytes that the start read before it served.", {},
                                [bytes = figures.bytes_read] { return static_cast<double>(bytes); }),
  };
}

metric_handles health_metrics(metrics_registry& registry, const actors::environment& env) {
  auto of = [&](const char* name, const char* help, uint32_t health_verdict::*field) {
    return registry.gauge(name, help, {},
                          [&env, field] { return static_cast<double>(judge_health(env).*field); });
  };
  return {
      of("pessoa_cluster_partitions_leaderless", "Partitions without a leader.", &health_verdict::leaderless),
      of("pessoa_cluster_partitions_under_replicated",
         "Partitions with fewer in-sync replicas than replicas.", &health_verdict::under_replicated),
  };
}

} // namespace pessoa::node
