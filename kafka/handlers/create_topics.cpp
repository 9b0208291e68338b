// CreateTopics: one after the other, so that a long request does not fill the controller's queue for everybody else. With
// validate_only the controller decides and commits nothing.
//
// Replicas are placed by the controller. An assignment by hand is honoured where there is nothing to choose, on a cluster of
// one node, and refused elsewhere.
#include "kafka/handlers/handlers.hpp"
#include "kafka/handlers/topic_settings.hpp"

#include <set>

namespace pessoa::kafka {

namespace {

using topic_question = create_topics_request::topic;
using topic_entry = create_topics_response::topic;

constexpr int32_t by_default = -1;
constexpr int32_t patience_ms_min = 1000; // a creation waits for a disk, whatever the client thinks of it

struct refusal {
  int16_t code;
  error why;
};

struct open_request {
  exchange x;
  create_topics_request asked;
  instant deadline;
  std::set<std::string> twice; // names that stand in the request more than once
  create_topics_response out;
  size_t next = 0;
};

// Partitions 0 to n-1, each on the only node there is. Errors: in words.
result<int32_t> partitions_of(const std::vector<topic_question::assignment>& by_hand,
                              const actors::routing_snapshot& routes) {
  if (routes.nodes.size() != 1)
    return error{ec::invalid_argument, "replicas are placed by the cluster: give numbers, not an assignment"};
  std::set<int32_t> seen;
  for (auto& a : by_hand) {
    seen.insert(a.partition_index);
    if (a.broker_ids != std::vector<int32_t>{routes.nodes.begin()->first.value()})
      return error{ec::invalid_argument, "partition " + std::to_string(a.partition_index)
                                             + " is assigned to other replicas than the one node there is"};
  }
  auto count = static_cast<int32_t>(by_hand.size());
  if (seen.size() != by_hand.size() || *seen.begin() != 0 || *seen.rbegin() != count - 1)
    return error{ec::invalid_argument,
                 "the assigned partitions are not 0 to " + std::to_string(count - 1) + ", each once"};
  return count;
}

std::variant<protocol::create_topic_request, refusal> read(const open_request& r, const topic_question& in) {
  auto refuse = [&](ec code, std::string what) {
    return refusal{r.x.number_of(code), {code, std::move(what)}};
  };
  if (r.twice.contains(in.name)) return refuse(ec::invalid_argument, quoted(in.name) + " stands here twice");
  protocol::create_topic_request out;
  out.name = in.name;
  out.validate_only = r.asked.validate_only;
  out.partitions = in.num_partitions;
  out.replicas = in.replication_factor;
  if (!in.assignments.empty()) {
    if (in.num_partitions != by_default || in.replication_factor != by_default)
      return refuse(ec::invalid_argument, "an assignment says how many partitions and replicas there are");
    auto count = partitions_of(in.assignments, *r.x.to().routes());
    if (!count) return refusal{+number::invalid_replica_assignment, count.error()};
    out.partitions = *count;
    out.replicas = 1;
  } // Defaults came with version 4 (KIP-464), but Kafka takes them in every version, and kafkajs sends them in 3.
  for (auto& setting : in.configs) {
    if (!setting.value) return refuse(ec::invalid_config, quoted(setting.name) + " has no value");
    out.config[setting.name] = *setting.value;
  }
  return out;
}

void refuse(const open_request& r, topic_entry& out, int16_t code, const error& why) {
  out.error_code = code;
  out.error_message = client_text(why);
  if (r.x.version >= 5) out.configs.emplace(); // null would mean that they may not be seen
}

// What it was made with (5), also of what was only tried.
void describe(const open_request& r, const protocol::create_topic_request& made, topic_entry& out) {
  auto routes = r.x.to().routes();
  topic_config config;
  std::map<std::string, std::string> chosen;
  if (auto* route = routes->find(made.name); route != nullptr && !made.validate_only) {
    out.topic_id = route->id;
    out.num_partitions = static_cast<int32_t>(route->partitions.size());
    out.replication_factor = static_cast<int16_t>(route->partitions.front().replicas.size());
    config = route->config;
    chosen = route->chosen;
  } else {
    out.num_partitions = made.partitions == by_default ? r.x.to().default_partitions() : made.partitions;
    auto nodes =
        static_cast<int32_t>(std::min<size_t>(routes->nodes.size(), protocol::replicas_wanted_default));
    out.replication_factor = static_cast<int16_t>(made.replicas == by_default ? nodes : made.replicas);
    if (auto parsed = topic_config::from(made.config)) config = *parsed;
    chosen = made.config;
  }
  out.configs.emplace();
  for (auto& setting : show_settings(config, chosen, static_cast<size_t>(out.replication_factor))) {
    auto& entry = out.configs->emplace_back();
    entry.name = setting.name;
    entry.value = setting.value;
    entry.config_source =
        static_cast<int8_t>(setting.chosen ? config_source::topic : config_source::default_value);
  }
}

kj::Promise<void> create_next(const std::shared_ptr<open_request>& r) {
  for (; r->next < r->asked.topics.size(); ++r->next) {
    auto& in = r->asked.topics[r->next];
    auto& out = r->out.topics.emplace_back();
    out.name = in.name;
    auto made = read(*r, in);
    if (auto* refused = std::get_if<refusal>(&made)) {
      refuse(*r, out, refused->code, refused->why);
    } else if (r->x.to().time().now() >= r->deadline) {
      error late{ec::timed_out, quoted(in.name) + " was not created: its turn did not come in time"};
      refuse(*r, out, r->x.number_of(late.code), late);
    } else {
      ++r->next;
      auto request = std::get<protocol::create_topic_request>(std::move(made));
      auto sent = r->x.to().create_topic(request);
      return sent.then([r, request = std::move(request)](result<actors::committed_change> done) {
        auto& out = r->out.topics.back();
        if (done)
          describe(*r, request, out);
        else
          refuse(*r, out, r->x.number_of(done.error().code), done.error());
        return create_next(r);
      });
    }
  }
  return kj::READY_NOW;
}

} // namespace

template <>
kj::Promise<answer> create_topics_handler::handle(exchange x, create_topics_request asked) {
  auto r = std::make_shared<open_request>(open_request{std::move(x), std::move(asked), {}, {}, {}, 0});
  r->deadline = r->x.deadline_in(std::max(r->asked.timeout_ms, patience_ms_min));
  std::set<std::string_view> seen;
  for (auto& topic : r->asked.topics)
    if (!seen.insert(topic.name).second) r->twice.insert(topic.name);
  return create_next(r)
      .then([r]() -> kj::Promise<void> {
        if (r->asked.validate_only) return kj::READY_NOW;
        return r->x.to().all_ready(); // who hears of a topic writes to it next
      })
      .then([r] { return in_room(r->x, [r] { return reply(r->x, r->out); }); });
}

} // namespace pessoa::kafka
