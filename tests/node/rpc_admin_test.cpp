#include "tests/node/rpc_fixture.hpp"

using namespace pessoa;
using namespace pessoa::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

auto describe(rpc_session& c, const std::string& name) {
  auto request = c.admin.describeTopicRequest();
  request.setName(name);
  return c.ask(request);
}
auto remove(rpc_session& c, const std::string& name) {
  auto request = c.admin.deleteTopicRequest();
  request.setName(name);
  return c.ask(request);
}
auto delete_records(rpc_session& c, const std::string& name, int32_t partition, int64_t before) {
  auto request = c.admin.deleteRecordsRequest();
  request.setTopic(name);
  request.setPartition(partition);
  request.setBefore(before);
  return c.ask(request);
}
auto alter(rpc_session& c, const std::string& name, int32_t partitions) {
  auto request = c.admin.alterTopicRequest();
  request.initRequest().setName(name);
  request.getRequest().setPartitions(partitions);
  return request;
}

// From now on each write of a segment fails.
void break_segments(one_thread_node& n) {
  n.disk.faults().inject({sim::disk_operation::write, sim::disk_fault::error, 1, 1'000'000, ".log"});
}

} // namespace

TEST_CASE("rpc: a topic's life, and what cannot be done with it", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  auto made = c.create("t", 2, {{"retention.ms", "5000"}});
  CHECK(made.getTopic().getPartitions()[1].getLeader() == 1);
  CHECK(made.getIndex() == n.node->service().env->routes->load()->index.value());
  CHECK(name_of(c.create("t").getError()) == "topic_exists");
  CHECK(name_of(c.create("a b").getError()) == "invalid_topic_name");
  CHECK(name_of(c.create("u", 0).getError()) == "invalid_partitions");
  CHECK(name_of(c.create("u", 1, {{"retention.msec", "1"}}).getError()) == "invalid_config");
  auto more = alter(c, "t", 3);
  CHECK(c.ask(more).getTopic().getPartitions().size() == 3);
  auto fewer = alter(c, "t", 1);
  CHECK(name_of(c.ask(fewer).getError()) == "invalid_partitions");
  auto nobody = alter(c, "nope", 3);
  CHECK(name_of(c.ask(nobody).getError()) == "unknown_topic");
  CHECK_FALSE(remove(c, "t").hasError());
  CHECK(name_of(remove(c, "t").getError()) == "unknown_topic");
  CHECK(name_of(describe(c, "t").getError()) == "unknown_topic");
}

TEST_CASE("rpc: lists that claim more than anybody means are refused before memory is taken for them",
          "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  std::vector<std::pair<std::string, std::string>> settings(101, {"retention.ms", "1"});
  CHECK(name_of(c.create("t", 1, settings).getError()) == "invalid_config");
  settings.pop_back();
  CHECK_FALSE(c.create("t", 1, settings).hasError());
  auto change = alter(c, "t", -1);
  change.getRequest().initConfig(101);
  CHECK(name_of(c.ask(change).getError()) == "invalid_config");
  auto names = c.session.metadataRequest();
  names.initRequest().initTopics(200'000);
  CHECK(name_of(c.ask(names).getError()) == "message_too_large");
}

TEST_CASE("rpc: a question about a partition whose leader has just ended is sent elsewhere", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  caf::anon_send_exit(n.node->service().env->routes->load()->find("t")->partitions[0].local,
                      caf::exit_reason::kill);
  n.settle();
  CHECK(name_of(describe(c, "t").getDescription().getPartitions()[0].getError()) == "not_leader");
  CHECK(name_of(delete_records(c, "t", 0, -1).getError()) == "not_leader");
}

TEST_CASE("rpc: a node that cannot hold more partitions says so, and what to do", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  n.hold_reads = true; // no log of these is opened
  auto full = c.admin.createTopicRequest();
  full.initRequest().setName("full");
  full.getRequest().setPartitions(partitions_per_topic_max);
  auto first = c.begin(full);
  auto again = c.admin.createTopicRequest();
  again.initRequest().setName("also-full");
  again.getRequest().setPartitions(partitions_per_topic_max);
  auto second = c.begin(again);
  auto refused = c.create("one-more");
  CHECK(name_of(refused.getError()) == "invalid_partitions");
  CHECK_THAT(message_of(refused.getError()), Contains("delete topics"));
}

TEST_CASE("rpc: describe tells each partition, and which is offline why", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t", 2);
  c.produce("t", 5, 1);
  auto found = describe(c, "t");
  auto partitions = found.getDescription().getPartitions();
  REQUIRE(partitions.size() == 2);
  CHECK(partitions[0].getHighWatermark() == 0);
  CHECK(partitions[1].getHighWatermark() == 5);
  CHECK(partitions[1].getBytes() > 0);
  break_segments(n);
  CHECK(c.produce("t", 1, 1).hasError());
  auto broken = describe(c, "t");
  CHECK_FALSE(broken.getDescription().getPartitions()[0].hasError());
  CHECK(name_of(broken.getDescription().getPartitions()[1].getError()) == "storage_failed");
  auto ask = c.admin.healthRequest();
  auto health = c.ask(ask);
  CHECK_FALSE(health.getHealth().getHealthy());
  CHECK(health.getHealth().getLeaderless() == 1);
  CHECK_THAT(std::string{health.getHealth().getReasons()[0].cStr()}, Contains("t[1]"));
}

TEST_CASE("rpc: a partition that is not open yet has no status", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  n.hold_reads = true; // its log is not opened
  auto request = c.admin.createTopicRequest();
  request.initRequest().setName("slow");
  auto slot = c.begin(request);
  CHECK(*slot == nullptr);
  CHECK(name_of(describe(c, "slow").getDescription().getPartitions()[0].getError())
        == "leader_not_available");
  CHECK(name_of(c.produce("slow", 1).getError()) == "leader_not_available");
  n.pass(5s); // who created it is not kept for ever
  KJ_IF_MAYBE (answer, *slot)
    CHECK(answer->getTopic().getPartitions().size() == 1);
  else
    FAIL("no answer");
  n.hold_reads = false;
  n.settle();
  CHECK_FALSE(c.produce("slow", 1).hasError());
}

TEST_CASE("rpc: records are deleted below an offset", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  c.produce("t", 5);
  CHECK(name_of(delete_records(c, "nope", 0, 1).getError()) == "unknown_topic");
  CHECK(name_of(delete_records(c, "t", 7, 1).getError()) == "unknown_partition");
  CHECK(name_of(delete_records(c, "t", 0, 6).getError()) == "offset_out_of_range");
  CHECK(name_of(delete_records(c, "t", 0, -2).getError()) == "offset_out_of_range");
  CHECK(delete_records(c, "t", 0, 3).getLogStart() == 3);
  CHECK(delete_records(c, "t", 0, -1).getLogStart() == 5);
}

TEST_CASE("rpc: the cluster and its health", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  auto info = c.admin.clusterRequest();
  auto cluster = c.ask(info);
  CHECK(cluster.getInfo().getController() == 1);
  REQUIRE(cluster.getInfo().getNodes().size() == 1);
  CHECK(cluster.getInfo().getNodes()[0].getRpc() == "127.0.0.1:18880");
  auto ask = c.admin.healthRequest();
  CHECK(c.ask(ask).getHealth().getHealthy());
}

TEST_CASE("rpc: a topic that is deleted while it is changed is told to who changed it", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  n.hold_reads = true; // the new partition is not opened yet when the topic goes
  auto create = c.admin.createTopicRequest();
  create.initRequest().setName("new");
  auto created = c.begin(create);
  n.hold_reads = false;
  n.settle();
  c.create("old");
  n.hold_reads = true;
  auto change = alter(c, "old", 2);
  auto altered = c.begin(change);
  auto again = c.admin.createTopicRequest();
  again.initRequest().setName("third");
  auto third = c.begin(again);
  CHECK_FALSE(remove(c, "old").hasError());
  CHECK_FALSE(remove(c, "third").hasError());
  n.hold_reads = false;
  n.pass(5s);
  for (auto* slot : {&*altered})
    KJ_IF_MAYBE (answer, *slot)
      CHECK(name_of(answer->getError()) == "unknown_topic");
    else
      FAIL("no answer");
  KJ_IF_MAYBE (answer, *third)
    CHECK(name_of(answer->getError()) == "unknown_topic");
  else
    FAIL("no answer");
}

TEST_CASE("rpc: a change whose controller or broker has ended is in doubt", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  SECTION("the controller") {
    caf::anon_send_exit(n.node->service().controller, caf::exit_reason::kill);
    n.settle();
    auto failed = c.create("t");
    CHECK(name_of(failed.getError()) == "unknown_result");
    CHECK(name_of(remove(c, "t").getError()) == "unknown_result");
  }
  SECTION("the broker") {
    caf::anon_send_exit(n.node->service().broker, caf::exit_reason::kill);
    n.settle();
    auto failed = c.create("t");
    CHECK(name_of(failed.getError()) == "unknown_result");
    CHECK_THAT(message_of(failed.getError()), Contains("not yet applied"));
  }
}
