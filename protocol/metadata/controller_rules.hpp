// What the controller decides: a request and the present image in, the records to commit out, or the error to
// answer.
//
// Promises: every list of records applies to the image it was decided on, whole and in order, and no record
// changes anything before it is committed. One decision at a time: the next one must see what this one made.
// An empty list means that what was asked for is true already. Does not place replicas by load or rack; that
// comes with moves.
#pragma once

#include "protocol/metadata/metadata_image.hpp"
#include "schema/seams/random.hpp"

#include <map>
#include <string>
#include <vector>

namespace pessoa::protocol {

using metadata_records = std::vector<metadata_record>;

inline constexpr int16_t replicas_wanted_default = 3; // fewer while there are fewer nodes (rules.md 2)
inline constexpr int64_t producer_ids_per_block = 1000;
inline constexpr size_t node_address_bytes_max = 512; // of each address and label of a registration

struct create_topic_request {
  std::string name;
  int32_t partitions = -1; // -1: one
  int32_t replicas = -1;   // -1: min(3, nodes), and 3 are wanted as nodes join
  std::map<std::string, std::string> config;
  bool validate_only = false; // whoever carries the decision out commits nothing
};

struct alter_topic_request {
  std::string name;
  int32_t partitions = -1;                   // -1: as many as there are
  std::map<std::string, std::string> config; // what changes; an empty value means back to the default
};

struct producer_id_block {
  producer_id first{0};
  int64_t count = 0;
  friend bool operator==(const producer_id_block&, const producer_id_block&) = default;
};

// Errors: invalid_topic_name, topic_exists, invalid_partitions (too many, also of all topics on one node), invalid_replication_factor (names the number
// of nodes), invalid_config, not_enough_replicas (no node is registered yet).
result<metadata_records> create_topic(const create_topic_request& request, const metadata_image& image,
                                      random_source& random);
// Partitions are added, never removed; settings are merged with those set before. Errors: unknown_topic,
// invalid_partitions, invalid_config.
result<metadata_records> alter_topic(const alter_topic_request& request, const metadata_image& image);
// Errors: unknown_topic, unknown_topic_id.
result<metadata_records> delete_topic(std::string_view name, const metadata_image& image);
result<metadata_records> delete_topic(const topic_id& id, const metadata_image& image);

// A node enters or comes back: its registration first, then a new leader epoch for every partition that it
// leads, because an epoch is served by one incarnation (rules.md 2). Errors: invalid_argument,
// directory_foreign (the id or the directory is another node's).
result<metadata_records> register_node(const node_registered& registration, const metadata_image& image);

// The block that allocate_producer_ids() hands out on this image.
producer_id_block next_producer_ids(const metadata_image& image);
// No id is handed out twice (failures T8). Errors: leader_not_available (the node is not registered yet).
result<metadata_records> allocate_producer_ids(node_id node, const metadata_image& image);

} // namespace pessoa::protocol
