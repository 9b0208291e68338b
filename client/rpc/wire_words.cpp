#include "client/rpc/wire_words.hpp"

#include "schema/limits.hpp"
#include "schema/wire/convert.hpp"

#include <algorithm>
#include <cstdlib>

namespace pessoa::client {

kj::StringPtr text(const std::string& s) { return {s.c_str(), s.size()}; }
std::string text(capnp::Text::Reader in) { return {in.cStr(), in.size()}; }

error error_of(wire::Error::Reader in) {
  error e{wire::read_error(in)};
  auto category = static_cast<uint16_t>(in.getCategory());
  // Known codes keep the table's category; for others the node's word counts, unless it is newer than we are.
  if (pessoa::describe(e.code).name != text(in.getName())) {
    if (category > 0 && category <= static_cast<uint16_t>(error_category::fatal))
      e.category = static_cast<error_category>(category);
    e.hint = text(in.getHint());
  } else if (in.getHint().size() > 0) {
    e.hint = text(in.getHint());
  }
  return e;
}

error read_exception(const kj::Exception& e, const std::string& address) {
  std::string what = e.getDescription().cStr();
  for (std::string_view prefix : {"remote exception: ", "Peer disconnected."})
    if (what.rfind(prefix, 0) == 0 && what.size() > prefix.size()) what.erase(0, prefix.size());
  // Another listener of a node's, which knows what we speak.
  constexpr std::string_view wrong_port = "wrong_protocol: ";
  if (what.rfind(wrong_port, 0) == 0)
    return {ec::wrong_protocol, address + ": " + what.substr(wrong_port.size())};
  switch (e.getType()) {
  case kj::Exception::Type::DISCONNECTED:
    return {ec::disconnected, address + ": " + what};
  case kj::Exception::Type::OVERLOADED:
    return {ec::overloaded, address + ": " + what};
  case kj::Exception::Type::UNIMPLEMENTED:
    return {ec::unsupported_version, address + " does not know this call: " + what};
  case kj::Exception::Type::FAILED:
    break;
  }
  return {ec::unknown_result, address + " failed in the call: " + what};
}

namespace {

node_info read_node(wire::Node::Reader in) {
  node_info out;
  out.id = in.getId();
  out.rpc = text(in.getRpc());
  out.kafka = text(in.getKafka());
  out.http = text(in.getHttp());
  out.peer = text(in.getPeer());
  out.rack = text(in.getRack());
  out.state = text(in.getState());
  out.voter = in.getVoter();
  out.leaders = in.getLeaders();
  out.replicas = in.getReplicas();
  return out;
}

partition_info read_partition(wire::Partition::Reader in) {
  partition_info out;
  out.index = in.getIndex();
  out.leader = in.getLeader();
  out.epoch = in.getEpoch();
  for (auto id : in.getReplicas())
    out.replicas.push_back(id);
  for (auto id : in.getIsr())
    out.isr.push_back(id);
  return out;
}

} // namespace

known_topic read_topic(wire::Topic::Reader in) {
  known_topic out;
  out.id = wire::read<topic_id>(in.getId());
  out.info.name = text(in.getName());
  out.info.id = pessoa::to_string(out.id);
  out.info.wanted_replicas = in.getWantedReplicas();
  // Partition i lies at place i, whatever the order on the wire; one the node left out has no leader.
  for (auto partition : in.getPartitions()) {
    auto read = read_partition(partition);
    if (read.index < 0 || read.index >= partitions_per_topic_max) continue;
    auto place = static_cast<size_t>(read.index);
    while (out.info.partitions.size() <= place) {
      partition_info unknown;
      unknown.index = static_cast<int32_t>(out.info.partitions.size());
      out.info.partitions.push_back(unknown);
    }
    out.info.partitions[place] = std::move(read);
  }
  for (auto setting : in.getConfig())
    out.info.config.insert_or_assign(text(setting.getKey()), text(setting.getValue()));
  if (auto at = out.info.config.find("max.message.bytes"); at != out.info.config.end())
    out.message_bytes_max = static_cast<size_t>(std::strtoull(at->second.c_str(), nullptr, 10));
  return out;
}

metadata_answer read_metadata(wire::Metadata::Reader in, bool all_topics) {
  metadata_answer out;
  out.index = metadata_index{in.getIndex()};
  out.cluster = wire::read<cluster_id>(in.getClusterId());
  out.controller = in.getController();
  out.all_topics = all_topics;
  for (auto node : in.getNodes())
    out.nodes.push_back(read_node(node));
  for (auto topic : in.getTopics()) {
    if (topic.hasError())
      out.missing.emplace_back(text(topic.getName()), error_of(topic.getError()));
    else
      out.topics.push_back(read_topic(topic));
  }
  return out;
}

topic_description read_description(wire::TopicDescription::Reader in) {
  topic_description out;
  out.topic = read_topic(in.getTopic()).info;
  for (auto p : in.getPartitions()) {
    partition_description d;
    d.partition = read_partition(p.getPartition());
    d.log_start = p.getLogStart();
    d.high_watermark = p.getHighWatermark();
    d.log_end = p.getLogEnd();
    d.bytes = p.getBytes();
    if (p.hasError()) d.error = error_of(p.getError());
    out.partitions.push_back(std::move(d));
  }
  std::sort(out.partitions.begin(), out.partitions.end(),
            [](const auto& a, const auto& b) { return a.partition.index < b.partition.index; });
  return out;
}

cluster_info read_cluster_info(wire::ClusterInfo::Reader in) {
  cluster_info out;
  out.cluster_id = pessoa::to_string(wire::read<cluster_id>(in.getClusterId()));
  out.controller = in.getController();
  for (auto node : in.getNodes())
    out.nodes.push_back(read_node(node));
  return out;
}

cluster_health read_health(wire::Health::Reader in) {
  cluster_health out;
  out.healthy = in.getHealthy();
  for (auto reason : in.getReasons())
    out.reasons.push_back(text(reason));
  for (auto id : in.getNodesDown())
    out.nodes_down.push_back(id);
  out.leaderless = in.getLeaderless();
  out.under_replicated = in.getUnderReplicated();
  out.below_wanted = in.getBelowWanted();
  return out;
}

void write_config(const std::map<std::string, std::string>& config, capnp::List<wire::Setting>::Builder out) {
  capnp::uint index = 0;
  for (auto& entry : config) {
    auto setting = out[index++];
    setting.setKey(text(entry.first));
    setting.setValue(text(entry.second));
  }
}

} // namespace pessoa::client
