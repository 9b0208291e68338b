#include "schema/endian.hpp"
#include "tests/node/rpc_fixture.hpp"
#include "tests/support/one_thread_node.hpp"

using namespace pessoa;
using namespace pessoa::test;
using namespace std::chrono_literals;

namespace {

constexpr int many = 12; // partitions: enough for the journal

// A topic of many partitions, three records in each, which one round of the commit service took together.
void store_through_the_journal(rpc_session& c, const std::string& topic) {
  c.create(topic, many);
  std::vector<std::shared_ptr<kj::Maybe<capnp::Response<wire::Producer::ProduceResults>>>> answers;
  c.n.hold_commits = true;
  for (int i = 0; i < many; ++i) {
    auto request = c.producer.produceRequest();
    c.fill(request.initRequest(), topic, make_wire_batch(3), i);
    answers.push_back(c.begin(request));
  }
  c.n.hold_commits = false;
  c.n.settle();
  for (auto& answer : answers)
    KJ_IF_MAYBE (got, *answer)
      REQUIRE(got->getResult().getBaseOffset() == 0);
    else
      FAIL("no answer");
  REQUIRE(c.n.node->service().env->commits->counters().journal_syncs > 0);
}

} // namespace

TEST_CASE("one_thread_node: it starts, serves, stops cleanly and starts again without a scan",
          "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  CHECK(n.node->ready_line()
        == "ready node=1 rpc=127.0.0.1:18880 peer=off kafka=127.0.0.1:9092 http=127.0.0.1:18882");
  {
    rpc_session c{n};
    c.create("t");
    CHECK(c.produce("t", 3).getResult().getBaseOffset() == 0);
  }
  CHECK(n.stop().ok());
  CHECK(n.fatal.empty());
  CHECK(n.disk.env().exists("data/clean-stop"));
  n.settings.begin_new = false;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  CHECK(c.fetch("t", 0).getResult().getHighWatermark() == 3);
}

TEST_CASE("one_thread_node: Kafka's clients are served beside ours, and heard of the stop", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  auto client = n.net.connect(9092);
  const uint8_t versions[] = {0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff};
  n.get(client->write(versions, sizeof versions).then([] { return true; }));
  uint8_t answer[10] = {}; // length, correlation id, error
  CHECK(n.get(client->tryRead(answer, sizeof answer, sizeof answer)) == sizeof answer);
  CHECK(load_be<int32_t>(answer + 4) == 7);
  CHECK(load_be<int16_t>(answer + 8) == 0);
  CHECK(n.node->service().env->routes->load()->nodes.begin()->second.registration.kafka == "127.0.0.1:9092");
  auto rest = client->readAllBytes().then([](auto&&) { return true; });
  CHECK(n.stop().ok());
  CHECK(n.get(kj::mv(rest)));
}

TEST_CASE("one_thread_node: what was acknowledged is there after a power loss at any moment", "[node][rpc]") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    one_thread_node n{seed};
    REQUIRE(n.start().ok());
    int64_t acknowledged = 0;
    {
      rpc_session c{n};
      c.create("t");
      for (uint64_t i = 0; i < seed; ++i)
        acknowledged = c.produce("t", 1).getResult().getBaseOffset() + 1;
      auto lost = c.producer.produceRequest(); // in the middle of one more
      c.fill(lost.initRequest(), "t", make_wire_batch(1));
      auto waiting = lost.send().ignoreResult().eagerlyEvaluate([](kj::Exception&&) {});
      n.net.run();
      n.crash(seed % 2 == 0 ? sim::crash_kind::power : sim::crash_kind::kill);
    }
    n.settings.begin_new = false;
    REQUIRE(n.start().ok());
    CHECK(n.fatal.empty());
    rpc_session c{n};
    auto there = c.fetch("t", 0).getResult().getHighWatermark();
    CHECK(there >= acknowledged);
    CHECK(there <= acknowledged + 1);
    CHECK(c.produce("t", 1).getResult().getBaseOffset() == there);
  }
}

TEST_CASE("one_thread_node: the same seed gives the same life", "[node][rpc]") {
  auto life = [](uint64_t seed) {
    one_thread_node n{seed};
    n.start().value();
    std::vector<std::string> trace;
    {
      rpc_session c{n};
      c.create("t", 3);
      for (int i = 0; i < 10; ++i) {
        c.produce("t", i + 1, i % 3);
        n.pass(7s);
      }
    }
    n.stop().value();
    trace = n.log.lines;
    auto& did = n.disk.counters();
    for (auto count :
         {did.reads, did.bytes_read, did.writes, did.bytes_written, did.syncs, did.directory_syncs})
      trace.push_back(std::to_string(count));
    return trace;
  };
  CHECK(life(5) == life(5));
}

TEST_CASE("one_thread_node: a node dropped while it starts leaves nothing behind", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.begin().ok());
  n.crash(sim::crash_kind::kill);
  REQUIRE(n.start().ok());
  CHECK(n.stop().ok());
  CHECK(n.disk.counters().after_death == 0);
}

TEST_CASE("one_thread_node: a stop at any moment of the start ends promptly, and nothing is lost",
          "[node][rpc]") {
  auto last_end = GENERATE(as<std::string>{}, "clean", "killed", "power"); // of the life before
  for (int moment = 0; moment < 100; ++moment) {
    CAPTURE(last_end, moment);
    one_thread_node n{static_cast<uint64_t>(moment)};
    REQUIRE(n.start().ok());
    {
      rpc_session c{n};
      store_through_the_journal(c, "t");
    }
    if (last_end == "clean")
      n.stop().value();
    else
      n.crash(last_end == "power" ? sim::crash_kind::power : sim::crash_kind::kill);
    n.settings.begin_new = false;
    REQUIRE(n.begin().ok());
    for (int i = 0; i < moment; ++i)
      n.step();
    (void)n.stop(); // which may say that the next start looks at everything
    CHECK(n.fatal.empty());
    CHECK(n.ready.has_value()); // who waits for it hears
    if (moment % 2 == 1) n.disk.crash(sim::crash_kind::power);
    REQUIRE(n.start().ok());
    CHECK(n.node->service().env->counters->replicas_offline == 0);
    rpc_session c{n};
    for (int i = 0; i < many; ++i)
      CHECK(c.produce("t", 1, i).getResult().getBaseOffset() == 3);
  }
}

TEST_CASE("one_thread_node: a log that a full disk kept from opening opens when there is room",
          "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  auto& offline = n.node->service().env->counters->replicas_offline;
  rpc_session c{n};
  SECTION("of a new topic") {
    n.disk.faults().inject(
        {sim::disk_operation::create_directory, sim::disk_fault::no_space, 1, 1, "topics"});
    c.create("t");
    CHECK(name_of(c.produce("t", 1).getError()) == "disk_full");
    CHECK(offline == 1);
    n.pass(31s);
    CHECK(c.produce("t", 1).getResult().getBaseOffset() == 0);
    CHECK(offline == 0);
  }
  SECTION("and not while there is none") {
    n.disk.faults().inject(
        {sim::disk_operation::create_directory, sim::disk_fault::no_space, 1, 3, "topics"});
    c.create("t");
    n.pass(61s);
    CHECK(name_of(c.produce("t", 1).getError()) == "disk_full");
    auto told = std::count_if(n.log.lines.begin(), n.log.lines.end(),
                              [](auto& line) { return line.find("cannot be opened") != std::string::npos; });
    CHECK(told == 1); // not again with every attempt
    n.pass(60s);
    CHECK(c.produce("t", 1).getResult().getBaseOffset() == 0);
  }
  SECTION("nor once its topic is deleted") {
    n.disk.faults().inject(
        {sim::disk_operation::create_directory, sim::disk_fault::no_space, 1, 1, "topics"});
    c.create("t");
    auto request = c.admin.deleteTopicRequest();
    request.setName("t");
    CHECK_FALSE(c.ask(request).hasError());
    n.pass(61s);
    CHECK(offline == 0);
    CHECK(n.fatal.empty());
  }
  CHECK(n.stop().ok());
}

TEST_CASE("one_thread_node: after a crash onto a full disk each record comes back when there is room",
          "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  {
    rpc_session c{n};
    store_through_the_journal(c, "t");
  }
  n.crash(sim::crash_kind::power);
  n.settings.begin_new = false;
  n.disk.faults().inject(
      {sim::disk_operation::write, sim::disk_fault::no_space, 1, 1'000'000, "data/topics"});
  n.disk.faults().inject({sim::disk_operation::open, sim::disk_fault::no_space, 1, 1'000'000, "data/topics"});
  REQUIRE(n.start().ok());
  CHECK(n.node->service().env->counters->replicas_offline > 0);
  n.pass(31s);
  n.disk.faults().clear();
  n.pass(31s);
  CHECK(n.node->service().env->counters->replicas_offline == 0);
  rpc_session c{n};
  for (int i = 0; i < many; ++i)
    CHECK(c.produce("t", 1, i).getResult().getBaseOffset() == 3);
  CHECK(n.stop().ok());
}

TEST_CASE("one_thread_node: a disk that cannot say how much is free takes writes, and the page shows what "
          "was last seen",
          "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  auto& commits = *n.node->service().env->commits;
  REQUIRE(commits.space().has_value());
  auto before = commits.space()->free_bytes;
  n.disk.set_capacity(n.disk.bytes_used() + (100 << 20));
  n.pass(31s); // nothing is committed: upkeep looks
  CHECK(commits.space()->free_bytes < before);
  n.disk.refuse_space(true);
  CHECK(c.produce("t", 1).getResult().getBaseOffset() == 0);
  CHECK_FALSE(commits.space().has_value());
  CHECK(commits.counters().failures == 0);
  CHECK_FALSE(commits.refusing().has_value());
  n.disk.refuse_space(false);
  n.pass(31s);
  CHECK(commits.space().has_value());
}
