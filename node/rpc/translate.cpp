#include "node/rpc/translate.hpp"

#include "schema/topic_config.hpp"

namespace pessoa::node {

namespace {

void write_ids(const std::vector<node_id>& ids, capnp::List<int32_t>::Builder out) {
  for (unsigned i = 0; i < out.size(); ++i)
    out.set(i, ids[i].value());
}

} // namespace

void write_partition(int32_t index, const actors::partition_route& route, wire::Partition::Builder out) {
  out.setIndex(index);
  out.setLeader(route.leader.value());
  out.setEpoch(route.epoch.value());
  write_ids(route.replicas, out.initReplicas(static_cast<unsigned>(route.replicas.size())));
  write_ids(route.isr, out.initIsr(static_cast<unsigned>(route.isr.size())));
}

void write_topic(const actors::topic_route& topic, wire::Topic::Builder out) {
  out.setName(text(topic.name));
  wire::write(topic.id, out.initId());
  out.setWantedReplicas(topic.wanted_replicas);
  auto partitions = out.initPartitions(static_cast<unsigned>(topic.partitions.size()));
  for (unsigned i = 0; i < partitions.size(); ++i)
    write_partition(static_cast<int32_t>(i), topic.partitions[i], partitions[i]);
  auto entries = topic.config.entries();
  auto config = out.initConfig(static_cast<unsigned>(entries.size()));
  unsigned i = 0;
  for (auto& [key, value] : entries) {
    config[i].setKey(text(key));
    config[i].setValue(text(value));
    ++i;
  }
}

size_t wire_bytes(const actors::topic_route& topic) {
  constexpr size_t topic_bytes = 128, setting_bytes = 32, partition_bytes = 48, word = 8;
  size_t bytes = topic_bytes + topic.name.size();
  for (auto& [key, value] : topic.config.entries())
    bytes += setting_bytes + key.size() + value.size();
  for (auto& partition : topic.partitions)
    bytes += partition_bytes + word * (partition.replicas.size() / 2 + partition.isr.size() / 2 + 2);
  return bytes;
}

void write_nodes(const actors::routing_snapshot& routes, capnp::List<wire::Node>::Builder out) {
  std::map<node_id, std::pair<uint32_t, uint32_t>> counts; // leaders, replicas
  for (auto& [id, topic] : routes.topics) {
    for (auto& partition : topic->partitions) {
      ++counts[partition.leader].first;
      for (auto& replica : partition.replicas)
        ++counts[replica].second;
    }
  }
  unsigned i = 0;
  for (auto& [id, node] : routes.nodes) {
    auto entry = out[i++];
    auto& known = node.registration;
    entry.setId(id.value());
    entry.setRpc(text(known.rpc));
    entry.setKafka(text(known.kafka));
    entry.setHttp(text(known.http));
    entry.setPeer(text(known.peer));
    entry.setRack(text(known.rack));
    entry.setState("up");
    entry.setVoter(id == routes.controller);
    entry.setLeaders(counts[id].first);
    entry.setReplicas(counts[id].second);
  }
}

} // namespace pessoa::node
