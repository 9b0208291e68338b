// Creates, changes, describes and deletes topics. Every function waits for its answer, up to
// "default.api.timeout.ms".
//
// What only reads is repeated until then. What changes something is repeated only while it was certainly not
// carried out; when the link breaks after it was sent, the error is unknown_result and says so. A change that
// was answered is seen by every later call of this cluster object.
//
// Errors of all: timed_out (with last_causes), denied, shutting_down, disconnected and unknown_result (see
// above).
#pragma once

#include "pessoa/cluster.hpp"
#include "pessoa/record.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pessoa::client {

struct new_topic {
  std::string name;
  std::optional<int32_t> partitions; // none: the cluster's default
  std::optional<int32_t> replicas;   // none: min(3, nodes)
  std::map<std::string, std::string> config;
};

struct topic_change {
  std::string name;
  std::optional<int32_t> partitions;         // the new total
  std::map<std::string, std::string> config; // an empty value goes back to the default
};

struct partition_description {
  partition_info partition;
  int64_t log_start = -1;
  int64_t high_watermark = -1;
  int64_t log_end = -1;
  uint64_t bytes = 0;
  std::optional<client::error> error; // the leader could not be asked: the numbers are -1
};

struct topic_description {
  topic_info topic;
  std::vector<partition_description> partitions;
};

class admin {
public:
  explicit admin(cluster on) : cluster_(std::move(on)) {}

  // Errors: topic_exists, invalid_topic_name, invalid_partitions, invalid_replication_factor, invalid_config.
  result<topic_info> create_topic(const new_topic& topic) const;
  // Error: unknown_topic.
  result<void> delete_topic(std::string_view name) const;
  // Errors: unknown_topic, invalid_partitions (fewer than now), invalid_config.
  result<topic_info> alter_topic(const topic_change& change) const;
  // Error: unknown_topic.
  result<topic_description> describe_topic(std::string_view name) const;
  // In order of name.
  result<std::vector<topic_info>> list_topics() const { return cluster_.topics(); }

  // Removes the records below `before` (none: all below the high watermark). Returns the new start of the
  // log. Errors: unknown_topic, unknown_partition, offset_out_of_range (above the high watermark).
  result<int64_t> delete_records(const topic_partition& at, std::optional<int64_t> before) const;

  result<cluster_info> info() const { return cluster_.info(); }
  result<cluster_health> health() const { return cluster_.health(); }

private:
  cluster cluster_;
};

} // namespace pessoa::client
