#include "protocol/metadata/metadata_image.hpp"

#include "schema/limits.hpp"
#include "schema/plants.hpp"

#include <algorithm>
#include <sstream>

namespace pessoa::protocol {

namespace {

template <class... Ts>
error wrong(const Ts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return {ec::internal, out.str()};
}

bool contains(const std::vector<node_id>& nodes, node_id node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

bool has_repetition(std::vector<node_id> nodes) {
  std::sort(nodes.begin(), nodes.end());
  return std::adjacent_find(nodes.begin(), nodes.end()) != nodes.end();
}

} // namespace

result<void> metadata_image::apply(const metadata_record& record, metadata_index index) {
  auto refuse = [&](const error& why) { return wrong("metadata record ", index, ": ", why.message); };
  if (index != last_ + 1) return refuse(wrong("the last one applied is ", last_));
  if (cluster_.is_nil() && !std::holds_alternative<cluster_created>(record)) {
    return refuse(wrong("the log does not begin with the cluster"));
  }
  auto taken = std::visit([&](auto& r) { return take(r, index); }, record);
  if (!taken.ok()) return refuse(taken.error());
  last_ = index;
  return {};
}

const node_state* metadata_image::find_node(node_id node) const {
  auto found = nodes_.find(node);
  return found == nodes_.end() ? nullptr : &found->second;
}

const topic_state* metadata_image::find(const topic_id& id) const {
  auto found = topics_.find(id);
  return found == topics_.end() ? nullptr : &found->second;
}

const topic_state* metadata_image::find(std::string_view name) const {
  auto found = names_.find(name);
  return found == names_.end() ? nullptr : find(found->second);
}

// -- the cluster and its nodes ---

result<void> metadata_image::take(const cluster_created& r, metadata_index) {
  if (!cluster_.is_nil()) return wrong("cluster ", cluster_, " is created a second time, as ", r.id);
  if (r.id.is_nil()) return wrong("the cluster has no id");
  cluster_ = r.id;
  cluster_name_ = r.name;
  return {};
}

result<void> metadata_image::take(const node_registered& r, metadata_index index) {
  if (r.node < node_id{1}) return wrong("node ", r.node, " is registered");
  if (r.directory.is_nil()) return wrong("node ", r.node, " is registered without a directory");
  // A node is its directory: with another one it would be a voter and a replica that has forgotten everything
  // (C22, R22).
  for (auto& [id, known] : nodes_) {
    auto same_node = id == r.node, same_directory = known.registration.directory == r.directory;
    if (same_node != same_directory) {
      return wrong("node ", r.node, " is registered with directory ", r.directory, ", and node ", id,
                   " is known with directory ", known.registration.directory);
    }
  }
  nodes_[r.node] = {r, incarnation{index.value()}};
  return {};
}

result<void> metadata_image::take(const feature_level_raised& r, metadata_index) {
  if (r.level <= feature_level_) return wrong("feature level ", r.level, " follows level ", feature_level_);
  feature_level_ = r.level;
  return {};
}

result<void> metadata_image::take(const producer_ids_allocated& r, metadata_index) {
  if (!find_node(r.node)) return wrong("producer ids for node ", r.node, ", which is unknown");
  if (r.next <= next_producer_id_) {
    return wrong("producer ids up to ", r.next, " are handed out again, ", next_producer_id_, " is the next");
  }
  PESSOA_PROBE("producer_ids_allocated");
  if (!PESSOA_PLANT("reuse_producer_ids")) next_producer_id_ = r.next;
  return {};
}

// -- topics ---

result<void> metadata_image::check(const partition_state& partition) const {
  auto& [leader, epoch, replicas, isr] = partition;
  if (replicas.empty()) return wrong("it has no replica");
  for (auto node : replicas) {
    if (!find_node(node)) return wrong("node ", node, " is unknown");
  }
  if (has_repetition(replicas)) return wrong("a node is named twice");
  if (has_repetition(isr)) return wrong("a node is in sync twice");
  for (auto node : isr) {
    if (!contains(replicas, node)) return wrong("node ", node, " is in sync and no replica");
  }
  if (leader != node_id{-1} && !contains(isr, leader)) return wrong("its leader ", leader, " is not in sync");
  return {};
}

result<std::vector<partition_state>>
metadata_image::first_state(const std::vector<partition_assignment>& wanted) const {
  std::vector<partition_state> out;
  out.reserve(wanted.size());
  for (auto& assignment : wanted) {
    auto& replicas = assignment.replicas;
    out.push_back({replicas.empty() ? node_id{-1} : replicas.front(), leader_epoch{0}, replicas, replicas});
    PESSOA_CHECK(check(out.back()));
  }
  return out;
}

result<void> metadata_image::take(const topic_created& r, metadata_index) {
  if (r.topic.is_nil()) return wrong("topic ", quoted(r.name), " has no id");
  if (find(r.topic)) return wrong("topic id ", r.topic, " exists");
  if (find(r.name)) return wrong("topic ", quoted(r.name), " exists");
  PESSOA_CHECK(check_topic_name(r.name));
  if (r.wanted_replicas < 1)
    return wrong("topic ", quoted(r.name), " wants ", r.wanted_replicas, " replicas");
  if (r.partitions.empty() || r.partitions.size() > static_cast<size_t>(partitions_per_topic_max)) {
    return wrong("topic ", quoted(r.name), " has ", r.partitions.size(), " partitions");
  }
  PESSOA_TRY(auto settings, topic_config::from(r.config));
  PESSOA_TRY(auto partitions, first_state(r.partitions));
  topics_.emplace(r.topic,
                  topic_state{r.topic, r.name, r.wanted_replicas, r.config, settings, std::move(partitions)});
  names_.emplace(r.name, r.topic);
  return {};
}

result<void> metadata_image::take(const topic_deleted& r, metadata_index) {
  auto found = topics_.find(r.topic);
  if (found == topics_.end()) return wrong("topic ", r.topic, " is deleted and does not exist");
  if (!PESSOA_PLANT("keep_the_name")) names_.erase(found->second.name);
  topics_.erase(found);
  return {};
}

result<void> metadata_image::take(const topic_config_changed& r, metadata_index) {
  auto found = topics_.find(r.topic);
  if (found == topics_.end()) return wrong("topic ", r.topic, " is configured and does not exist");
  PESSOA_TRY(auto settings, topic_config::from(r.config));
  found->second.config = r.config;
  found->second.settings = settings;
  return {};
}

result<void> metadata_image::take(const partitions_added& r, metadata_index) {
  auto found = topics_.find(r.topic);
  if (found == topics_.end()) return wrong("topic ", r.topic, " gets partitions and does not exist");
  auto& partitions = found->second.partitions;
  if (r.added.empty() || r.added.size() > static_cast<size_t>(partitions_per_topic_max) - partitions.size()) {
    return wrong("topic ", r.topic, " with ", partitions.size(), " partitions gets ", r.added.size(),
                 " more");
  }
  PESSOA_TRY(auto added, first_state(r.added));
  partitions.insert(partitions.end(), added.begin(), added.end());
  return {};
}

result<void> metadata_image::take(const partition_changed& r, metadata_index) {
  auto found = topics_.find(r.topic);
  if (found == topics_.end()) return wrong("topic ", r.topic, " changes and does not exist");
  auto& partitions = found->second.partitions;
  if (r.partition < partition_id{0} || static_cast<size_t>(r.partition.value()) >= partitions.size()) {
    return wrong("partition ", r.partition, " of topic ", r.topic, " changes, it has ", partitions.size());
  }
  auto& now = partitions[static_cast<size_t>(r.partition.value())];
  auto where = to_string(partition_key{r.topic, r.partition});
  if (r.epoch < now.epoch) return wrong(where, " goes back from epoch ", now.epoch, " to ", r.epoch);
  if (r.epoch == now.epoch && r.leader != now.leader) {
    return wrong(where, " has leaders ", now.leader, " and ", r.leader, " in epoch ", r.epoch);
  }
  partition_state next{r.leader, r.epoch, r.replicas, r.isr};
  if (auto right = check(next); !right.ok()) return wrong(where, ": ", right.error().message);
  now = std::move(next);
  return {};
}

// -- digest ---

namespace {

// FNV-1a, 64 bit. Every field has a fixed width or its length before it, so that no two states read the same.
class fnv {
public:
  void add(int64_t x) {
    auto bits = static_cast<uint64_t>(x);
    for (int i = 0; i < 8; ++i)
      byte(static_cast<uint8_t>(bits >> (8 * i)));
  }
  void add(std::string_view text) {
    add(static_cast<int64_t>(text.size()));
    for (char c : text)
      byte(static_cast<uint8_t>(c));
  }
  template <class Tag>
  void add(const uuid_of<Tag>& id) {
    for (auto b : id.raw())
      byte(b);
  }
  void add(const std::vector<node_id>& nodes) {
    add(static_cast<int64_t>(nodes.size()));
    for (auto node : nodes)
      add(node.value());
  }
  [[nodiscard]] uint64_t value() const { return hash_; }

private:
  void byte(uint8_t b) { hash_ = (hash_ ^ b) * 0x100000001b3ull; }
  uint64_t hash_ = 0xcbf29ce484222325ull;
};

} // namespace

uint64_t metadata_image::digest() const {
  fnv out;
  out.add(last_.value());
  out.add(cluster_);
  out.add(cluster_name_);
  out.add(feature_level_);
  out.add(next_producer_id_.value());
  out.add(static_cast<int64_t>(nodes_.size()));
  for (auto& [id, node] : nodes_) {
    auto& r = node.registration;
    out.add(id.value());
    out.add(node.life.value());
    out.add(r.directory);
    for (auto* text : {&r.rpc, &r.peer, &r.kafka, &r.http, &r.rack, &r.version})
      out.add(*text);
  }
  out.add(static_cast<int64_t>(topics_.size()));
  for (auto& [id, topic] : topics_) {
    out.add(id);
    out.add(topic.name);
    out.add(topic.wanted_replicas);
    out.add(static_cast<int64_t>(topic.config.size()));
    for (auto& [key, value] : topic.config) {
      out.add(key);
      out.add(value);
    }
    out.add(static_cast<int64_t>(topic.partitions.size()));
    for (auto& partition : topic.partitions) {
      out.add(partition.leader.value());
      out.add(partition.epoch.value());
      out.add(partition.replicas);
      out.add(partition.isr);
    }
  }
  return out.value();
}

} // namespace pessoa::protocol
