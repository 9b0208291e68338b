#include "tests/kafka/kafka_fixture.hpp"

#include <set>

using namespace pessoa;
using namespace pessoa::kafka;
using namespace pessoa::kafka::test;

TEST_CASE("kafka: each idempotent producer gets an id of its own", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  std::set<int64_t> ids;
  for (int16_t version = 0; version <= 4; ++version) {
    CAPTURE(version);
    auto told = c.ask(init_producer_id_request{}, version);
    CHECK(told.error_code == 0);
    CHECK(told.producer_id >= 0);
    CHECK(told.producer_epoch == 0);
    CHECK(ids.insert(told.producer_id).second);
  }
  // An id to go on from gets a new one: there is nothing to go on from.
  init_producer_id_request more;
  more.producer_id = 0;
  more.producer_epoch = 3;
  auto told = c.ask(more, 4);
  CHECK(told.error_code == 0);
  CHECK(ids.insert(told.producer_id).second);
  more.producer_epoch = -1;
  CHECK(c.ask(more, 4).error_code == 42);
}

TEST_CASE("kafka: a transactional producer is refused for good", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  init_producer_id_request asked;
  asked.transactional_id = "x";
  for (int16_t version = 0; version <= 4; ++version) {
    auto told = c.ask(asked, version);
    CHECK(told.error_code == 53);
    CHECK(told.producer_id == -1);
    CHECK(told.producer_epoch == -1);
  }
  asked.transactional_id = "";
  CHECK(c.ask(asked, 4).error_code == 42);
}

TEST_CASE("kafka: there is no coordinator, which a group waits out and a transaction hears", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  find_coordinator_request asked;
  asked.key = "g";
  for (int16_t version = 0; version <= 3; ++version) {
    CAPTURE(version);
    asked.key_type = 0;
    auto told = c.ask(asked, version);
    CHECK(told.error_code == 15);
    CHECK(told.node_id == -1);
    if (version >= 1) CHECK(told.error_message.has_value());
    if (version == 0) continue;
    asked.key_type = 1;
    CHECK(c.ask(asked, version).error_code == 53);
    asked.key_type = 2;
    CHECK(c.ask(asked, version).error_code == 42);
  }
  asked.key = {};
  asked.key_type = 0;
  asked.coordinator_keys = {"a", "b"};
  auto told = c.ask(asked, 4).coordinators;
  REQUIRE(told.size() == 2);
  CHECK(told[1].key == "b");
  CHECK(told[1].error_code == 15);
  asked.coordinator_keys.resize(10'001);
  CHECK(c.end_of(asked, 4) == ec::malformed_message);
}

TEST_CASE("kafka: where an epoch ended is told from the lineage of the log", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  {
    node_peer c{n};
    c.create("t");
    c.produce("t", batch_of(3));
  }
  for (int i = 0; i < 2; ++i) { // of these lives, the first writes nothing
    REQUIRE(n.stop().ok());
    REQUIRE(n.start().ok());
  }
  node_peer c{n};
  c.produce("t", batch_of(2));
  auto now = c.route("t").partitions[0].epoch.value();
  REQUIRE(now >= 2);
  auto ask = [&](int32_t epoch, int16_t version, int32_t known = -1, const std::string& topic = "t") {
    offset_for_leader_epoch_request asked;
    auto& t = asked.topics.emplace_back();
    t.topic = topic;
    auto& p = t.partitions.emplace_back();
    p.leader_epoch = epoch;
    p.current_leader_epoch = known;
    return c.ask(asked, version).topics.at(0).partitions.at(0);
  };
  for (int16_t version = 2; version <= 4; ++version) {
    CAPTURE(version);
    auto check = [&](int32_t epoch, int32_t told_epoch, int64_t end) {
      CAPTURE(epoch);
      auto told = ask(epoch, version);
      CHECK(told.error_code == 0);
      CHECK(told.leader_epoch == told_epoch);
      CHECK(told.end_offset == end);
    };
    check(0, 0, 3);
    check(now - 1, 0, 3); // wrote nothing
    check(now, now, 5);
    check(now + 1, -1, -1);
    check(-1, -1, -1);
    check(INT32_MAX, -1, -1);
    check(INT32_MIN, -1, -1);
    CHECK(ask(0, version, now).error_code == 0);
    CHECK(ask(0, version, now - 1).error_code == 74);
    CHECK(ask(0, version, now + 1).error_code == 75);
    CHECK(ask(0, version, -1, "no").error_code == 3);
  }
  offset_for_leader_epoch_request replica;
  replica.replica_id = 3;
  replica.topics.emplace_back().topic = "t";
  replica.topics[0].partitions.emplace_back();
  CHECK(c.ask(replica, 3).topics.at(0).partitions.at(0).error_code == 42);
}
