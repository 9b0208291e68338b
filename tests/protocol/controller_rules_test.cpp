// What the controller decides; every decision is applied to the image, so that a promise broken there fails
// here.
#include "schema/limits.hpp"
#include "tests/protocol/metadata_fixture.hpp"

#include <set>

using namespace pessoa;
using namespace pessoa::protocol;

#define RULES_TEST(name) TEST_CASE_METHOD(metadata_fixture, "controller: " name, "[protocol][controller]")

namespace {

ec code_of(const result<metadata_records>& out) { return out.ok() ? ec::none : out.error().code; }

} // namespace

RULES_TEST("a topic has one partition and as many replicas as there are nodes, up to three") { // rules.md 2
  auto nodes = GENERATE(1, 2, 3, 5);
  form(nodes);
  auto& topic = create("log");
  CHECK(topic.partitions.size() == 1);
  CHECK(topic.partitions[0].replicas.size() == static_cast<size_t>(std::min(3, nodes)));
  CHECK(topic.partitions[0].leader == topic.partitions[0].replicas[0]);
  CHECK(topic.partitions[0].epoch == leader_epoch{0});
  CHECK(topic.wanted_replicas == 3); // raised as nodes join
}

RULES_TEST("a node holds so many partitions and no more, whichever topics they are of") {
  form(1);
  auto limit = static_cast<int32_t>(partitions_per_node_max);
  create("a", limit / 2);
  create("b", limit / 2 - 1);
  auto refused = create_topic({"c", 2, -1, {}}, image, random);
  REQUIRE(code_of(refused) == ec::invalid_partitions);
  CHECK_THAT(refused.error().message,
             Catch::Contains("19999") && Catch::Contains("20000") && Catch::Contains("delete topics"));
  CHECK(code_of(alter_topic({"b", limit / 2 + 1, {}}, image)) == ec::invalid_partitions);
  must(alter_topic({"b", limit / 2, {}}, image)); // the last one
  CHECK(code_of(create_topic({"c", 1, -1, {}}, image, random)) == ec::invalid_partitions);
  must(delete_topic("a", image));
  must(create_topic({"c", 2, -1, {}}, image, random));
}

RULES_TEST("an explicit factor is wanted as it is, and refused above the number of nodes, with that number") {
  form(2);
  CHECK(create("one", 1, 1).wanted_replicas == 1);
  CHECK(create("two", 1, 2).wanted_replicas == 2);
  auto refused = create_topic({"three", 1, 3, {}}, image, random);
  CHECK(code_of(refused) == ec::invalid_replication_factor);
  CHECK(refused.error().message == "3 replicas are asked for, and the cluster has 2 nodes");
  CHECK(code_of(create_topic({"t", 1, 0, {}}, image, random)) == ec::invalid_replication_factor);
  CHECK(code_of(create_topic({"t", 1, -2, {}}, image, random)) == ec::invalid_replication_factor);
  CHECK(code_of(create_topic({"t", 1, INT32_MAX, {}}, image, random)) == ec::invalid_replication_factor);
}

RULES_TEST("on one node the refusal says so in the singular") {
  form(1);
  CHECK(create_topic({"t", 1, 3, {}}, image, random).error().message
        == "3 replicas are asked for, and the cluster has 1 node");
}

RULES_TEST("names, existence and bounds are checked before anything is decided") {
  form();
  create("log");
  CHECK(code_of(create_topic({"log", 1, -1, {}}, image, random)) == ec::topic_exists);
  for (auto name : {"", ".", "..", "a b", "a/b", "\xff"}) {
    CHECK(code_of(create_topic({name, 1, -1, {}}, image, random)) == ec::invalid_topic_name);
  }
  CHECK(code_of(create_topic({std::string(250, 'x'), 1, -1, {}}, image, random)) == ec::invalid_topic_name);
  for (auto count : {0, -2, 10'001, INT32_MAX, INT32_MIN}) {
    CHECK(code_of(create_topic({"t", count, -1, {}}, image, random)) == ec::invalid_partitions);
  }
  CHECK(create("most", 10'000).partitions.size() == 10'000);
  CHECK(code_of(create_topic({"t", 1, -1, {{"retention", "1"}}}, image, random)) == ec::invalid_config);
  CHECK(code_of(create_topic({"t", 1, -1, {{"retention.ms", "soon"}}}, image, random)) == ec::invalid_config);
}

RULES_TEST("without a node there is nowhere to put a topic") {
  must(cluster_created{cluster_id{raw_id(9)}, "test"});
  CHECK(code_of(create_topic({"log", 1, -1, {}}, image, random)) == ec::not_enough_replicas);
}

RULES_TEST("settings are kept as they are shown") {
  form();
  must(create_topic({"log", 1, -1, {{"retention.ms", " +0050 "}}}, image, random));
  CHECK(image.find("log")->config == std::map<std::string, std::string>{{"retention.ms", "50"}});
  CHECK(image.find("log")->settings.retention_ms == 50);
}

RULES_TEST("leaders and replicas are spread evenly, and a lost leader's load falls on all others") {
  form(5);
  auto& topic = create("log", 100);
  std::map<node_id, int> leads, holds;
  std::map<node_id, std::set<node_id>> seconds;
  for (auto& partition : topic.partitions) {
    ++leads[partition.leader];
    seconds[partition.leader].insert(partition.replicas[1]);
    for (auto node : partition.replicas)
      ++holds[node];
    CHECK(std::set<node_id>(partition.replicas.begin(), partition.replicas.end()).size() == 3);
  }
  for (auto& [node, count] : leads)
    CHECK(count == 20);
  for (auto& [node, count] : holds)
    CHECK(count == 60);
  for (auto& [node, others] : seconds)
    CHECK(others.size() == 4);
}

RULES_TEST("topics of one partition do not all begin on the same node") {
  form(3);
  std::set<node_id> leaders;
  for (int i = 0; i < 30; ++i)
    leaders.insert(create("t" + std::to_string(i)).partitions[0].leader);
  CHECK(leaders.size() == 3);
  CHECK(image.topics().size() == 30); // thirty different ids
}

RULES_TEST("the same seed decides the same") {
  form(3);
  seeded_random a{7}, b{7};
  create_topic_request request{"log", 10, -1, {}};
  CHECK(*create_topic(request, image, a) == *create_topic(request, image, b));
}

RULES_TEST("altering merges settings, and an empty value goes back to the default") {
  form();
  must(create_topic({"log", 1, -1, {{"retention.ms", "50"}}}, image, random));
  must(alter_topic({"log", -1, {{"segment.bytes", "2000000"}}}, image));
  CHECK(image.find("log")->settings.retention_ms == 50);
  CHECK(image.find("log")->settings.segment_bytes == 2'000'000);
  must(alter_topic({"log", -1, {{"retention.ms", ""}}}, image));
  CHECK(image.find("log")->settings.retention_ms == topic_config{}.retention_ms);
  CHECK(image.find("log")->config == std::map<std::string, std::string>{{"segment.bytes", "2000000"}});
  CHECK(code_of(alter_topic({"log", -1, {{"retention.msx", ""}}}, image)) == ec::invalid_config);
  CHECK(code_of(alter_topic({"log", -1, {{"retention.ms", "x"}}}, image)) == ec::invalid_config);
  CHECK(code_of(alter_topic({"nolog", -1, {}}, image)) == ec::unknown_topic);
}

RULES_TEST("what is true already needs no record") {
  form();
  must(create_topic({"log", 3, -1, {{"retention.ms", "50"}}}, image, random));
  CHECK(alter_topic({"log", 3, {{"retention.ms", "050"}, {"segment.ms", ""}}}, image)->empty());
}

RULES_TEST("partitions are added, never removed") {
  form(3);
  create("log", 4);
  auto before = image.find("log")->partitions;
  auto fewer = alter_topic({"log", 3, {}}, image);
  CHECK(code_of(fewer) == ec::invalid_partitions);
  CHECK(fewer.error().message == "topic 'log' has 4 partitions; they can be added, not removed");
  CHECK(code_of(alter_topic({"log", 10'001, {}}, image)) == ec::invalid_partitions);
  CHECK(code_of(alter_topic({"log", 0, {}}, image)) == ec::invalid_partitions);
  must(alter_topic({"log", 9, {{"retention.ms", "1"}}}, image));
  auto& after = image.find("log")->partitions;
  REQUIRE(after.size() == 9);
  CHECK(std::equal(before.begin(), before.end(), after.begin()));
  std::map<node_id, int> leads;
  for (auto& partition : after)
    ++leads[partition.leader];
  for (auto& [node, count] : leads)
    CHECK(count <= 4);
  CHECK(leads.size() == 3);
}

RULES_TEST("a refused change of partitions changes no setting either") {
  form();
  create("log", 4);
  CHECK(code_of(alter_topic({"log", 1, {{"retention.ms", "1"}}}, image)) == ec::invalid_partitions);
}

RULES_TEST("deletion is an explicit record") { // failures C9
  form();
  auto id = create("log").id;
  auto records = delete_topic("log", image);
  REQUIRE(records.ok());
  CHECK(*records == metadata_records{topic_deleted{id}});
  must(records);
  CHECK(code_of(delete_topic("log", image)) == ec::unknown_topic);
}

RULES_TEST(
    "a registration raises the epoch of every partition that the node led, and of no other") { // rules.md 2
  form(3);
  create("a", 6);
  create("b", 3);
  auto before = image.topics();
  auto records = register_node(node_record(2), image);
  REQUIRE(records.ok());
  CHECK(std::holds_alternative<node_registered>(records->front()));
  must(records);
  size_t raised = 0;
  for (auto& [id, topic] : image.topics()) {
    for (size_t i = 0; i < topic.partitions.size(); ++i) {
      auto expected = before.at(id).partitions[i];
      if (expected.leader == node_id{2}) {
        ++expected.epoch;
        ++raised;
      }
      CHECK(topic.partitions[i] == expected);
    }
  }
  CHECK(raised == 3);
  CHECK(records->size() == 4);
}

RULES_TEST("on a single node too each life has its own epochs") { // rules.md 2: restart inside an epoch
  form();
  create("log");
  must(register_node(node_record(1), image));
  must(register_node(node_record(1), image));
  CHECK(image.find("log")->partitions[0].epoch == leader_epoch{2});
}

RULES_TEST("a node with another directory is another node") { // rules.md 5, failures C22, S18
  form(2);
  CHECK(code_of(register_node(node_record(1, 55), image)) == ec::directory_foreign);
  CHECK(code_of(register_node(node_record(3, 101), image)) == ec::directory_foreign);
  CHECK(code_of(register_node(node_record(3), image)) == ec::none);
}

RULES_TEST("a registration is bounded and complete") {
  form();
  CHECK(code_of(register_node(node_record(0), image)) == ec::invalid_argument);
  auto nameless = node_record(2);
  nameless.directory = {};
  CHECK(code_of(register_node(nameless, image)) == ec::invalid_argument);
  auto wordy = node_record(2);
  wordy.rack = std::string(513, 'r');
  CHECK(code_of(register_node(wordy, image)) == ec::invalid_argument);
}

RULES_TEST("no producer id is handed out twice") { // failures T8
  form(2);
  std::set<int64_t> handed_out;
  for (int i = 0; i < 10; ++i) {
    auto block = next_producer_ids(image);
    CHECK(block.count == 1000);
    for (int64_t n = 0; n < block.count; ++n)
      REQUIRE(handed_out.insert(block.first.value() + n).second);
    must(allocate_producer_ids(node_id{1 + i % 2}, image));
    if (i == 5)
      must(register_node(node_record(1), image)); // a restart loses what was left, and repeats nothing
  }
  CHECK(code_of(allocate_producer_ids(node_id{7}, image)) == ec::leader_not_available);
}
