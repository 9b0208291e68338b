#include "tests/node/rpc_fixture.hpp"

using namespace pessoa;
using namespace pessoa::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

auto metadata(rpc_session& c, const std::vector<std::string>& names, bool create = false,
              int64_t at_least = -1) {
  auto request = c.session.metadataRequest();
  auto in = request.initRequest();
  auto topics = in.initTopics(static_cast<unsigned>(names.size()));
  for (unsigned i = 0; i < topics.size(); ++i)
    topics.set(i, names[i]);
  in.setCreate(create);
  in.setAtLeast(at_least);
  in.setTimeoutMs(3000);
  return request;
}

cluster_id foreign() {
  seeded_random other{99};
  return cluster_id{draw_uuid(other)};
}

struct refused_login {
  std::function<void(wire::Hello::Builder)> spoil;
  const char* name;
  const char* says;
};

} // namespace

TEST_CASE("rpc: a login that cannot be is refused with its reason, and another may follow", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_peer c{n};
  const refused_login refused[] = {
      {[](auto h) { h.setProtocol(0); }, "unsupported_version", "protocol 0"},
      {[](auto h) { h.setClientId(std::string(250, 'c')); }, "invalid_argument", "249"},
      {[](auto h) { wire::write(foreign(), h.initClusterId()); }, "wrong_cluster", "belongs to"},
      {[](auto h) { h.initCredentials().setToken("secret"); }, "denied", "credentials"},
  };
  for (auto& each : refused) {
    auto login = c.bootstrap.loginRequest();
    each.spoil(login.initHello());
    auto answer = c.ask(login);
    CHECK(name_of(answer.getError()) == each.name);
    CHECK_THAT(message_of(answer.getError()), Contains(each.says));
    CHECK_FALSE(answer.hasSession());
  }
  CHECK_FALSE(n.log.lines.empty());
  auto login = c.bootstrap.loginRequest();
  wire::write(n.node->service().cluster, login.initHello().initClusterId());
  auto answer = c.ask(login);
  CHECK_FALSE(answer.hasError());
  CHECK(answer.getWelcome().getNodeId() == 1);
  CHECK(answer.getWelcome().getProtocol() == 1);
  CHECK(answer.getWelcome().getMessageBytesMax() == 2 * rpc_message_bytes_max);
  CHECK(wire::read<cluster_id>(answer.getWelcome().getClusterId()) == n.node->service().cluster);
}

TEST_CASE("rpc: only an idempotent producer takes an id, and no two the same", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  auto plain = c.session.producerRequest();
  CHECK(c.ask(plain).getProducerId() == -1);
  std::set<int64_t> ids;
  for (int i = 0; i < 1500; ++i) { // more than one block
    auto request = c.session.producerRequest();
    request.setIdempotent(true);
    auto answer = c.ask(request);
    CHECK(answer.getProducerEpoch() == 0);
    CHECK(ids.insert(answer.getProducerId()).second);
  }
  caf::anon_send_exit(n.node->service().gateway, caf::exit_reason::kill);
  n.settle();
  auto late = c.session.producerRequest();
  late.setIdempotent(true);
  CHECK(name_of(c.ask(late).getError()) == "leader_not_available");
}

TEST_CASE("rpc: metadata answers for each name, in order", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("a", 2);
  c.create("b");
  auto request = metadata(c, {"b", "nope", "a", "no such name"});
  auto answer = c.ask(request);
  auto topics = answer.getMetadata().getTopics();
  REQUIRE(topics.size() == 4);
  CHECK(topics[0].getName() == "b");
  CHECK(name_of(topics[1].getError()) == "unknown_topic");
  CHECK_THAT(std::string{topics[1].getError().getHint().cStr()},
             Contains("topic create") && Contains("--create"));
  CHECK(topics[2].getPartitions().size() == 2);
  CHECK(topics[2].getPartitions()[1].getLeader() == 1);
  CHECK(name_of(topics[3].getError()) == "invalid_topic_name");
  CHECK(answer.getMetadata().getNodes()[0].getLeaders() == 3);
  auto everything = c.session.metadataRequest();
  everything.initRequest().setAll(true);
  CHECK(c.ask(everything).getMetadata().getTopics().size() == 2);
}

TEST_CASE("rpc: a small question for a huge answer is refused before a byte of it is made", "[node][rpc]") {
  one_thread_node n;
  n.settings.auto_create = true;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  auto request = metadata(c, std::vector<std::string>(20'000, "x"), true);
  CHECK(name_of(c.ask(request).getError()) == "message_too_large");
  CHECK(c.id_of("x").is_nil()); // nor was anything created
  c.create("x", 1000);
  auto again = metadata(c, std::vector<std::string>(1000, "x"));
  CHECK(name_of(c.ask(again).getError()) == "message_too_large");
}

TEST_CASE("rpc: metadata waits for an index, until its deadline", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n}, other{n};
  auto now = n.node->service().env->routes->load()->index.value();
  auto next = metadata(c, {"t"}, false, now + 1);
  auto never = metadata(c, {"t"}, false, now + 100);
  auto first = c.begin(next), second = c.begin(never);
  CHECK(*first == nullptr);
  other.create("t");
  KJ_IF_MAYBE (answer, *first) {
    CHECK(answer->getMetadata().getTopics()[0].getPartitions().size() == 1);
  } else {
    FAIL("it did not wake");
  }
  n.pass(2900ms);
  CHECK(*second == nullptr);
  n.pass(200ms);
  KJ_IF_MAYBE (answer, *second) {
    CHECK(name_of(answer->getError()) == "timed_out");
  } else {
    FAIL("its deadline passed");
  }
}

TEST_CASE("rpc: a topic is created for who writes, where the node permits", "[node][rpc]") {
  one_thread_node n;
  bool permitted = GENERATE(false, true);
  CAPTURE(permitted);
  n.settings.auto_create = permitted;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  auto read = metadata(c, {"t"});
  CHECK(name_of(c.ask(read).getMetadata().getTopics()[0].getError()) == "unknown_topic");
  auto write = metadata(c, {"t", "no such name", "t"}, true);
  auto answer = c.ask(write);
  auto topics = answer.getMetadata().getTopics();
  CHECK(name_of(topics[1].getError()) == "invalid_topic_name");
  CHECK(topics[0].hasError() == !permitted);
  CHECK(topics[2].hasError() == !permitted);
  if (!permitted) return;
  CHECK(topics[0].getPartitions()[0].getLeader() == 1);
  CHECK_FALSE(c.produce("t", 1).hasError()); // at once
}

TEST_CASE("rpc: many who write at once make one topic", "[node][rpc]") {
  one_thread_node n;
  n.settings.auto_create = true;
  REQUIRE(n.start().ok());
  rpc_session a{n}, b{n};
  auto before = n.node->service().env->routes->load()->index.value();
  std::vector<std::shared_ptr<kj::Maybe<capnp::Response<wire::Session::MetadataResults>>>> answers;
  n.hold_commits = true;
  for (int i = 0; i < 10; ++i) {
    auto request = metadata(i % 2 == 0 ? a : b, {"t"}, true);
    answers.push_back((i % 2 == 0 ? a : b).begin(request));
  }
  n.hold_commits = false;
  n.settle();
  for (auto& answer : answers)
    KJ_IF_MAYBE (got, *answer) {
      auto topic = got->getMetadata().getTopics()[0];
      CHECK_FALSE(topic.hasError());
      CHECK(topic.getPartitions().size() == 1);
    } else {
      FAIL("no answer");
    }
  CHECK(n.node->service().env->routes->load()->index.value() == before + 1); // one record
}

TEST_CASE("rpc: a topic that cannot be created says why, and the others are there", "[node][rpc]") {
  one_thread_node n;
  n.settings.auto_create = true;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  SECTION("its turn did not come in time") {
    auto request = metadata(c, {"a", "b"}, true);
    n.hold_commits = true;
    auto slot = c.begin(request);
    n.pass(4s);
    n.hold_commits = false;
    n.settle();
    KJ_IF_MAYBE (answer, *slot) {
      CHECK_FALSE(answer->getMetadata().getTopics()[0].hasError());
      CHECK(name_of(answer->getMetadata().getTopics()[1].getError()) == "timed_out");
    } else {
      FAIL("no answer");
    }
  }
  SECTION("the controller has ended") {
    caf::anon_send_exit(n.node->service().controller, caf::exit_reason::kill);
    n.settle();
    auto request = metadata(c, {"a"}, true);
    CHECK(name_of(c.ask(request).getMetadata().getTopics()[0].getError()) == "unknown_result");
  }
  SECTION("who asked has gone") {
    n.hold_commits = true;
    {
      rpc_session gone{n};
      auto request = metadata(gone, {"a"}, true);
      gone.begin(request);
    }
    n.hold_commits = false;
    n.settle();
    CHECK_FALSE(c.id_of("a").is_nil()); // what was begun is done
  }
}

TEST_CASE("rpc: who waits when the node stops hears it, and nobody is kept", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  auto request = c.consumer.fetchRequest();
  c.fill(request.initRequest(), "t", 0, 60'000);
  std::string heard;
  auto waiting = request.send()
                     .then([](auto&&) {}, [&](kj::Exception&& e) { heard = e.getDescription().cStr(); })
                     .eagerlyEvaluate(nullptr);
  n.settle();
  CHECK(n.stop().ok());
  CHECK_THAT(heard, Contains("shutting_down: the node is stopping"));
  CHECK(n.net.connect(18880).get() == nullptr); // the port is free
}
