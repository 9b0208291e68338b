#include "tests/kafka/kafka_fixture.hpp"

using namespace pessoa;
using namespace pessoa::kafka;
using namespace pessoa::kafka::test;

namespace {

metadata_request names(std::vector<std::string> wanted) {
  metadata_request out;
  out.topics.emplace();
  for (auto& name : wanted)
    out.topics->emplace_back().name = std::move(name);
  return out;
}

metadata_request all_topics(int16_t version) {
  metadata_request out;
  if (version == 0) out.topics.emplace(); // there an empty list means all
  return out;
}

} // namespace

TEST_CASE("kafka: metadata names this node where the client reached it, the cluster and the controller",
          "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.from->reached = {"10.0.0.7", 19092};
  for (int16_t version = 0; version <= 12; ++version) {
    CAPTURE(version);
    auto told = c.ask(all_topics(version), version);
    REQUIRE(told.brokers.size() == 1);
    CHECK(told.brokers[0].node_id == 1);
    CHECK(told.brokers[0].host == "10.0.0.7");
    CHECK(told.brokers[0].port == 19092);
    if (version >= 1) CHECK(told.controller_id == 1);
    if (version >= 2) CHECK(told.cluster_id == to_string(n.node->service().cluster));
  }
  service_options options;
  options.advertised = host_port{"broker.example", 9094};
  node_peer behind{n, options};
  auto told = behind.ask(metadata_request{}, 9);
  CHECK(told.brokers.at(0).host == "broker.example");
  CHECK(told.brokers.at(0).port == 9094);
}

TEST_CASE("kafka: which topics an empty list means depends on the version", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("a");
  c.create("b", 3);
  CHECK(c.ask(names({}), 0).topics.size() == 2);
  for (int16_t version = 1; version <= 12; ++version) {
    CAPTURE(version);
    CHECK(c.ask(names({}), version).topics.empty());
    CHECK(c.ask(metadata_request{}, version).topics.size() == 2);
  }
}

TEST_CASE("kafka: a topic is described with its id, leader, epoch and replicas", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t", 3);
  for (int16_t version = 0; version <= 12; ++version) {
    CAPTURE(version);
    auto told = c.ask(names({"t"}), version).topics;
    REQUIRE(told.size() == 1);
    CHECK(told[0].error_code == 0);
    CHECK(told[0].name == "t");
    if (version >= 10) CHECK(told[0].topic_id == c.route("t").id);
    REQUIRE(told[0].partitions.size() == 3);
    auto& p = told[0].partitions[2];
    CHECK(p.error_code == 0);
    CHECK(p.partition_index == 2);
    CHECK(p.leader_id == 1);
    if (version >= 7) CHECK(p.leader_epoch == c.route("t").partitions[2].epoch.value());
    CHECK(p.replica_nodes == std::vector<int32_t>{1});
    CHECK(p.isr_nodes == std::vector<int32_t>{1});
    CHECK(p.offline_replicas.empty());
  }
}

TEST_CASE("kafka: a topic is found by its id from version 12 on", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  metadata_request asked;
  asked.topics.emplace();
  asked.topics->emplace_back().topic_id = c.route("t").id;
  topic_id::bytes_type other{9};
  asked.topics->emplace_back().topic_id = topic_id{other};
  asked.topics->emplace_back(); // no name and no id
  for (auto& topic : *asked.topics)
    topic.name.reset();
  auto told = c.ask(asked, 12).topics;
  REQUIRE(told.size() == 3);
  CHECK(told[0].error_code == 0);
  CHECK(told[0].name == "t");
  CHECK(told[1].error_code == 100);
  CHECK(told[1].name == std::nullopt);
  CHECK(told[1].topic_id == topic_id{other});
  CHECK(told[2].error_code == 100);
  // Before 12 the field is there, and asking by it is not.
  told = c.ask(asked, 11).topics;
  REQUIRE(told.size() == 3);
  CHECK(told[0].error_code == 42);
}

TEST_CASE("kafka: a name that is no topic's, or no name at all, is an error of its own entry", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  for (int16_t version : {0, 1, 4, 8, 9, 12}) {
    CAPTURE(version);
    auto told = c.ask(names({"t", "u", "a b", "", "..", std::string(300, 'x'), "t"}), version).topics;
    REQUIRE(told.size() == 6); // "t" once
    int16_t const codes[] = {0, 3, 17, 17, 17, 17};
    for (size_t i = 0; i < 6; ++i)
      CHECK(told[i].error_code == codes[i]);
  }
}

TEST_CASE("kafka: topics come into being for metadata where node and request allow it", "[kafka]") {
  one_thread_node n;
  n.settings.auto_create = true;
  REQUIRE(n.start().ok());
  node_peer c{n};
  auto asked = names({"new", "a b"});
  asked.allow_auto_topic_creation = false;
  auto told = c.ask(asked, 4).topics;
  CHECK(told[0].error_code == 3);
  CHECK(told[1].error_code == 17);
  asked.allow_auto_topic_creation = true;
  told = c.ask(asked, 4).topics;
  CHECK(told[0].error_code == 0);
  REQUIRE(told[0].partitions.size() == 1);
  CHECK(told[0].partitions[0].leader_id == 1);
  CHECK(told[1].error_code == 17);
  CHECK(c.produce("new", batch_of(1)).error_code == 0);
  // Before version 4 a request cannot say no.
  CHECK(c.ask(names({"old"}), 1).topics.at(0).error_code == 0);
  // All topics are all that there are.
  CHECK(c.ask(metadata_request{}, 9).topics.size() == 2);
}

TEST_CASE("kafka: a node that creates no topics says that there is none", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  CHECK(c.ask(names({"new"}), 1).topics.at(0).error_code == 3);
  CHECK(c.ask(metadata_request{}, 9).topics.empty());
}

TEST_CASE("kafka: what a client may do is told when it asks", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  auto asked = names({"t"});
  CHECK(c.ask(asked, 8).topics.at(0).topic_authorized_operations == INT32_MIN);
  CHECK(c.ask(asked, 8).cluster_authorized_operations == INT32_MIN);
  asked.include_topic_authorized_operations = asked.include_cluster_authorized_operations = true;
  auto told = c.ask(asked, 8);
  CHECK(told.topics.at(0).topic_authorized_operations
        == ((1 << 3) | (1 << 4) | (1 << 5) | (1 << 6) | (1 << 8) | (1 << 10)));
  CHECK((told.cluster_authorized_operations & (1 << 5)) != 0);
}

TEST_CASE("kafka: a large answer waits for room and ends the connection when there is none", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("wide", 3000);
  auto all = c.replies->take(connection_bytes_budget);
  auto slot = c.begin(metadata_request{}, 9);
  n.settle();
  CHECK_FALSE(slot->got.has_value());
  n.pass(std::chrono::seconds{1});
  CHECK_FALSE(slot->got.has_value());
  all.release();
  n.pass(std::chrono::seconds{1});
  REQUIRE(slot->got.has_value());
  CHECK(peer::read<metadata_request>(*slot->got, 9).topics.at(0).partitions.size() == 3000);
  CHECK(slot->got->charges.size() == 1);
  CHECK(c.replies->now().used == slot->got->message->size);

  all = c.replies->take(connection_bytes_budget);
  slot = c.begin(metadata_request{}, 9);
  n.pass(std::chrono::seconds{30});
  REQUIRE(slot->got.has_value());
  REQUIRE(slot->got->close.has_value());
  CHECK(slot->got->close->code == ec::overloaded);
}
