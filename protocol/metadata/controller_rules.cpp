#include "protocol/metadata/controller_rules.hpp"

#include "schema/limits.hpp"
#include "schema/plants.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <sstream>

namespace pessoa::protocol {

namespace {

template <class... Ts>
error refusal(ec code, const Ts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return {code, out.str()};
}

result<void> check_partitions(int32_t count) {
  if (count >= 1 && count <= partitions_per_topic_max) return {};
  return refusal(ec::invalid_partitions, count, " partitions are asked for; 1 to ", partitions_per_topic_max,
                 " are possible");
}

// The texts as they will be shown: "0050" and "50" are one value, and a value of a megabyte of zeros is not
// kept.
result<std::map<std::string, std::string>> canonical(std::map<std::string, std::string> config) {
  PESSOA_TRY(auto parsed, topic_config::from(config));
  auto shown = parsed.entries();
  for (auto& [key, value] : config)
    value = shown.at(key);
  return config;
}

std::vector<node_id> known_nodes(const metadata_image& image) {
  std::vector<node_id> out;
  for (auto& [id, node] : image.nodes())
    out.push_back(id);
  return out;
}

// Spreads `count` partitions, of which the first is number `index` of its topic: leaders go round the nodes,
// and each round the followers move one node further away, so that the loss of a node is shared by all
// others.
std::vector<partition_assignment> place(const std::vector<node_id>& nodes, size_t replicas, size_t index,
                                        size_t count) {
  PESSOA_ASSERT(replicas >= 1 && replicas <= nodes.size(), replicas, nodes.size());
  std::vector<partition_assignment> out(count);
  for (auto& assignment : out) {
    auto leader = index % nodes.size(), round = index / nodes.size();
    assignment.replicas.push_back(nodes[leader]);
    for (size_t i = 0; i + 1 < replicas; ++i) {
      auto distance = 1 + (round + i) % (nodes.size() - 1);
      assignment.replicas.push_back(nodes[(leader + distance) % nodes.size()]);
    }
    ++index;
  }
  return out;
}

// Each replica is a log, actors and memory on its node, which would otherwise end by running out of one of them.
result<void> check_room_on_nodes(const std::vector<partition_assignment>& placed,
                                 const metadata_image& image) {
  std::map<node_id, size_t> more, there;
  for (auto& partition : placed)
    for (auto& node : partition.replicas)
      ++more[node];
  for (auto& [id, topic] : image.topics())
    for (auto& partition : topic.partitions)
      for (auto& node : partition.replicas)
        ++there[node];
  for (auto& [node, count] : more)
    if (there[node] + count > partitions_per_node_max)
      return refusal(ec::invalid_partitions, "node ", node, " holds ", there[node], " partitions, ", count,
                     " more are asked for, and ", partitions_per_node_max,
                     " are possible: delete topics that nobody needs, or ask for fewer partitions");
  return {};
}

void shuffle(std::vector<node_id>& nodes, random_source& random) {
  for (size_t i = nodes.size(); i > 1; --i)
    std::swap(nodes[i - 1], nodes[random.below(i)]);
}

result<const topic_state*> existing(std::string_view name, const metadata_image& image) {
  if (auto* topic = image.find(name)) return topic;
  return refusal(ec::unknown_topic, "topic ", quoted(name), " does not exist");
}

} // namespace

result<metadata_records> create_topic(const create_topic_request& request, const metadata_image& image,
                                      random_source& random) {
  PESSOA_CHECK(check_topic_name(request.name));
  if (image.find(request.name))
    return refusal(ec::topic_exists, "topic ", quoted(request.name), " exists already");
  auto partitions = request.partitions == -1 ? 1 : request.partitions;
  PESSOA_CHECK(check_partitions(partitions));

  auto nodes = known_nodes(image);
  if (nodes.empty()) return error{ec::not_enough_replicas, "no node is registered yet"};
  auto most = static_cast<int64_t>(nodes.size());
  int64_t replicas =
      request.replicas == -1 ? std::min<int64_t>(replicas_wanted_default, most) : request.replicas;
  if (replicas < 1) {
    return refusal(ec::invalid_replication_factor, replicas, " replicas are asked for; at least 1 is needed");
  }
  if (replicas > most) {
    return refusal(ec::invalid_replication_factor, replicas, " replicas are asked for, and the cluster has ",
                   most, most == 1 ? " node" : " nodes");
  }
  PESSOA_TRY(auto config, canonical(request.config));

  topic_id id;
  do {
    id = topic_id{draw_uuid(random)};
  } while (image.find(id));
  // Where a topic begins is drawn, so that many topics of one partition do not all lie on the first node.
  shuffle(nodes, random);
  auto wanted = request.replicas == -1 ? replicas_wanted_default : static_cast<int16_t>(replicas);
  auto placed = place(nodes, static_cast<size_t>(replicas), 0, static_cast<size_t>(partitions));
  PESSOA_CHECK(check_room_on_nodes(placed, image));
  return metadata_records{topic_created{id, request.name, wanted, std::move(config), std::move(placed)}};
}

result<metadata_records> alter_topic(const alter_topic_request& request, const metadata_image& image) {
  PESSOA_TRY(auto* topic, existing(request.name, image));
  metadata_records out;

  auto config = topic->config;
  for (auto& [key, value] : request.config) {
    if (!value.empty()) {
      config[key] = value;
    } else {
      if (!topic_config{}.entries().contains(key))
        PESSOA_CHECK(topic_config{}.set(key, value)); // says which is nearest
      config.erase(key);
    }
  }
  PESSOA_TRY(config, canonical(std::move(config)));
  if (config != topic->config) out.push_back(topic_config_changed{topic->id, std::move(config)});

  if (request.partitions != -1) {
    PESSOA_CHECK(check_partitions(request.partitions));
    auto have = topic->partitions.size(), want = static_cast<size_t>(request.partitions);
    if (want < have) {
      return refusal(ec::invalid_partitions, "topic ", quoted(topic->name), " has ", have,
                     " partitions; they can be added, not removed");
    }
    if (want > have) {
      auto nodes = known_nodes(image);
      PESSOA_ASSERT(!nodes.empty(), topic->name);
      // Goes on where the topic's first partition began, as if all had been placed at once.
      auto first = std::find(nodes.begin(), nodes.end(), topic->partitions.front().replicas.front());
      if (first != nodes.end()) std::rotate(nodes.begin(), first, nodes.end());
      auto replicas = std::min(static_cast<size_t>(topic->wanted_replicas), nodes.size());
      auto placed = place(nodes, replicas, have, want - have);
      PESSOA_CHECK(check_room_on_nodes(placed, image));
      out.push_back(partitions_added{topic->id, std::move(placed)});
    }
  }
  return out;
}

result<metadata_records> delete_topic(std::string_view name, const metadata_image& image) {
  PESSOA_TRY(auto* topic, existing(name, image));
  return metadata_records{topic_deleted{topic->id}};
}

result<metadata_records> delete_topic(const topic_id& id, const metadata_image& image) {
  if (image.find(id) == nullptr) return refusal(ec::unknown_topic_id, "there is no topic with the id ", id);
  return metadata_records{topic_deleted{id}};
}

result<metadata_records> register_node(const node_registered& registration, const metadata_image& image) {
  auto& r = registration;
  if (r.node < node_id{1}) return refusal(ec::invalid_argument, "node id ", r.node, " is below 1");
  if (r.directory.is_nil()) return refusal(ec::invalid_argument, "node ", r.node, " names no directory");
  for (auto* text : {&r.rpc, &r.peer, &r.kafka, &r.http, &r.rack, &r.version}) {
    if (text->size() > node_address_bytes_max) {
      return refusal(ec::invalid_argument, "node ", r.node, " registers a text of ", text->size(),
                     " bytes, more than ", node_address_bytes_max);
    }
  }
  // A node whose disk was replaced is a new node (rules.md 5, failures C22).
  for (auto& [id, known] : image.nodes()) {
    auto same_node = id == r.node, same_directory = known.registration.directory == r.directory;
    if (same_node == same_directory) continue;
    return refusal(ec::directory_foreign, "node ", r.node, " comes with directory ", r.directory,
                   ", and node ", id, " is known with directory ", known.registration.directory);
  }

  metadata_records out{r};
  for (auto& [id, topic] : image.topics()) {
    for (size_t i = 0; i < topic.partitions.size(); ++i) {
      auto& partition = topic.partitions[i];
      if (partition.leader != r.node) continue;
      PESSOA_ASSERT(partition.epoch.value() < std::numeric_limits<int32_t>::max(), topic.name, i);
      PESSOA_PROBE("epoch_bumped");
      auto epoch = PESSOA_PLANT("no_epoch_bump") ? partition.epoch : partition.epoch + 1;
      out.push_back(partition_changed{id, partition_id{static_cast<int32_t>(i)}, r.node, epoch,
                                      partition.replicas, partition.isr});
    }
  }
  return out;
}

producer_id_block next_producer_ids(const metadata_image& image) {
  return {image.next_producer_id(), producer_ids_per_block};
}

result<metadata_records> allocate_producer_ids(node_id node, const metadata_image& image) {
  if (!image.find_node(node))
    return refusal(ec::leader_not_available, "node ", node, " is not registered yet");
  auto block = next_producer_ids(image);
  PESSOA_ASSERT(block.first.value() <= std::numeric_limits<int64_t>::max() - block.count, block.first);
  return metadata_records{producer_ids_allocated{node, producer_id{block.first.value() + block.count}}};
}

} // namespace pessoa::protocol
