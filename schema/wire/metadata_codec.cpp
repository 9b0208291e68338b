#include "schema/wire/metadata_codec.hpp"

#include "schema/limits.hpp"
#include "schema/wire/convert.hpp"
#include "schema/wire/metadata.capnp.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

namespace pessoa::wire {

namespace {

constexpr uint16_t record_version = 1;
constexpr uint32_t replicas_max = 64;
constexpr uint32_t settings_max = 256;

// -- to bytes ---

kj::StringPtr text(const std::string& s) { return {s.c_str(), s.size()}; }

template <class Builder>
void fill_config(const std::map<std::string, std::string>& config, Builder parent) {
  auto out = parent.initConfig(static_cast<unsigned>(config.size()));
  unsigned i = 0;
  for (auto& [key, value] : config) {
    out[i].setKey(text(key));
    out[i].setValue(text(value));
    ++i;
  }
}

void fill_nodes(const std::vector<node_id>& nodes, capnp::List<int32_t>::Builder out) {
  for (unsigned i = 0; i < out.size(); ++i)
    out.set(i, nodes[i].value());
}

void fill_assignments(const std::vector<partition_assignment>& from, capnp::List<Assignment>::Builder out) {
  for (unsigned i = 0; i < out.size(); ++i)
    fill_nodes(from[i].replicas, out[i].initReplicas(static_cast<unsigned>(from[i].replicas.size())));
}

struct writer {
  MetadataRecord::Builder out;

  void operator()(const cluster_created& r) {
    auto b = out.initClusterCreated();
    write(r.id, b.initId());
    b.setName(text(r.name));
  }
  void operator()(const node_registered& r) {
    auto b = out.initNodeRegistered();
    b.setNode(r.node.value());
    write(r.directory, b.initDirectory());
    b.setRpc(text(r.rpc));
    b.setPeer(text(r.peer));
    b.setKafka(text(r.kafka));
    b.setHttp(text(r.http));
    b.setRack(text(r.rack));
    b.setVersion(text(r.version));
  }
  void operator()(const topic_created& r) {
    auto b = out.initTopicCreated();
    write(r.topic, b.initTopic());
    b.setName(text(r.name));
    b.setWantedReplicas(r.wanted_replicas);
    fill_config(r.config, b);
    fill_assignments(r.partitions, b.initPartitions(static_cast<unsigned>(r.partitions.size())));
  }
  void operator()(const topic_deleted& r) { write(r.topic, out.initTopicDeleted().initTopic()); }
  void operator()(const topic_config_changed& r) {
    auto b = out.initTopicConfigChanged();
    write(r.topic, b.initTopic());
    fill_config(r.config, b);
  }
  void operator()(const partitions_added& r) {
    auto b = out.initPartitionsAdded();
    write(r.topic, b.initTopic());
    fill_assignments(r.added, b.initAdded(static_cast<unsigned>(r.added.size())));
  }
  void operator()(const partition_changed& r) {
    auto b = out.initPartitionChanged();
    write(r.topic, b.initTopic());
    b.setPartition(r.partition.value());
    b.setLeader(r.leader.value());
    b.setEpoch(r.epoch.value());
    fill_nodes(r.replicas, b.initReplicas(static_cast<unsigned>(r.replicas.size())));
    fill_nodes(r.isr, b.initIsr(static_cast<unsigned>(r.isr.size())));
  }
  void operator()(const producer_ids_allocated& r) {
    auto b = out.initProducerIdsAllocated();
    b.setNode(r.node.value());
    b.setNext(r.next.value());
  }
  void operator()(const feature_level_raised& r) { out.initFeatureLevelRaised().setLevel(r.level); }
};

// -- from bytes ---

std::string to_text(capnp::Text::Reader in) { return {in.cStr(), in.size()}; }

error out_of_range(const char* what) { return {ec::corrupt_data, std::string{"metadata record: "} + what + " out of range"}; }

result<std::vector<node_id>> read_nodes(capnp::List<int32_t>::Reader in) {
  if (in.size() > replicas_max) return out_of_range("replica list");
  std::vector<node_id> nodes;
  nodes.reserve(in.size());
  for (auto id : in)
    nodes.emplace_back(id);
  return nodes;
}

result<std::map<std::string, std::string>> read_config(capnp::List<Setting>::Reader in) {
  if (in.size() > settings_max) return out_of_range("config");
  std::map<std::string, std::string> config;
  for (auto setting : in)
    config[to_text(setting.getKey())] = to_text(setting.getValue());
  return config;
}

result<std::vector<partition_assignment>> read_assignments(capnp::List<Assignment>::Reader in) {
  if (in.size() > static_cast<unsigned>(partitions_per_topic_max)) return out_of_range("partition list");
  std::vector<partition_assignment> out;
  out.reserve(in.size());
  for (auto assignment : in) {
    PESSOA_TRY(auto replicas, read_nodes(assignment.getReplicas()));
    out.push_back({std::move(replicas)});
  }
  return out;
}

result<metadata_record> read_topic_created(TopicCreated::Reader in) {
  topic_created r;
  r.topic = read<topic_id>(in.getTopic());
  r.name = to_text(in.getName());
  r.wanted_replicas = in.getWantedReplicas();
  PESSOA_TRY(r.config, read_config(in.getConfig()));
  PESSOA_TRY(r.partitions, read_assignments(in.getPartitions()));
  return metadata_record{std::move(r)};
}

result<metadata_record> read_partition_changed(PartitionChanged::Reader in) {
  partition_changed r;
  r.topic = read<topic_id>(in.getTopic());
  r.partition = partition_id{in.getPartition()};
  r.leader = node_id{in.getLeader()};
  r.epoch = leader_epoch{in.getEpoch()};
  PESSOA_TRY(r.replicas, read_nodes(in.getReplicas()));
  PESSOA_TRY(r.isr, read_nodes(in.getIsr()));
  return metadata_record{std::move(r)};
}

result<metadata_record> read_topic_config(TopicConfigChanged::Reader in) {
  topic_config_changed r;
  r.topic = read<topic_id>(in.getTopic());
  PESSOA_TRY(r.config, read_config(in.getConfig()));
  return metadata_record{std::move(r)};
}

result<metadata_record> read_partitions_added(PartitionsAdded::Reader in) {
  partitions_added r;
  r.topic = read<topic_id>(in.getTopic());
  PESSOA_TRY(r.added, read_assignments(in.getAdded()));
  return metadata_record{std::move(r)};
}

metadata_record read_node_registered(NodeRegistered::Reader in) {
  return node_registered{node_id{in.getNode()},     read<directory_id>(in.getDirectory()),
                         to_text(in.getRpc()),      to_text(in.getPeer()),
                         to_text(in.getKafka()),    to_text(in.getHttp()),
                         to_text(in.getRack()),     to_text(in.getVersion())};
}

result<metadata_record> read_record(MetadataRecord::Reader in) {
  if (in.getVersion() > record_version)
    return {ec::unsupported_version, "metadata record of version " + std::to_string(in.getVersion())};
  switch (in.which()) {
    case MetadataRecord::CLUSTER_CREATED: {
      auto r = in.getClusterCreated();
      return metadata_record{cluster_created{read<cluster_id>(r.getId()), to_text(r.getName())}};
    }
    case MetadataRecord::NODE_REGISTERED: return read_node_registered(in.getNodeRegistered());
    case MetadataRecord::TOPIC_CREATED: return read_topic_created(in.getTopicCreated());
    case MetadataRecord::TOPIC_DELETED:
      return metadata_record{topic_deleted{read<topic_id>(in.getTopicDeleted().getTopic())}};
    case MetadataRecord::TOPIC_CONFIG_CHANGED: return read_topic_config(in.getTopicConfigChanged());
    case MetadataRecord::PARTITIONS_ADDED: return read_partitions_added(in.getPartitionsAdded());
    case MetadataRecord::PARTITION_CHANGED: return read_partition_changed(in.getPartitionChanged());
    case MetadataRecord::PRODUCER_IDS_ALLOCATED: {
      auto r = in.getProducerIdsAllocated();
      return metadata_record{producer_ids_allocated{node_id{r.getNode()}, producer_id{r.getNext()}}};
    }
    case MetadataRecord::FEATURE_LEVEL_RAISED:
      return metadata_record{feature_level_raised{in.getFeatureLevelRaised().getLevel()}};
  }
  return {ec::unsupported_version, "metadata record of kind " + std::to_string(static_cast<int>(in.which()))};
}

} // namespace

std::vector<uint8_t> encode_metadata(const metadata_record& record) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<MetadataRecord>();
  root.setVersion(record_version);
  std::visit(writer{root}, record);
  auto flat = capnp::messageToFlatArray(message);
  auto raw = flat.asBytes();
  return {raw.begin(), raw.end()};
}

result<metadata_record> decode_metadata(byte_view data) {
  if (data.size() % sizeof(capnp::word) != 0 || data.empty())
    return {ec::corrupt_data, "metadata record of " + std::to_string(data.size()) + " bytes is no whole message"};
  // The reader wants aligned words; a record inside a batch lies anywhere.
  auto words = kj::heapArray<capnp::word>(data.size() / sizeof(capnp::word));
  std::memcpy(words.begin(), data.data(), data.size());
  try {
    capnp::ReaderOptions options;
    options.traversalLimitInWords = 4 * words.size() + 64;
    options.nestingLimit = 16;
    capnp::FlatArrayMessageReader reader{words, options};
    return read_record(reader.getRoot<MetadataRecord>());
  } catch (const kj::Exception& e) {
    return {ec::corrupt_data, std::string{"metadata record: "} + e.getDescription().cStr()};
  }
}

} // namespace pessoa::wire
