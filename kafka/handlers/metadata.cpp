// Metadata: brokers, topics, leaders. By name, by id (12), or all; topics come into being when they are asked for, where the
// node and the request allow it.
#include "kafka/handlers/handlers.hpp"
#include "schema/topic_config.hpp"

namespace pessoa::kafka {

namespace {

using topic_entry = metadata_response::topic;

// What a client may do here, as Kafka counts operations: there are no access rights, so it is what the APIs offer.
constexpr int32_t bit(int operation) { return 1 << operation; }
constexpr int32_t topic_operations =
    bit(3) | bit(4) | bit(5) | bit(6) | bit(8) | bit(10); // read, write, create,
                                                          // delete, describe (configs)
constexpr int32_t cluster_operations =
    bit(5) | bit(8) | bit(10) | bit(12); // create, describe (configs), idempotent

// One topic that was asked for. By name, or by id when there is no name.
struct wanted {
  std::optional<std::string> name;
  topic_id id;
  friend auto operator<=>(const wanted&, const wanted&) = default;
};

struct metadata_question {
  bool all = false;
  std::vector<wanted>
      topics; // each once, in the order of the request: one name a thousand times is one answer
  bool create = false;
  bool topic_rights = false, cluster_rights = false;
};

metadata_question read(const exchange& x, const metadata_request& asked) {
  metadata_question out;
  out.all = !asked.topics || (x.version == 0 && asked.topics->empty());
  out.create = asked.allow_auto_topic_creation;
  out.topic_rights = asked.include_topic_authorized_operations;
  out.cluster_rights = asked.include_cluster_authorized_operations;
  if (out.all) return out;
  std::set<wanted> seen;
  for (auto& topic : *asked.topics) {
    wanted next{topic.name, topic.topic_id};
    if (next.name) next.id = {};
    if (seen.insert(next).second) out.topics.push_back(std::move(next));
  }
  return out;
}

class answer_builder {
public:
  answer_builder(const exchange& x, const metadata_question& q, const creation_errors& failed)
      : x_(x), q_(q), failed_(failed), routes_(x.to().routes()), brokers_(broker_addresses(x, *routes_)) {}

  metadata_response build() {
    metadata_response out;
    for (auto& broker : brokers_) {
      auto& entry = out.brokers.emplace_back();
      entry.node_id = broker.node.value();
      entry.host = broker.at.host;
      entry.port = broker.at.port;
      if (!broker.rack.empty()) entry.rack = broker.rack;
    }
    out.cluster_id = to_string(routes_->cluster);
    out.controller_id = reachable(routes_->controller) ? routes_->controller.value() : -1;
    if (q_.cluster_rights) out.cluster_authorized_operations = cluster_operations;
    if (q_.all)
      for (auto& [id, route] : routes_->topics)
        out.topics.push_back(describe(*route));
    else
      for (auto& topic : q_.topics)
        out.topics.push_back(find(topic));
    return out;
  }

private:
  topic_entry find(const wanted& topic) {
    if (topic.name) {
      if (auto* route = routes_->find(*topic.name)) return describe(*route);
      return missing(topic, x_.number_of(why_missing(*topic.name)));
    }
    // A null name asks by id, from version 12 on.
    if (x_.version < 12) return missing({"", topic.id}, +number::invalid_request);
    if (auto* route = routes_->find(topic.id)) return describe(*route);
    return missing(topic, x_.number_of(ec::unknown_topic_id));
  }
  ec why_missing(const std::string& name) const {
    if (auto valid = check_topic_name(name); !valid) return valid.error().code;
    if (auto found = failed_.find(name); found != failed_.end()) return found->second.code;
    return ec::unknown_topic;
  }
  topic_entry missing(const wanted& topic, int16_t code) const {
    topic_entry out;
    out.error_code = code;
    out.name = topic.name;
    out.topic_id = topic.id;
    return out;
  }

  topic_entry describe(const actors::topic_route& route) const {
    topic_entry out;
    out.name = route.name;
    out.topic_id = route.id;
    if (q_.topic_rights) out.topic_authorized_operations = topic_operations;
    for (size_t i = 0; i < route.partitions.size(); ++i)
      out.partitions.push_back(describe(static_cast<int32_t>(i), route.partitions[i]));
    return out;
  }
  metadata_response::topic::partition describe(int32_t index, const actors::partition_route& route) const {
    metadata_response::topic::partition out;
    out.partition_index = index;
    out.leader_epoch = route.epoch.value();
    for (auto& node : route.replicas) {
      out.replica_nodes.push_back(node.value());
      bool here = node == x_.to().self();
      if (!reachable(node) || (here && route.offline)) out.offline_replicas.push_back(node.value());
    }
    for (auto& node : route.isr)
      out.isr_nodes.push_back(node.value());
    out.leader_id = route.leader.value();
    // A leader that is known and cannot be used: the client shall wait and ask again.
    bool closed = route.leader == x_.to().self() && route.local == nullptr;
    if (route.leader == node_id{-1} || closed)
      out.error_code = +number::leader_not_available;
    else if (!reachable(route.leader))
      out.error_code = x_.version >= 6 ? +number::listener_not_found : +number::leader_not_available;
    if (out.error_code != 0) out.leader_id = -1;
    return out;
  }
  [[nodiscard]] bool reachable(node_id node) const {
    return std::any_of(brokers_.begin(), brokers_.end(), [&](auto& b) { return b.node == node; });
  }

  const exchange& x_;
  const metadata_question& q_;
  const creation_errors& failed_;
  std::shared_ptr<const actors::routing_snapshot> routes_;
  std::vector<broker_address> brokers_;
};

kj::Promise<answer> answer_now(exchange x, metadata_question q, creation_errors failed) {
  return in_room(x, [x, q = std::move(q), failed = std::move(failed)] {
    return reply(x, answer_builder{x, q, failed}.build());
  });
}

} // namespace

template <>
kj::Promise<answer> metadata_handler::handle(exchange x, metadata_request asked) {
  constexpr int32_t patience_ms = 10'000; // Metadata has no timeout of its own
  auto q = read(x, asked);
  std::set<std::string> missing;
  if (q.create && x.to().auto_create()) {
    auto routes = x.to().routes();
    for (auto& topic : q.topics)
      if (topic.name && routes->find(*topic.name) == nullptr && check_topic_name(*topic.name).ok())
        missing.insert(*topic.name);
  }
  if (missing.empty()) return answer_now(x, q, {});
  return x.to()
      .create_topics(std::move(missing), x.deadline_in(patience_ms))
      .then([x, q = std::move(q)](creation_errors failed) mutable {
        return answer_now(x, std::move(q), std::move(failed));
      });
}

} // namespace pessoa::kafka
