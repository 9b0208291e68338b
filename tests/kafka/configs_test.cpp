#include "tests/kafka/kafka_fixture.hpp"

using namespace pessoa;
using namespace pessoa::kafka;
using namespace pessoa::kafka::test;

namespace {

using entry = describe_configs_response::result;

describe_configs_request of(int8_t type, std::string name,
                            std::optional<std::vector<std::string>> keys = {}) {
  describe_configs_request out;
  auto& r = out.resources.emplace_back();
  r.resource_type = type;
  r.resource_name = std::move(name);
  r.configuration_keys = std::move(keys);
  return out;
}
entry describe(node_peer& c, const describe_configs_request& asked, int16_t version = 4) {
  auto told = c.ask(asked, version).results;
  REQUIRE(told.size() == 1);
  return told[0];
}
const entry::config& setting(const entry& in, std::string_view name) {
  for (auto& s : in.configs)
    if (s.name == name) return s;
  FAIL("no setting " << name);
  throw std::logic_error{"unreachable"};
}

constexpr int8_t topic = 2, broker = 4;

} // namespace

TEST_CASE("kafka: a topic's settings are told with where they come from", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t", 1, {{"retention.ms", "60000"}, {"cleanup.policy", "delete"}});
  for (int16_t version = 0; version <= 4; ++version) {
    CAPTURE(version);
    auto told = describe(c, of(topic, "t"), version);
    CHECK(told.error_code == 0);
    CHECK(told.resource_type == topic);
    CHECK(told.resource_name == "t");
    CHECK(told.configs.size() == topic_config_keys().size());
    auto& retention = setting(told, "retention.ms");
    CHECK(retention.value == "60000");
    CHECK_FALSE(retention.read_only);
    CHECK_FALSE(retention.is_sensitive);
    auto& segment = setting(told, "segment.bytes");
    CHECK(segment.value == "1073741824");
    CHECK(setting(told, "cleanup.policy").value == "delete");
    CHECK(setting(told, "min.insync.replicas").value == "1"); // what following the factor comes to
    if (version == 0) {
      CHECK_FALSE(retention.is_default);
      CHECK(segment.is_default);
    } else {
      CHECK(retention.config_source == 1);
      CHECK(segment.config_source == 5);
      CHECK(setting(told, "cleanup.policy").config_source == 1); // set, though to the default
    }
    if (version >= 3) {
      CHECK(retention.config_type == 5);
      CHECK(segment.config_type == 3);
      CHECK(setting(told, "cleanup.policy").config_type == 7);
      CHECK(setting(told, "preallocate").config_type == 1);
    }
    CHECK(retention.synonyms.empty());
    CHECK(retention.documentation == std::nullopt);
  }
}

TEST_CASE("kafka: synonyms and documentation are told when they are asked for", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t", 1, {{"retention.ms", "60000"}});
  auto asked = of(topic, "t", std::vector<std::string>{"retention.ms", "segment.ms", "no.such"});
  asked.include_synonyms = asked.include_documentation = true;
  auto told = describe(c, asked);
  REQUIRE(told.configs.size() == 2);
  auto& retention = setting(told, "retention.ms");
  REQUIRE(retention.synonyms.size() == 2);
  CHECK(retention.synonyms[0].name == "retention.ms");
  CHECK(retention.synonyms[0].value == "60000");
  CHECK(retention.synonyms[0].source == 1);
  CHECK(retention.synonyms[1].name == "log.retention.ms");
  CHECK(retention.synonyms[1].value == "604800000");
  CHECK(retention.synonyms[1].source == 5);
  CHECK(retention.documentation.value_or("").size() > 10);
  auto& segment = setting(told, "segment.ms");
  REQUIRE(segment.synonyms.size() == 1);
  CHECK(segment.synonyms[0].name == "log.roll.ms");
  // No keys mean all, as null does.
  CHECK(describe(c, of(topic, "t", std::vector<std::string>{})).configs.size() == topic_config_keys().size());
}

TEST_CASE("kafka: a node tells what exists here under Kafka's names", "[kafka]") {
  one_thread_node n;
  n.settings.auto_create = true;
  n.settings.rack = "r1";
  REQUIRE(n.start().ok());
  node_peer c{n};
  auto told = describe(c, of(broker, "1"));
  CHECK(told.error_code == 0);
  CHECK(setting(told, "auto.create.topics.enable").value == "true");
  CHECK(setting(told, "broker.id").value == "1");
  CHECK(setting(told, "broker.rack").value == "r1");
  CHECK(setting(told, "advertised.listeners").value == "PLAINTEXT://127.0.0.1:9092");
  CHECK(setting(told, "log.cleanup.policy").value == "delete");
  CHECK(setting(told, "message.max.bytes").value == "1048576");
  for (auto& s : told.configs) {
    CHECK(s.read_only);
    CHECK(s.value.has_value());
  }
  CHECK(describe(c, of(broker, "1", std::vector<std::string>{"num.partitions"})).configs.size() == 1);
  CHECK(describe(c, of(broker, "")).configs.empty());
  CHECK(describe(c, of(broker, "")).error_code == 0);
}

TEST_CASE("kafka: settings of what does not exist are refused by resource", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  struct {
    int8_t type;
    const char* name;
    int16_t code;
  } const cases[] = {
      {topic, "no", 3},   {topic, "a b", 17},          {topic, "", 17}, {broker, "2", 42}, {broker, "1x", 42},
      {broker, "-1", 42}, {broker, "99999999999", 42}, {0, "t", 42},    {8, "1", 42},      {16, "x", 42},
      {-1, "", 42}};
  for (auto& k : cases) {
    CAPTURE(int{k.type}, k.name);
    auto told = describe(c, of(k.type, k.name));
    CHECK(told.error_code == k.code);
    CHECK(told.error_message.has_value());
    CHECK(told.configs.empty());
    CHECK(told.resource_name == k.name);
  }
  describe_configs_request many;
  many.resources.resize(5000);
  for (auto& r : many.resources) {
    r.resource_type = topic;
    r.resource_name = "t";
  }
  CHECK(c.end_of(many, 4) == ec::message_too_large);
}
