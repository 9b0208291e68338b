// The cluster as the metadata log tells it: a pure fold over committed records (schema/metadata_records.hpp).
//
// Promises: the same records give the same image on every node (digest() compares them); a record that
// contradicts what came before is refused and changes nothing. The caller treats that as fatal: a node that
// goes on with an incomplete image decides wrongly later (failures C11). A topic disappears by topic_deleted
// and by nothing else (C9).
//
// Does not decide anything (controller_rules.hpp does) and does not store anything. See
// docs/protocols/metadata.md.
#pragma once

#include "schema/metadata_records.hpp"
#include "schema/result.hpp"
#include "schema/topic_config.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pessoa::protocol {

struct partition_state {
  node_id leader{-1}; // -1: none
  leader_epoch epoch{0};
  std::vector<node_id> replicas; // the first is preferred
  std::vector<node_id> isr;
  friend bool operator==(const partition_state&, const partition_state&) = default;
};

struct topic_state {
  topic_id id;
  std::string name;
  int16_t wanted_replicas = 0;
  std::map<std::string, std::string> config; // what was set explicitly
  topic_config settings;                     // that, with defaults
  std::vector<partition_state> partitions;   // by index
  friend bool operator==(const topic_state&, const topic_state&) = default;
};

struct node_state {
  node_registered registration;
  incarnation life; // the index of that record
  friend bool operator==(const node_state&, const node_state&) = default;
};

class metadata_image {
public:
  // Takes the record at `index` of the log. Errors: internal, naming record and contradiction; the image is
  // then as it was. A contradiction is also an index that is not last() + 1.
  result<void> apply(const metadata_record& record, metadata_index index);

  [[nodiscard]] metadata_index last() const {
    return last_;
  } // of the last record applied; -1 when there is none
  [[nodiscard]] const cluster_id& cluster() const { return cluster_; } // nil before cluster_created
  [[nodiscard]] const std::string& cluster_name() const { return cluster_name_; }
  [[nodiscard]] int32_t feature_level() const { return feature_level_; }
  // Ids below this one have been handed out and never will be again (failures T8).
  [[nodiscard]] producer_id next_producer_id() const { return next_producer_id_; }

  [[nodiscard]] const std::map<node_id, node_state>& nodes() const { return nodes_; }
  [[nodiscard]] const std::map<topic_id, topic_state>& topics() const { return topics_; }
  [[nodiscard]] const std::map<std::string, topic_id, std::less<>>& topic_names() const { return names_; }
  // nullptr when it does not exist. Valid until the next apply().
  [[nodiscard]] const node_state* find_node(node_id node) const;
  [[nodiscard]] const topic_state* find(const topic_id& id) const;
  [[nodiscard]] const topic_state* find(std::string_view name) const;

  // A hash of the whole state, the same on every machine and in every build: for comparing nodes at the same
  // index.
  [[nodiscard]] uint64_t digest() const;

  // The first broken invariant in words.
  [[nodiscard]] std::optional<std::string> check_invariants() const;

  friend bool operator==(const metadata_image&, const metadata_image&) = default;

private:
  result<void> take(const cluster_created& r, metadata_index index);
  result<void> take(const node_registered& r, metadata_index index);
  result<void> take(const topic_created& r, metadata_index index);
  result<void> take(const topic_deleted& r, metadata_index index);
  result<void> take(const topic_config_changed& r, metadata_index index);
  result<void> take(const partitions_added& r, metadata_index index);
  result<void> take(const partition_changed& r, metadata_index index);
  result<void> take(const producer_ids_allocated& r, metadata_index index);
  result<void> take(const feature_level_raised& r, metadata_index index);

  // Replicas are known and differ, what is in sync is among them, and so is its leader, if there is one.
  [[nodiscard]] result<void> check(const partition_state& partition) const;
  // The first replica leads, epoch 0, all are in sync.
  [[nodiscard]] result<std::vector<partition_state>>
  first_state(const std::vector<partition_assignment>& wanted) const;

  metadata_index last_{-1};
  cluster_id cluster_;
  std::string cluster_name_;
  int32_t feature_level_ = 0;
  producer_id next_producer_id_{0};
  std::map<node_id, node_state> nodes_;
  std::map<topic_id, topic_state> topics_;
  std::map<std::string, topic_id, std::less<>> names_;
};

} // namespace pessoa::protocol
