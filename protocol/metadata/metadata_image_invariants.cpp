// What must hold between any two records, as text that runs. Costs a pass over the whole image: for tests and simulations.
#include "protocol/metadata/metadata_image.hpp"
#include "schema/limits.hpp"

#include <algorithm>
#include <set>
#include <sstream>

namespace pessoa::protocol {

namespace {

template <class... Ts>
std::optional<std::string> broken(const Ts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

bool among(const std::vector<node_id>& nodes, node_id node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

bool distinct(const std::vector<node_id>& nodes) {
  return std::set<node_id>(nodes.begin(), nodes.end()).size() == nodes.size();
}

} // namespace

std::optional<std::string> metadata_image::check_invariants() const {
  if ((last_ < metadata_index{0}) != cluster_.is_nil())
    return broken("cluster ", cluster_, " after record ", last_);
  if (next_producer_id_ < producer_id{0}) return broken("the next producer id is ", next_producer_id_);

  std::set<directory_id> directories;
  for (auto& [id, node] : nodes_) {
    if (node.registration.node != id)
      return broken("node ", id, " is registered as ", node.registration.node);
    if (node.life.value() < 0 || node.life.value() > last_.value())
      return broken("node ", id, " lives since record ", node.life, ", the last one is ", last_);
    if (!directories.insert(node.registration.directory).second)
      return broken("node ", id, " shares directory ", node.registration.directory);
  }

  if (names_.size() != topics_.size()) return broken(names_.size(), " names for ", topics_.size(), " topics");
  for (auto& [id, topic] : topics_) {
    auto name = names_.find(topic.name);
    if (topic.id != id || name == names_.end() || name->second != id)
      return broken("topic ", id, " is not found by its name, ", quoted(topic.name));
    auto settings = topic_config::from(topic.config);
    if (!settings || *settings != topic.settings)
      return broken("topic ", quoted(topic.name), " has other settings than those that were made for it");
    if (topic.partitions.empty() || topic.partitions.size() > static_cast<size_t>(partitions_per_topic_max))
      return broken("topic ", quoted(topic.name), " has ", topic.partitions.size(), " partitions");
    for (size_t i = 0; i < topic.partitions.size(); ++i)
      if (auto why = wrong_replicas(topic.partitions[i]))
        return broken("partition ", i, " of topic ", quoted(topic.name), ": ", *why);
  }
  return std::nullopt;
}

std::optional<std::string> metadata_image::wrong_replicas(const partition_state& partition) const {
  auto& [leader, epoch, replicas, isr] = partition;
  if (epoch < leader_epoch{0}) return broken("its epoch is ", epoch);
  if (replicas.empty() || !distinct(replicas) || !distinct(isr))
    return broken("it has no replica, or a node twice");
  for (auto node : replicas)
    if (find_node(node) == nullptr) return broken("replica ", node, " is unknown");
  for (auto node : isr)
    if (!among(replicas, node)) return broken("node ", node, " is in sync and no replica");
  if (leader != node_id{-1} && !among(isr, leader)) return broken("its leader ", leader, " is not in sync");
  return std::nullopt;
}

} // namespace pessoa::protocol
