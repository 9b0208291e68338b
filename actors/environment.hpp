// What every actor of a node is given: the seams and the services of the data directory. Owned by the node's wiring,
// outlives all actors; nothing here is a singleton, so a test or the simulator holds several side by side.
#pragma once

#include "persistence/commit_service.hpp"
#include "persistence/partition_log.hpp"
#include "persistence/storage_env.hpp"
#include "schema/ids.hpp"
#include "schema/seams/clock.hpp"
#include "schema/seams/log_sink.hpp"
#include "schema/seams/random.hpp"
#include "schema/seams/thread_pool.hpp"

#include <caf/fwd.hpp>

#include <atomic>
#include <functional>
#include <string>
#include <vector>

namespace pessoa::actors {

class routing_table;

// Cumulative figures that actors keep; the node shows them in /metrics.
struct actor_counters {
  std::atomic<uint64_t> records_in{0}, bytes_in{0}, batches_in{0}, duplicates{0};
  std::atomic<uint64_t> records_out{0}, bytes_out{0}, fetches{0};
  std::atomic<uint64_t> produce_errors{0}, fetch_errors{0};
  std::atomic<uint64_t> leaderships{0}, replicas_open{0}, replicas_offline{0}, retention_bytes{0};
};

struct environment {
  const clock* time = nullptr;
  random_source* random = nullptr;
  thread_pool* reads = nullptr; // fetches, queries, opening, upkeep
  persistence::commit_service* commits = nullptr;
  persistence::storage_env* disk = nullptr;
  log_sink* log = nullptr;
  routing_table* routes = nullptr;
  actor_counters* counters = nullptr;

  node_id self{1};
  bool clean_stop = false;      // the last stop was clean: logs need no scan
  size_t opens_in_parallel = 8; // logs being recovered at a time
  duration upkeep_interval = std::chrono::seconds{30};
  persistence::log_settings logs; // what the topics do not say
  size_t waiting_bytes_max =
      64u << 20;                      // of a partition: decided and not committed (protocol::leader_settings)
  size_t parked_fetches_max = 10'000; // likewise

  // The data directory's partitions (persistence/data_directory.hpp); blocking, safe from several storage threads.
  std::function<result<std::string>(const partition_key&)> create_partition; // its path; ok when it is there
  std::function<result<void>(const partition_key&)> delete_partition;        // gone for every later start
  std::function<result<std::vector<partition_key>>()> list_partitions;
  // Hears of every actor that begins; for a simulator, which ends a node in the middle of its life. May be empty.
  std::function<void(const caf::actor_addr&)> born;
  // Something that cannot be: logs and ends the process, which restarts from disk.
  std::function<void(const std::string& what)> fatal;
};

} // namespace pessoa::actors
