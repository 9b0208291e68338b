#include "tests/node/rpc_fixture.hpp"
#include "tests/support/one_thread_node.hpp"

using namespace pessoa;
using namespace pessoa::test;
using namespace std::chrono_literals;

TEST_CASE("one_thread_node: it starts, serves, stops cleanly and starts again without a scan",
          "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  CHECK(n.node->ready_line() == "ready node=1 rpc=127.0.0.1:18880 peer=off kafka=off http=127.0.0.1:18882");
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
