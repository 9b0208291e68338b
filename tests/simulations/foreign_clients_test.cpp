// Clients that are not ours, in whole runs: those that speak Kafka's protocol, and those that mean no good.
#include "simulations/run/run.hpp"
#include "simulations/workload/hostile.hpp"
#include "simulations/world/program.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace pessoa;
using namespace pessoa::sim;

namespace {

scenario nobody_in(int64_t seconds) {
  scenario out;
  out.name = "test";
  out.seconds = seconds;
  out.writers = out.plain_writers = out.readers = 0;
  return out;
}

} // namespace

TEST_CASE("foreign clients: those of Kafka's protocol write, and read what they wrote", "[sim]") {
  auto what = nobody_in(24);
  what.kafka_writers = 3;
  what.kafka_readers = 1;
  what.faults = {{"reset", 100}, {"kill", 100}};
  auto out = run_seed(what, 3);
  INFO(out.why);
  CHECK(out.verdict == verdict::ok);
  CHECK(out.acknowledged >= acknowledged_min);
  CHECK(out.read >= 2 * out.acknowledged); // the last reader, and the one of Kafka's protocol
  CHECK(run_seed(what, 3).trace == out.trace);
}

TEST_CASE("foreign clients: a node serves others beside hostile ones", "[sim]") {
  auto what = nobody_in(16);
  what.writers = 1;
  what.hostile = 2;
  what.faults = {{"reset", 100}};
  auto out = run_seed(what, 1);
  INFO(out.why);
  CHECK(out.verdict == verdict::ok);
  CHECK(out.acknowledged >= acknowledged_min);
  CHECK(run_seed(what, 1).trace == out.trace);
  what.hostile = 0;
  CHECK(run_seed(what, 1).trace != out.trace);
}

TEST_CASE("hostile clients: all their tricks are played on a node, which turns them away", "[sim]") {
  world w{1};
  node::node_settings settings;
  settings.data = "data";
  settings.begin_new = true;
  settings.host = "10.0.0.1";
  settings.listen = {"10.0.0.1", 18880};
  settings.http_listen = node::endpoint{"10.0.0.1", 18882};
  settings.kafka_listen = node::endpoint{"10.0.0.1", 9092};
  settings.network_threads = 2;
  settings.workers = 1;
  settings.disk_reserve_bytes = 1 << 20;
  auto& n = w.add_node(w.add_machine("10.0.0.1"), settings);
  n.start();
  REQUIRE(w.run_while_not([&] { return n.ready(); }, 5 * second));
  program in{w, w.add_machine("10.0.0.2"), "hostile"};
  hostile_options options;
  options.topics = {"t1"};
  hostile client{in, options, 1};
  in.loop().enter([&] { client.start(); });
  w.run_until(60 * second);
  CHECK_FALSE(w.failed());
  CHECK(n.lives() == 1);
  REQUIRE(n.ready());
  CHECK(client.visits().size() == 8);
  auto& log = n.life()->log();
  for (auto* listener : {"rpc: ", "kafka: ", "http: "})
    CHECK(std::any_of(log.begin(), log.end(), [&](auto& line) {
      return line.find(listener) != std::string::npos && line.find("turned away") != std::string::npos;
    }));
}

TEST_CASE("net: a read of more than the window is filled as the bytes arrive", "[sim]") {
  world w{1};
  program listens{w, w.add_machine("10.0.0.1"), "listener"}, dials{w, w.add_machine("10.0.0.2"), "dialler"};
  auto size = static_cast<size_t>(w.net().options().window_bytes) * 3;
  std::vector<uint8_t> sent(size), got(size);
  for (size_t i = 0; i < size; ++i)
    sent[i] = static_cast<uint8_t>(i * 7 + i / 256);
  size_t had = 0;
  std::string local;
  std::shared_ptr<listening_socket> socket;
  kj::Own<acceptor> accepts;
  kj::Own<kj::AsyncIoStream> in, out;
  listens.loop().enter([&] {
    socket = *listens.net().listen("10.0.0.1", 7);
    accepts = listens.io().accept_from(socket);
    listens.run(accepts->accept().then([&](acceptor::connection arrived) {
      local = arrived.local;
      in = kj::mv(arrived.stream);
      return in->tryRead(got.data(), size, size).then([&](size_t count) { had = count; });
    }));
  });
  dials.loop().enter([&] {
    dials.run(dials.io().connect("10.0.0.1", 7, duration{second}).then([&](kj::Own<kj::AsyncIoStream> made) {
      out = kj::mv(made);
      return out->write(sent.data(), size);
    }));
  });
  CHECK(w.run_while_not([&] { return had > 0; }, 10 * second));
  CHECK(had == size);
  CHECK(got == sent);
  CHECK(local == "10.0.0.1:7");
  dials.loop().enter([&] {
    dials.drop_tasks();
    out = nullptr;
  });
  listens.loop().enter([&] {
    listens.drop_tasks();
    in = nullptr;
    accepts = nullptr;
    socket = nullptr;
  });
}

TEST_CASE("hostile clients: every port has its requests, and damage changes them", "[sim]") {
  seeded_random random{1};
  size_t kinds = 0, shorter = 0;
  for (int i = 0; i < 200; ++i) {
    for (auto port : {hostile_port::rpc, hostile_port::kafka, hostile_port::http}) {
      CHECK(other_port(random, port) != port);
      auto request = valid_request(random, port, {"t1", "t2"});
      REQUIRE(request.size() >= 8);
      auto spoilt = damaged(random, request);
      kinds += spoilt != request;
      shorter += spoilt.size() < request.size();
      CHECK(lying(random, port).size() > 4);
    }
  }
  CHECK(kinds > 590); // an even number of flips may undo itself
  CHECK(shorter > 100);
}
