// What must hold between any two records, as text that runs. Costs a pass over the whole image: for tests and simulations.
#include "protocol/metadata/metadata_image.hpp"
#include "schema/joined.hpp"
#include "schema/limits.hpp"

#include <set>

namespace pessoa::protocol {

std::optional<std::string> metadata_image::check_invariants() const {
  if ((last_ < metadata_index{0}) != cluster_.is_nil())
    return joined("cluster ", cluster_, " after record ", last_);
  if (next_producer_id_ < producer_id{0}) return joined("the next producer id is ", next_producer_id_);

  std::set<directory_id> directories;
  for (auto& [id, node] : nodes_) {
    if (node.registration.node != id)
      return joined("node ", id, " is registered as ", node.registration.node);
    if (node.life.value() < 0 || node.life.value() > last_.value())
      return joined("node ", id, " lives since record ", node.life, ", the last one is ", last_);
    if (!directories.insert(node.registration.directory).second)
      return joined("node ", id, " shares directory ", node.registration.directory);
  }

  if (names_.size() != topics_.size()) return joined(names_.size(), " names for ", topics_.size(), " topics");
  for (auto& [id, topic] : topics_) {
    auto name = names_.find(topic.name);
    if (topic.id != id || name == names_.end() || name->second != id)
      return joined("topic ", id, " is not found by its name, ", quoted(topic.name));
    auto settings = topic_config::from(topic.config);
    if (!settings || *settings != topic.settings)
      return joined("topic ", quoted(topic.name), " has other settings than those that were made for it");
    if (topic.partitions.empty() || topic.partitions.size() > static_cast<size_t>(partitions_per_topic_max))
      return joined("topic ", quoted(topic.name), " has ", topic.partitions.size(), " partitions");
    for (size_t i = 0; i < topic.partitions.size(); ++i)
      if (auto right = check(topic.partitions[i]); !right.ok())
        return joined("partition ", i, " of topic ", quoted(topic.name), ": ", right.error().message);
  }
  return std::nullopt;
}

} // namespace pessoa::protocol
