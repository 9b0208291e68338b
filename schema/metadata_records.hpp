// What the metadata log says: one record per decision (failures R26), each a plain value. State is a fold over them
// (protocol/metadata/metadata_image.hpp); nothing is deleted but by an explicit record (C9).
//
// On disk and on the wire they are metadata.capnp messages; schema/wire/metadata_codec translates.
#pragma once

#include "schema/ids.hpp"

#include <map>
#include <string>
#include <variant>
#include <vector>

namespace pessoa {

struct cluster_created {
  cluster_id id;
  std::string name;
  friend bool operator==(const cluster_created&, const cluster_created&) = default;
};

// A node entered, or came back: the index of this record is its incarnation. Every partition that it led gets a new
// leader epoch by partition_changed records in the same proposal (rules.md 2).
struct node_registered {
  node_id node;
  directory_id directory;
  std::string rpc, peer, kafka, http; // HOST:PORT as others reach it; empty: no such listener
  std::string rack;
  std::string version;
  friend bool operator==(const node_registered&, const node_registered&) = default;
};

struct partition_assignment {
  std::vector<node_id> replicas; // the first is preferred
  friend bool operator==(const partition_assignment&, const partition_assignment&) = default;
};

struct topic_created {
  topic_id topic;
  std::string name;
  int16_t wanted_replicas = 3;
  std::map<std::string, std::string> config; // only what was set explicitly
  std::vector<partition_assignment> partitions; // leader: the first replica, epoch 0, in-sync: all of them
  friend bool operator==(const topic_created&, const topic_created&) = default;
};

struct topic_deleted {
  topic_id topic;
  friend bool operator==(const topic_deleted&, const topic_deleted&) = default;
};

struct topic_config_changed {
  topic_id topic;
  std::map<std::string, std::string> config; // the whole of what is set explicitly now
  friend bool operator==(const topic_config_changed&, const topic_config_changed&) = default;
};

struct partitions_added {
  topic_id topic;
  std::vector<partition_assignment> added; // appended after the existing ones
  friend bool operator==(const partitions_added&, const partitions_added&) = default;
};

struct partition_changed {
  topic_id topic;
  partition_id partition;
  node_id leader{-1}; // -1: none
  leader_epoch epoch{0};
  std::vector<node_id> replicas;
  std::vector<node_id> isr;
  friend bool operator==(const partition_changed&, const partition_changed&) = default;
};

// Ids below `next` have been handed out, in blocks, to `node`; never again (failures T8).
struct producer_ids_allocated {
  node_id node;
  producer_id next{0};
  friend bool operator==(const producer_ids_allocated&, const producer_ids_allocated&) = default;
};

struct feature_level_raised {
  int32_t level = 1;
  friend bool operator==(const feature_level_raised&, const feature_level_raised&) = default;
};

using metadata_record =
  std::variant<cluster_created, node_registered, topic_created, topic_deleted, topic_config_changed, partitions_added,
               partition_changed, producer_ids_allocated, feature_level_raised>;

} // namespace pessoa
