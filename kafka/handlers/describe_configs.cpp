// DescribeConfigs: the settings of topics, and of this cluster's nodes what exists here under Kafka's names. What is told has
// its effect; a setting of Kafka's that has none here is not told.
#include "kafka/handlers/handlers.hpp"
#include "kafka/handlers/topic_settings.hpp"

#include <charconv>

namespace pessoa::kafka {

namespace {

using resource_question = describe_configs_request::resource;
using resource_entry = describe_configs_response::result;
using config_entry = resource_entry::config;

constexpr int8_t topic_resource = 2, broker_resource = 4;
constexpr size_t answer_bytes_max = 16u << 20; // as estimated: what is asked twice is told twice

// Null and an empty list both mean all, as in Kafka.
bool wants(const resource_question& asked, std::string_view name) {
  auto& keys = asked.configuration_keys;
  return !keys || keys->empty() || std::find(keys->begin(), keys->end(), name) != keys->end();
}

config_entry entry_of(const describe_configs_request& asked, std::string_view name, std::string value,
                      config_source source, config_type type, std::string_view about) {
  config_entry out;
  out.name = name;
  out.value = std::move(value);
  out.config_source = static_cast<int8_t>(source);
  out.is_default = source == config_source::default_value;
  out.config_type = static_cast<int8_t>(type);
  if (asked.include_documentation) out.documentation = std::string{about};
  return out;
}

void add_synonym(config_entry& to, std::string_view name, std::string value, config_source source) {
  auto& out = to.synonyms.emplace_back();
  out.name = name;
  out.value = std::move(value);
  out.source = static_cast<int8_t>(source);
}

// -- topics ---

void describe(const describe_configs_request& asked, const resource_question& in,
              const actors::topic_route& topic, resource_entry& out) {
  auto replicas = topic.partitions.empty() ? size_t{1} : topic.partitions.front().replicas.size();
  for (auto& setting : show_settings(topic.config, topic.chosen, replicas)) {
    if (!wants(in, setting.name)) continue;
    auto source = setting.chosen ? config_source::topic : config_source::default_value;
    auto entry = entry_of(asked, setting.name, setting.value, source, setting.type, setting.about);
    if (asked.include_synonyms) {
      if (setting.chosen) add_synonym(entry, setting.name, setting.value, config_source::topic);
      add_synonym(entry, setting.broker_name, setting.default_value, config_source::default_value);
    }
    out.configs.push_back(std::move(entry));
  }
}

// -- nodes ---

void describe(const exchange& x, const describe_configs_request& asked, const resource_question& in,
              const actors::node_route& node, const std::vector<broker_address>& addresses,
              resource_entry& out) {
  auto add = [&](std::string_view name, std::string value, config_source source, config_type type,
                 std::string_view about) {
    if (!wants(in, name)) return;
    auto entry = entry_of(asked, name, std::move(value), source, type, about);
    entry.read_only = true;
    if (asked.include_synonyms) add_synonym(entry, name, *entry.value, source);
    out.configs.push_back(std::move(entry));
  };
  using s = config_source;
  using t = config_type;
  auto& known = node.registration;
  auto id = std::to_string(known.node.value());
  for (auto& address : addresses)
    if (address.node == known.node)
      add("advertised.listeners", "PLAINTEXT://" + to_string(address.at), s::broker, t::string,
          "where clients find this node");
  if (known.node == x.to().self())
    add("auto.create.topics.enable", x.to().auto_create() ? "true" : "false", s::broker, t::boolean,
        "whether a topic comes into being when it is first asked for to write to it");
  add("broker.id", id, s::broker, t::int32, "the node's number in the cluster");
  if (!known.rack.empty()) add("broker.rack", known.rack, s::broker, t::string, "where the node stands");
  add("node.id", id, s::broker, t::int32, "the node's number in the cluster");
  auto partitions = x.to().default_partitions();
  add("num.partitions", std::to_string(partitions), partitions == 1 ? s::default_value : s::broker, t::int32,
      "of a topic that is created without a number");
  // What topics have that choose nothing; the same for every node.
  for (auto& setting : show_settings({}, {}, 1))
    add(setting.broker_name, setting.default_value, s::default_value, setting.type, setting.about);
}

result<void> describe_node(const exchange& x, const describe_configs_request& asked,
                           const resource_question& in, const actors::routing_snapshot& routes,
                           resource_entry& out) {
  if (in.resource_name.empty()) return {}; // what was set for all brokers: nothing can be
  int32_t id = -1;
  auto* end = in.resource_name.data() + in.resource_name.size();
  auto parsed = std::from_chars(in.resource_name.data(), end, id);
  auto found = routes.nodes.find(node_id{id});
  if (parsed.ec != std::errc{} || parsed.ptr != end || found == routes.nodes.end())
    return {ec::invalid_argument, "there is no broker " + quoted(in.resource_name)};
  describe(x, asked, in, found->second, broker_addresses(x, routes), out);
  return {};
}

result<void> describe_resource(const exchange& x, const describe_configs_request& asked,
                               const resource_question& in, const actors::routing_snapshot& routes,
                               resource_entry& out) {
  switch (in.resource_type) {
  case topic_resource: {
    PESSOA_CHECK(check_topic_name(in.resource_name));
    PESSOA_TRY(auto* topic, topic_named(routes, in.resource_name));
    describe(asked, in, *topic, out);
    return {};
  }
  case broker_resource:
    return describe_node(x, asked, in, routes, out);
  default:
    return {ec::invalid_argument, "resources of type " + std::to_string(in.resource_type)
                                      + " have no settings here: topics (2) and brokers (4) have"};
  }
}

result<void> check_size(const describe_configs_request& asked) {
  constexpr size_t described_bytes = 4096, refused_bytes = 256;
  size_t bytes = 0;
  for (auto& in : asked.resources)
    bytes += in.resource_name.size()
             + (in.resource_type == topic_resource || in.resource_type == broker_resource ? described_bytes
                                                                                          : refused_bytes);
  if (bytes <= answer_bytes_max) return {};
  return {ec::message_too_large, "the settings of " + std::to_string(asked.resources.size())
                                     + " resources were asked for at once: ask for fewer at a time"};
}

} // namespace

template <>
kj::Promise<answer> describe_configs_handler::handle(exchange x, describe_configs_request asked) {
  if (auto checked = check_size(asked); !checked) return closing(checked.error());
  return in_room(x, [x, asked = std::move(asked)] {
    auto routes = x.to().routes();
    describe_configs_response out;
    for (auto& in : asked.resources) {
      auto& entry = out.results.emplace_back();
      entry.resource_type = in.resource_type;
      entry.resource_name = in.resource_name;
      if (auto done = describe_resource(x, asked, in, *routes, entry); !done) {
        entry.error_code = x.number_of(done.error().code);
        entry.error_message = client_text(done.error());
      }
    }
    return reply(x, out);
  });
}

} // namespace pessoa::kafka
