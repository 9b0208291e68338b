// The world: a whole node lives, dies and lives again in it, and a seed means the same every time.
#include "simulations/world/world.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::sim;

namespace {

node::node_settings quiet_settings(const std::string& address) {
  node::node_settings out;
  out.data = "data";
  out.begin_new = true;
  out.host = address;
  out.listen = {address, 18880};
  out.http_listen = node::endpoint{address, 18882};
  out.kafka_listen.reset();
  out.network_threads = 2;
  out.workers = 1;
  out.disk_reserve_bytes = 1 << 20;
  return out;
}

uint64_t a_life_and_another(uint64_t seed) {
  world w{seed};
  auto& n = w.add_node(w.add_machine("10.0.0.1"), quiet_settings("10.0.0.1"));
  n.start();
  REQUIRE(w.run_while_not([&] { return n.ready(); }, 5 * second));
  n.kill(seed % 2 == 0);
  n.power_on();
  n.start();
  REQUIRE(w.run_while_not([&] { return n.ready(); }, 10 * second));
  n.stop();
  REQUIRE(w.run_while_not([&] { return n.life() == nullptr; }, 20 * second));
  CHECK(n.lives() == 2);
  CHECK_FALSE(n.last_end());
  CHECK(n.disk().counters().after_death == 0);
  return w.tracing().value();
}

} // namespace

// The controller begins its cluster with a commit, and its first message may be the one that ends it.
TEST_CASE("world: a node may be killed in the moment of its start", "[world]") {
  world w{1};
  auto& n = w.add_node(w.add_machine("10.0.0.1"), quiet_settings("10.0.0.1"));
  for (int i = 0; i < 3; ++i) {
    n.start();
    n.kill(false);
  }
  n.start();
  CHECK(w.run_while_not([&] { return n.ready(); }, 5 * second));
  CHECK(n.disk().counters().after_death == 0);
}

TEST_CASE("world: a node is ready, dies, is ready again and stops", "[world]") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    auto first = a_life_and_another(seed);
    CHECK(first == a_life_and_another(seed));
    CHECK(first != a_life_and_another(seed + 1));
  }
}
