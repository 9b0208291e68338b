#include "tests/kafka/kafka_fixture.hpp"

using namespace pessoa;
using namespace pessoa::kafka;
using namespace pessoa::kafka::test;
using Catch::Contains;

namespace {

create_topics_request creation(std::vector<std::string> names, int32_t partitions = 1, int16_t replicas = 1) {
  create_topics_request out;
  out.timeout_ms = 5000;
  for (auto& name : names) {
    auto& t = out.topics.emplace_back();
    t.name = std::move(name);
    t.num_partitions = partitions;
    t.replication_factor = replicas;
  }
  return out;
}
create_topics_response::topic one(node_peer& c, const create_topics_request& asked, int16_t version = 7) {
  auto told = c.ask(asked, version).topics;
  REQUIRE(told.size() == 1);
  return told[0];
}
bool exists(node_peer& c, const std::string& name) { return c.from->to->routes()->find(name) != nullptr; }

} // namespace

TEST_CASE("kafka: a topic is created in every version, and can be written to at once", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  for (int16_t version = 2; version <= 7; ++version) {
    CAPTURE(version);
    auto name = "t" + std::to_string(version);
    auto told = one(c, creation({name}, 3), version);
    CHECK(told.error_code == 0);
    CHECK(told.error_message == std::nullopt);
    CHECK(c.route(name).partitions.size() == 3);
    CHECK(c.produce(name, batch_of(1), 2).error_code == 0);
    if (version >= 5) {
      CHECK(told.num_partitions == 3);
      CHECK(told.replication_factor == 1);
      CHECK(told.configs.has_value());
    }
    if (version >= 7) CHECK(told.topic_id == c.route(name).id);
  }
}

TEST_CASE("kafka: -1 asks for the defaults in every version", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  CHECK(one(c, creation({"old"}, -1, -1), 2).error_code == 0);
  CHECK(c.route("old").partitions.size() == 1);
  auto told = one(c, creation({"t"}, -1, -1));
  CHECK(told.error_code == 0);
  CHECK(told.num_partitions == 1);
  CHECK(told.replication_factor == 1);
  CHECK(c.route("t").wanted_replicas == 3);
}

TEST_CASE("kafka: the number of partitions by default is a setting, and is told", "[kafka]") {
  one_thread_node n;
  n.settings.default_partitions = 4;
  REQUIRE(n.start().ok());
  node_peer c{n};
  CHECK(one(c, creation({"t"}, -1, -1)).num_partitions == 4);
  CHECK(c.route("t").partitions.size() == 4);
  auto planned = creation({"u"}, -1, -1);
  planned.validate_only = true;
  CHECK(one(c, planned).num_partitions == 4);
  CHECK(one(c, creation({"v"}, 2, -1)).num_partitions == 2);
}

TEST_CASE("kafka: a topic that cannot be created is refused by itself", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("there");
  struct {
    const char* name;
    int32_t partitions;
    int16_t replicas;
    int16_t code;
  } const cases[] = {{"there", 1, 1, 36},  {"a b", 1, 1, 17},       {"", 1, 1, 17},
                     {"..", 1, 1, 17},     {"x", 0, 1, 37},         {"x", -2, 1, 37},
                     {"x", 10'001, 1, 37}, {"x", INT32_MAX, 1, 37}, {"x", 1, 0, 38},
                     {"x", 1, 3, 38},      {"x", 1, INT16_MIN, 38}, {"x", INT32_MIN, 1, 37}};
  for (auto& k : cases) {
    CAPTURE(k.name, k.partitions, k.replicas);
    auto told = one(c, creation({k.name}, k.partitions, k.replicas));
    CHECK(told.error_code == k.code);
    CHECK(told.error_message.has_value());
    CHECK(told.topic_id.is_nil());
    REQUIRE(told.configs.has_value());
    CHECK(told.configs->empty());
  }
  auto told = c.ask(creation({"good", "a b", "twice", "fine", "twice"}), 7).topics;
  REQUIRE(told.size() == 5);
  int16_t const codes[] = {0, 17, 42, 0, 42};
  for (size_t i = 0; i < 5; ++i)
    CHECK(told[i].error_code == codes[i]);
  CHECK(exists(c, "good"));
  CHECK(exists(c, "fine"));
  CHECK_FALSE(exists(c, "twice"));
}

TEST_CASE("kafka: settings are taken under Kafka's names, or refused by name", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  auto with = [](std::vector<std::pair<std::string, std::optional<std::string>>> settings) {
    auto asked = creation({"t"});
    for (auto& [name, value] : settings)
      asked.topics[0].configs.push_back({name, value});
    return asked;
  };
  struct {
    const char* name;
    std::optional<std::string> value;
    const char* text;
  } const refused[] = {
      {"cleanup.policy", "compact", "not there yet"}, {"compression.type", "zstd", "not there yet"},
      {"retention.ms", "soon", "whole number"},       {"retention.ms", std::nullopt, "no value"},
      {"delete.retention.ms", "1", "no effect here"}, {"retention.msec", "1", "did you mean retention.ms"}};
  for (auto& r : refused) {
    CAPTURE(r.name);
    auto told = one(c, with({{r.name, r.value}}));
    CHECK(told.error_code == 40);
    CHECK_THAT(told.error_message.value_or(""), Contains(r.text));
  }
  CHECK_FALSE(exists(c, "t"));
  auto told = one(c, with({{"cleanup.policy", "delete"},
                           {"compression.type", "producer"},
                           {"retention.ms", "60000"},
                           {"min.insync.replicas", "1"},
                           {"unclean.leader.election.enable", "false"}}));
  CHECK(told.error_code == 0);
  CHECK(c.route("t").config.retention_ms == 60000);
  std::map<std::string, std::pair<std::string, int>> shown;
  for (auto& s : *told.configs)
    shown[s.name] = {*s.value, s.config_source};
  CHECK(shown.at("retention.ms") == std::pair<std::string, int>{"60000", 1});
  CHECK(shown.at("cleanup.policy") == std::pair<std::string, int>{"delete", 1});
  CHECK(shown.at("segment.bytes") == std::pair<std::string, int>{"1073741824", 5});
}

TEST_CASE("kafka: validate_only says what would be, and makes nothing", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  auto asked = creation({"t"}, 5, -1);
  asked.topics[0].configs.push_back({"retention.ms", "7"});
  asked.validate_only = true;
  auto index = c.from->to->routes()->index;
  auto told = one(c, asked);
  CHECK(told.error_code == 0);
  CHECK(told.num_partitions == 5);
  CHECK(told.replication_factor == 1);
  CHECK(told.topic_id.is_nil());
  REQUIRE(told.configs.has_value());
  for (auto& s : *told.configs)
    if (s.name == "retention.ms") CHECK(s.value == "7");
  CHECK_FALSE(exists(c, "t"));
  CHECK(c.from->to->routes()->index == index);
  asked.topics[0].replication_factor = 2;
  CHECK(one(c, asked).error_code == 38);
  asked.topics[0].replication_factor = 1;
  c.create("t");
  CHECK(one(c, asked).error_code == 36);
}

TEST_CASE("kafka: an assignment by hand is honoured where there is nothing to choose", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  auto assigned = [](std::vector<std::pair<int32_t, std::vector<int32_t>>> by_hand) {
    auto asked = creation({"t"}, -1, -1);
    for (auto& [index, brokers] : by_hand)
      asked.topics[0].assignments.push_back({index, brokers});
    return asked;
  };
  CHECK(one(c, assigned({{0, {1, 2}}})).error_code == 39);
  CHECK(one(c, assigned({{0, {2}}})).error_code == 39);
  CHECK(one(c, assigned({{0, {}}})).error_code == 39);
  CHECK(one(c, assigned({{0, {1}}, {0, {1}}})).error_code == 39);
  CHECK(one(c, assigned({{0, {1}}, {2, {1}}})).error_code == 39);
  CHECK(one(c, assigned({{1, {1}}})).error_code == 39);
  CHECK(one(c, assigned({{INT32_MIN, {1}}, {INT32_MAX, {1}}})).error_code == 39);
  auto both = assigned({{0, {1}}});
  both.topics[0].num_partitions = 1;
  CHECK(one(c, both).error_code == 42);
  CHECK_FALSE(exists(c, "t"));
  CHECK(one(c, assigned({{1, {1}}, {0, {1}}}), 2).error_code == 0);
  CHECK(c.route("t").partitions.size() == 2);
}

TEST_CASE("kafka: what has no turn in time is not created, and says so", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  n.hold_commits = true;
  auto asked = creation({"a", "b", "c"});
  asked.timeout_ms = 0;
  auto slot = c.begin(asked, 7);
  n.pass(std::chrono::seconds{2});
  n.hold_commits = false;
  n.settle();
  REQUIRE(slot->got.has_value());
  auto told = peer::read<create_topics_request>(*slot->got, 7).topics;
  REQUIRE(told.size() == 3);
  CHECK(told[0].error_code == 0);
  CHECK(told[1].error_code == 7);
  CHECK(told[2].error_code == 7);
  CHECK_FALSE(exists(c, "b"));
}

TEST_CASE("kafka: topics are deleted by name in every version", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  for (int16_t version = 1; version <= 6; ++version) {
    CAPTURE(version);
    c.create("t");
    c.create("u");
    delete_topics_request asked;
    asked.timeout_ms = 5000;
    if (version < 6) {
      asked.topic_names = {"t", "no", "u", "twice", "twice"};
    } else {
      for (auto name : {"t", "no", "u", "twice", "twice"})
        asked.topics.emplace_back().name = name;
    }
    auto told = c.ask(asked, version).topics;
    REQUIRE(told.size() == 5);
    int16_t const codes[] = {0, 3, 0, 42, 42};
    for (size_t i = 0; i < 5; ++i)
      CHECK(told[i].error_code == codes[i]);
    CHECK(told[0].name == "t");
    if (version >= 5) CHECK_THAT(told[1].error_message.value_or(""), Contains("does not exist"));
    CHECK_FALSE(exists(c, "t"));
    CHECK_FALSE(exists(c, "u"));
  }
}

TEST_CASE("kafka: a topic is deleted by its id, and only that one", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  auto first = c.route("t").id;
  delete_topics_request asked;
  asked.timeout_ms = 5000;
  auto& by_id = asked.topics.emplace_back();
  by_id.name = std::nullopt;
  by_id.topic_id = first;
  auto told = c.ask(asked, 6).topics;
  REQUIRE(told.size() == 1);
  CHECK(told[0].error_code == 0);
  CHECK(told[0].name == "t");
  CHECK(told[0].topic_id == first);
  CHECK_FALSE(exists(c, "t"));

  c.create("t");
  told = c.ask(asked, 6).topics;
  CHECK(told.at(0).error_code == 100);
  CHECK(told.at(0).name == std::nullopt);
  CHECK(exists(c, "t"));

  by_id.name = "t"; // both
  CHECK(c.ask(asked, 6).topics.at(0).error_code == 42);
  by_id.name = std::nullopt; // none
  by_id.topic_id = {};
  CHECK(c.ask(asked, 6).topics.at(0).error_code == 42);
  CHECK(exists(c, "t"));
}
