// An end of a node's process counts as unexpected exactly when nothing gave it a reason.
#include "simulations/check/survival.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::sim;

namespace {

node::node_settings settings_of(const std::string& address) {
  node::node_settings out;
  out.data = "data";
  out.begin_new = true;
  out.host = address;
  out.listen = {address, 18880};
  out.http_listen.reset();
  out.kafka_listen.reset();
  out.network_threads = 1;
  out.workers = 1;
  out.disk_reserve_bytes = 1 << 16;
  return out;
}

} // namespace

TEST_CASE("survival: a node that cannot start for no reason of its disk fails the world", "[sim]") {
  world w{1};
  auto settings = settings_of("10.0.0.1");
  settings.begin_new = false; // and its directory is empty
  auto& n = w.add_node(w.add_machine("10.0.0.1"), settings);
  survival check{w, n};
  n.start();
  w.run_until(second);
  // Somebody has to take a step for it to be looked at.
  auto& other = w.add_node(w.add_machine("10.0.0.2"), settings_of("10.0.0.2"));
  other.start();
  w.run_until(2 * second);
  REQUIRE(w.failed());
  CHECK(w.failed()->check == survival::unexpected_end);
}

TEST_CASE("survival: a node may end when its disk fails, and when it is killed or stopped", "[sim]") {
  world w{1};
  auto& n = w.add_node(w.add_machine("10.0.0.1"), settings_of("10.0.0.1"));
  survival check{w, n};
  SECTION("a failed write") {
    n.disk().faults().inject({disk_operation::write, disk_fault::error, 1, 1000, ""});
    n.start();
    REQUIRE(w.run_while_not([&] { return n.own_ends() == 1; }, 5 * second));
    n.disk().faults().clear();
  }
  SECTION("too little room") {
    n.disk().set_capacity(10);
    n.start();
    REQUIRE(w.run_while_not([&] { return n.own_ends() == 1; }, 5 * second));
    n.disk().set_capacity(sim_disk_options{}.capacity_bytes);
  }
  SECTION("a kill") {
    n.start();
    n.kill(false);
  }
  n.start();
  CHECK(w.run_while_not([&] { return n.ready(); }, 10 * second));
  n.stop();
  CHECK(w.run_while_not([&] { return n.life() == nullptr; }, 20 * second));
  CHECK_FALSE(w.failed());
}
