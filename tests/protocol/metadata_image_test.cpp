// The fold: what applies, what contradicts (failures C9, C11), and that state is a function of the log (C16,
// C19).
#include "tests/protocol/metadata_fixture.hpp"

#include <set>

using namespace pessoa;
using namespace pessoa::protocol;

#define IMAGE_TEST(name) TEST_CASE_METHOD(metadata_fixture, "metadata: " name, "[protocol][metadata]")

IMAGE_TEST("the log begins with the cluster, once") {
  must_refuse(node_record(1));
  must_refuse(cluster_created{cluster_id{}, "nil"});
  must(cluster_created{cluster_id{raw_id(9)}, "test"});
  CHECK(image.cluster() == cluster_id{raw_id(9)});
  CHECK(image.cluster_name() == "test");
  must_refuse(cluster_created{cluster_id{raw_id(8)}, "other"});
}

IMAGE_TEST("records are applied in order of index, none twice and none left out") { // failures C17, C19
  form();
  CHECK(image.last() == metadata_index{1});
  auto before = image;
  CHECK(image.apply(node_record(2), metadata_index{1}).error().code == ec::internal);
  CHECK(image.apply(node_record(2), metadata_index{3}).error().code == ec::internal);
  CHECK(image == before);
  CHECK(image.apply(node_record(2), metadata_index{2}).ok());
}

IMAGE_TEST("a node's incarnation is the index of its registration") {
  form(2);
  CHECK(image.find_node(node_id{2})->life == incarnation{2});
  must(node_record(2));
  CHECK(image.find_node(node_id{2})->life == incarnation{3});
  CHECK(image.find_node(node_id{1})->life == incarnation{1});
  CHECK(image.find_node(node_id{3}) == nullptr);
  CHECK(image.nodes().size() == 2);
}

IMAGE_TEST("a node keeps its directory, and a directory its node") { // failures C22
  form(2);
  must_refuse(node_record(1, 77));
  must_refuse(node_record(3, 102));
  must_refuse(node_record(0));
  auto nameless = node_record(3);
  nameless.directory = {};
  must_refuse(nameless);
}

IMAGE_TEST("a topic is found by id and by name, and its settings are read") {
  form(2);
  auto record = topic_record(1, "log", {{nodes_of({2, 1})}, {nodes_of({1})}});
  record.config = {{"retention.ms", "5000"}};
  must(record);
  auto* topic = image.find("log");
  REQUIRE(topic);
  CHECK(image.find(topic_id{raw_id(1)}) == topic);
  CHECK(topic->settings.retention_ms == 5000);
  CHECK(topic->config == record.config);
  REQUIRE(topic->partitions.size() == 2);
  CHECK(topic->partitions[0]
        == partition_state{node_id{2}, leader_epoch{0}, nodes_of({2, 1}), nodes_of({2, 1})});
  CHECK(image.find("nolog") == nullptr);
}

IMAGE_TEST("a topic that contradicts is refused") {
  form();
  must(topic_record(1, "log", {{nodes_of({1})}}));
  must_refuse(topic_record(2, "log", {{nodes_of({1})}}));   // name twice
  must_refuse(topic_record(1, "other", {{nodes_of({1})}})); // id twice
  must_refuse(topic_record(0, "other", {{nodes_of({1})}})); // no id
  must_refuse(topic_record(2, "a/b", {{nodes_of({1})}}));
  must_refuse(topic_record(2, "other", {}));
  must_refuse(topic_record(2, "other", {{{}}}));
  must_refuse(topic_record(2, "other", {{nodes_of({7})}}));
  must_refuse(topic_record(2, "other", {{nodes_of({1, 1})}}));
  must_refuse(topic_record(2, "other", std::vector<partition_assignment>(10'001, {nodes_of({1})})));
  auto config = topic_record(2, "other", {{nodes_of({1})}});
  config.config = {{"retention", "1"}};
  must_refuse(config);
  auto wanted = topic_record(2, "other", {{nodes_of({1})}});
  wanted.wanted_replicas = 0;
  must_refuse(wanted);
}

IMAGE_TEST(
    "a topic goes by its own record, and its name may come again with another id") { // failures C9, R21
  form();
  must(topic_record(1, "log", {{nodes_of({1})}}));
  must(topic_deleted{topic_id{raw_id(1)}});
  CHECK(image.find("log") == nullptr);
  CHECK(image.find(topic_id{raw_id(1)}) == nullptr);
  must_refuse(topic_deleted{topic_id{raw_id(1)}});
  must(topic_record(2, "log", {{nodes_of({1})}}));
  CHECK(image.find("log")->id == topic_id{raw_id(2)});
}

IMAGE_TEST("what speaks of an unknown topic is refused") { // failures C11
  form();
  topic_id unknown{raw_id(5)};
  must_refuse(topic_deleted{unknown});
  must_refuse(topic_config_changed{unknown, {}});
  must_refuse(partitions_added{unknown, {{nodes_of({1})}}});
  must_refuse(
      partition_changed{unknown, partition_id{0}, node_id{1}, leader_epoch{1}, nodes_of({1}), nodes_of({1})});
}

IMAGE_TEST("settings are replaced whole") {
  form();
  auto record = topic_record(1, "log", {{nodes_of({1})}});
  record.config = {{"retention.ms", "5000"}};
  must(record);
  must(topic_config_changed{record.topic, {{"segment.bytes", "2000000"}}});
  CHECK(image.find("log")->settings.retention_ms == topic_config{}.retention_ms);
  CHECK(image.find("log")->settings.segment_bytes == 2'000'000);
  must_refuse(topic_config_changed{record.topic, {{"segment.bytes", "many"}}});
}

IMAGE_TEST("partitions are added behind those that are there") {
  form(2);
  must(topic_record(1, "log", {{nodes_of({1})}}));
  must(partitions_added{topic_id{raw_id(1)}, {{nodes_of({2})}, {nodes_of({1})}}});
  auto& partitions = image.find("log")->partitions;
  REQUIRE(partitions.size() == 3);
  CHECK(partitions[1].leader == node_id{2});
  CHECK(partitions[2].leader == node_id{1});
  must_refuse(partitions_added{topic_id{raw_id(1)}, {}});
  must_refuse(partitions_added{topic_id{raw_id(1)}, {{nodes_of({3})}}});
  must_refuse(
      partitions_added{topic_id{raw_id(1)}, std::vector<partition_assignment>(9998, {nodes_of({1})})});
}

IMAGE_TEST("a leader epoch has one leader and never goes back") { // failures R3, R21
  form(3);
  must(topic_record(1, "log", {{nodes_of({1, 2})}}));
  auto change = [](int32_t leader, int32_t epoch, std::vector<node_id> replicas, std::vector<node_id> isr) {
    return partition_changed{topic_id{raw_id(1)}, partition_id{0},     node_id{leader},
                             leader_epoch{epoch}, std::move(replicas), std::move(isr)};
  };
  must(change(1, 0, nodes_of({1, 2}), nodes_of({1}))); // the in-sync set moves within an epoch
  must(change(2, 5, nodes_of({1, 2, 3}), nodes_of({2, 3})));
  CHECK(image.find("log")->partitions[0]
        == partition_state{node_id{2}, leader_epoch{5}, nodes_of({1, 2, 3}), nodes_of({2, 3})});
  must_refuse(change(2, 4, nodes_of({2}), nodes_of({2})));
  must_refuse(change(3, 5, nodes_of({2, 3}), nodes_of({2, 3})));
  must_refuse(change(-1, 5, nodes_of({2, 3}), nodes_of({2, 3})));
  must_refuse(change(2, 6, {}, {}));
  must_refuse(change(2, 6, nodes_of({2, 3}), nodes_of({3})));    // the leader is not in sync
  must_refuse(change(2, 6, nodes_of({2}), nodes_of({2, 3})));    // in sync and no replica
  must_refuse(change(2, 6, nodes_of({2, 3}), nodes_of({2, 2}))); // twice
  must_refuse(change(2, 6, nodes_of({2, 9}), nodes_of({2})));    // unknown
  must(change(-1, 6, nodes_of({2, 3}), nodes_of({2})));          // nobody leads, and it is known who might
  auto beyond = change(2, 7, nodes_of({2, 3}), nodes_of({2}));
  beyond.partition = partition_id{1};
  must_refuse(beyond);
  beyond.partition = partition_id{-1};
  must_refuse(beyond);
}

IMAGE_TEST("producer ids and the feature level only rise") { // failures T8
  form();
  must(producer_ids_allocated{node_id{1}, producer_id{1000}});
  must_refuse(producer_ids_allocated{node_id{1}, producer_id{1000}});
  must_refuse(producer_ids_allocated{node_id{1}, producer_id{999}});
  must_refuse(producer_ids_allocated{node_id{7}, producer_id{2000}});
  CHECK(image.next_producer_id() == producer_id{1000});
  must(feature_level_raised{2});
  must_refuse(feature_level_raised{2});
  must_refuse(feature_level_raised{1});
  CHECK(image.feature_level() == 2);
}

IMAGE_TEST("the same records give the same digest, and every record moves it") { // failures C19
  std::vector<metadata_record> records{
      cluster_created{cluster_id{raw_id(9)}, "test"},
      node_record(1),
      node_record(2),
      topic_record(1, "a", {{nodes_of({1, 2})}}),
      topic_record(2, "b", {{nodes_of({2})}}),
      topic_config_changed{topic_id{raw_id(1)}, {{"retention.ms", "1"}}},
      partitions_added{topic_id{raw_id(2)}, {{nodes_of({1})}}},
      partition_changed{topic_id{raw_id(1)}, partition_id{0}, node_id{2}, leader_epoch{1}, nodes_of({1, 2}),
                        nodes_of({2})},
      producer_ids_allocated{node_id{1}, producer_id{1000}},
      feature_level_raised{1},
      topic_deleted{topic_id{raw_id(2)}},
  };
  metadata_image twin;
  std::set<uint64_t> seen{image.digest()};
  for (auto& record : records) {
    must(record);
    REQUIRE(twin.apply(record, twin.last() + 1).ok());
    CHECK(twin.digest() == image.digest());
    CHECK(seen.insert(image.digest()).second);
  }
  CHECK(twin == image);
  // The same on every machine and in every build: this very number (reckoned apart from this code).
  CHECK(image.digest() == 0xee212ccc6454b776);
}

IMAGE_TEST("the digest tells states apart that differ in one field only") {
  form(2);
  must(topic_record(1, "ab", {{nodes_of({1, 2})}}));
  auto variant = [&](auto edit) {
    metadata_image other;
    auto topic = topic_record(1, "ab", {{nodes_of({1, 2})}});
    edit(topic);
    std::vector<metadata_record> records{cluster_created{cluster_id{raw_id(9)}, "test"}, node_record(1),
                                         node_record(2), topic};
    for (auto& record : records)
      REQUIRE(other.apply(record, other.last() + 1).ok());
    return other.digest();
  };
  CHECK(variant([](topic_created&) {}) == image.digest());
  CHECK(variant([](topic_created& t) { t.name = "ac"; }) != image.digest());
  CHECK(variant([](topic_created& t) { t.wanted_replicas = 2; }) != image.digest());
  CHECK(variant([](topic_created& t) { t.config["retention.ms"] = "604800000"; }) != image.digest());
  CHECK(variant([](topic_created& t) { t.partitions[0].replicas = nodes_of({2, 1}); }) != image.digest());
  CHECK(variant([](topic_created& t) { t.partitions.push_back({nodes_of({1})}); }) != image.digest());
}
