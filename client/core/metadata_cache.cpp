#include "client/core/metadata_cache.hpp"

namespace pessoa::client {

namespace {

// A leader of an older epoch than one already known is a memory of the answering node, not news.
void keep_newer_leaders(const known_topic& before, known_topic& now) {
  if (before.id != now.id) return; // deleted and created anew: its epochs begin again
  for (auto& partition : now.info.partitions)
    for (auto& old : before.info.partitions)
      if (old.index == partition.index && old.epoch > partition.epoch) partition = old;
}

} // namespace

metadata_cache::verdict metadata_cache::apply(const metadata_answer& answer) {
  if (answer.index < index_) return verdict::too_old;
  index_ = answer.index;
  if (!answer.nodes.empty()) {
    nodes_.clear();
    for (auto& node : answer.nodes)
      nodes_.emplace(node.id, node);
  }
  if (answer.all_topics)
    std::erase_if(topics_, [&](const auto& entry) {
      for (auto& topic : answer.topics)
        if (topic.info.name == entry.first) return false;
      return true;
    });
  for (auto topic : answer.topics) {
    missing_.erase(topic.info.name);
    auto at = topics_.find(topic.info.name);
    if (at != topics_.end()) keep_newer_leaders(at->second, topic);
    topics_.insert_or_assign(topic.info.name, std::move(topic));
  }
  for (auto& entry : answer.missing) {
    // Only a word on the topic counts as one: a node in passing trouble knows nothing of it.
    if (entry.second.category == error_category::retriable || entry.second.in_doubt()) continue;
    topics_.erase(entry.first);
    missing_.insert_or_assign(entry.first, entry.second);
  }
  return verdict::taken;
}

void metadata_cache::at_least(metadata_index index) {
  if (index > index_) index_ = index;
}

const known_topic* metadata_cache::topic(const std::string& name) const {
  auto at = topics_.find(name);
  return at == topics_.end() ? nullptr : &at->second;
}

const error* metadata_cache::missing(const std::string& name) const {
  auto at = missing_.find(name);
  return at == missing_.end() ? nullptr : &at->second;
}

const node_info* metadata_cache::node(int32_t id) const {
  auto at = nodes_.find(id);
  return at == nodes_.end() ? nullptr : &at->second;
}

} // namespace pessoa::client
