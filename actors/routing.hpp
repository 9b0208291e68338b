// Where a request goes: an immutable snapshot that network threads read without asking an actor (architecture, 4).
//
// The broker publishes a new snapshot after each change it has applied; readers keep the one they took for as long as
// they look at it. A snapshot may be a moment old: the partition's epoch check decides, not the snapshot.
#pragma once

#include "actors/interfaces.hpp"
#include "schema/metadata_records.hpp"
#include "schema/topic_config.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace pessoa::actors {

struct partition_route {
  node_id leader{-1};
  leader_epoch epoch = no_epoch;
  std::vector<node_id> replicas, isr;
  // When this node leads it and its log is open; else null.
  partition_actor local;
  // Why it is not, when it should be.
  std::optional<error> offline;
};

struct topic_route {
  topic_id id;
  std::string name;
  int16_t wanted_replicas = 1;
  topic_config config;
  std::map<std::string, std::string> chosen; // of it, what was set and is no default
  std::vector<partition_route> partitions; // by index
};

struct node_route {
  node_registered registration;
  incarnation life{0};
};

struct routing_snapshot {
  metadata_index index{-1};
  cluster_id cluster;
  node_id controller{-1};
  std::map<node_id, node_route> nodes;
  std::map<topic_id, std::shared_ptr<const topic_route>> topics;
  std::map<std::string, topic_id, std::less<>> by_name;

  [[nodiscard]] const topic_route* find(const topic_id& id) const;
  [[nodiscard]] const topic_route* find(std::string_view name) const;
};

// The place where the newest snapshot lies. Thread-safe.
class routing_table {
public:
  routing_table();
  [[nodiscard]] std::shared_ptr<const routing_snapshot> load() const;
  // Requires: the index does not go back (failures N8).
  void publish(std::shared_ptr<const routing_snapshot> next);
  // The node ends: no handle of an actor may outlive the actor system.
  void clear();

private:
  mutable std::mutex mutex_;
  std::shared_ptr<const routing_snapshot> current_;
};

} // namespace pessoa::actors
