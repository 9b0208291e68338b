#include "client/cluster_state.hpp"
#include "pessoa/client.hpp"
#include "tests/client/fake_node.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <set>

namespace pessoa::client::test {

using namespace std::chrono_literals;

namespace {

settings quick(const std::string& bootstrap, const std::map<std::string, std::string>& more = {}) {
  settings s;
  s.set("bootstrap.servers", bootstrap).value();
  s.set("retry.backoff.ms", "5").value();
  s.set("retry.backoff.max.ms", "50").value();
  s.set("default.api.timeout.ms", "20000").value();
  s.set_all(more).value();
  return s;
}

cluster connected(fake_cluster& fake, const std::map<std::string, std::string>& more = {}) {
  auto got = cluster::connect(quick(fake.bootstrap(), more));
  if (!got.ok()) FAIL(explain(got.error()));
  return *got;
}

consumer reading(const cluster& on, const std::string& topic) {
  auto c = consumer::create(on).value();
  c.assign(topic).value();
  c.seek_to_start().value();
  return c;
}

std::multiset<std::string> all_values(consumer& c) {
  std::multiset<std::string> values;
  for (auto& r : c.until_end())
    values.insert(std::string{r.value.value_or("(null)")});
  if (c.error()) FAIL(explain(*c.error()));
  return values;
}

} // namespace

TEST_CASE("client: a record goes out and comes back whole", "[client][rpc]") {
  fake_cluster fake;
  fake.add_topic("t", 1);
  auto on = connected(fake);
  auto p = producer::create(on).value();
  record full;
  full.key = "";
  full.value = std::string("a\0b\r", 4);
  full.headers = {{"h", "1"}, {"none", std::nullopt}};
  full.timestamp_ms = 123'456;
  auto first = p.send("t", full).get();
  if (!first.ok()) FAIL(explain(first.error()));
  CHECK(*first == delivery{0, 0, 123'456});
  auto second = p.send("t", {.value = std::nullopt}).get();
  REQUIRE(second.ok());
  CHECK(second->offset == 1);

  auto c = reading(on, "t");
  auto got = c.poll(10s);
  REQUIRE(got.ok());
  std::vector<record> read;
  while (read.size() < 2) {
    for (auto& r : *got)
      read.push_back(r.to_record());
    if (read.size() < 2) got = c.poll(10s);
    REQUIRE(got.ok());
  }
  full.partition = 0;
  CHECK(read[0] == full);
  CHECK_FALSE(read[1].key.has_value());
  CHECK_FALSE(read[1].value.has_value());
  CHECK(c.position({"t", 0}).value() == 2);
  CHECK(on.id() == uuid_text(fake.ask<std::array<uint8_t, 16>>([](fake_world& w) { return w.cluster_id; })));
  CHECK(on.node() == 1);
  CHECK(on.address() == fake.address(1));
}

TEST_CASE("client: thousands of records over many partitions, with every codec", "[client][rpc]") {
  auto codec = GENERATE("none", "gzip", "snappy", "lz4", "zstd");
  CAPTURE(codec);
  fake_cluster fake{2};
  fake.add_topic("t", 4);
  auto on = connected(fake, {{"compression.type", codec}, {"batch.size", "5000"}});
  auto p = producer::create(on).value();
  std::multiset<std::string> sent;
  std::atomic<int> stored{0};
  for (int i = 0; i < 5'000; ++i) {
    auto value = "value " + std::to_string(i) + std::string(static_cast<size_t>(i % 200), 'x');
    sent.insert(value);
    record_ref r;
    auto key = std::to_string(i);
    if (i % 2 == 0) r.key = key;
    r.value = value;
    p.send("t", r, [&](const result<delivery>& d) { stored += d.ok() ? 1 : 0; }).value();
  }
  p.flush(30s).value();
  CHECK(stored == 5'000);
  CHECK(p.stats().records_stored == 5'000);
  CHECK(p.stats().buffered_bytes == 0);
  auto c = reading(on, "t");
  CHECK(all_values(c) == sent);
  // Every partition took part, and keys lie where they belong.
  fake.on_loop([&](fake_world& w) {
    for (auto& partition : w.topics["t"].partitions)
      CHECK(partition.end > 500);
  });
}

TEST_CASE("client: connections that break lose nothing and double nothing", "[client][rpc]") {
  fake_cluster fake{2};
  fake.add_topic("t", 2);
  int count = 0;
  fake.on_loop([&](fake_world& w) {
    w.fault = [&count](const std::string&, int32_t) {
      ++count;
      if (count % 7 == 3) return produce_fault::cut_before;
      if (count % 7 == 6) return produce_fault::cut_after;
      return produce_fault::none;
    };
  });
  auto on = connected(fake, {{"batch.size", "1000"}, {"max.request.size", "2000"}});
  auto p = producer::create(on).value();
  std::multiset<std::string> sent;
  std::atomic<int> failed{0};
  for (int i = 0; i < 3'000; ++i) {
    sent.insert("v" + std::to_string(i));
    p.send("t", {.value = "v" + std::to_string(i)}, [&](const result<delivery>& d) {
       if (!d.ok()) ++failed;
     }).value();
  }
  p.flush(60s).value();
  CHECK(failed == 0);
  CHECK(p.stats().batches_repeated > 0);
  fake.on_loop([](fake_world& w) { w.fault = nullptr; });
  auto c = reading(on, "t");
  CHECK(all_values(c) == sent);
}

TEST_CASE("client: a node that restarts is found again by producer and consumer", "[client][rpc]") {
  fake_cluster fake;
  fake.add_topic("t", 1);
  auto on = connected(fake);
  auto p = producer::create(on).value();
  auto c = reading(on, "t");
  for (int round = 0; round < 3; ++round) {
    auto future = p.send("t", {.value = "r" + std::to_string(round)});
    auto stored = future.get();
    if (!stored.ok()) FAIL(explain(stored.error()));
    auto got = c.poll(20s);
    REQUIRE(got.ok());
    REQUIRE(got->size() == 1);
    CHECK((*got)[0].value == "r" + std::to_string(round));
    fake.stop(1);
    auto pending = p.send("t", {.value = "while down " + std::to_string(round)});
    CHECK(pending.wait_for(30ms) == std::future_status::timeout);
    fake.start(1);
    REQUIRE(pending.get().ok());
    got = c.poll(20s);
    REQUIRE(got.ok());
    REQUIRE(got->size() == 1);
    CHECK((*got)[0].value == "while down " + std::to_string(round));
  }
}

TEST_CASE("client: a leader that moves is followed", "[client][rpc]") {
  fake_cluster fake{2};
  fake.add_topic("t", 1);
  auto on = connected(fake);
  auto p = producer::create(on).value();
  auto c = reading(on, "t");
  for (int i = 0; i < 6; ++i) {
    auto stored = p.send("t", {.value = std::to_string(i)}).get();
    if (!stored.ok()) FAIL(explain(stored.error()));
    CHECK(stored->offset == i);
    fake.on_loop([](fake_world& w) {
      auto& partition = w.topics["t"].partitions[0];
      partition.leader = 3 - partition.leader;
      ++partition.epoch;
      ++w.index;
      for (auto& waiting : partition.waiting)
        waiting->fulfill();
      partition.waiting.clear();
    });
  }
  int read = 0;
  while (read < 6) {
    auto got = c.poll(20s);
    REQUIRE(got.ok());
    REQUIRE_FALSE(got->empty());
    for (auto& r : *got)
      CHECK(r.value == std::to_string(read++));
  }
}

TEST_CASE("client: retriable errors are repeated until the delivery timeout, which names them",
          "[client][rpc]") {
  fake_cluster fake;
  fake.add_topic("t", 1);
  fake.on_loop([](fake_world& w) {
    w.produce_error = [] { return pessoa::error{ec::disk_full, "only 3 bytes are free"}; };
  });
  auto on = connected(fake, {{"delivery.timeout.ms", "300"}});
  auto p = producer::create(on).value();
  auto stored = p.send("t", {.value = "x"}).get();
  REQUIRE_FALSE(stored.ok());
  CHECK(stored.error().code == ec::timed_out);
  CHECK(stored.error().attempts > 1);
  REQUIRE_FALSE(stored.error().last_causes.empty());
  CHECK(stored.error().last_causes.front() == "disk_full: only 3 bytes are free");
  // In doubt only if the last attempt was still under way when the time was over.
  CHECK(stored.error().in_doubt() == (stored.error().last_causes.size() == 2));
  fake.on_loop([](fake_world& w) { w.produce_error = nullptr; });
  CHECK(p.send("t", {.value = "y"}).get().ok());
}

TEST_CASE("client: no answer at all ends the connection, and the batch is stored once", "[client][rpc]") {
  fake_cluster fake;
  fake.add_topic("t", 1);
  int count = 0;
  fake.on_loop([&](fake_world& w) {
    w.fault = [&count](const std::string&, int32_t) {
      return ++count == 1 ? produce_fault::no_answer : produce_fault::none;
    };
  });
  auto on = connected(fake, {{"request.timeout.ms", "100"}});
  auto p = producer::create(on).value();
  auto stored = p.send("t", {.value = "x"}).get();
  REQUIRE(stored.ok());
  CHECK(stored->offset == 0);
  CHECK(fake.ask<int64_t>([](fake_world& w) { return w.topics["t"].partitions[0].end; }) == 1);
}

TEST_CASE("client: back-pressure blocks send and tells try_send", "[client][rpc]") {
  fake_cluster fake;
  fake.add_topic("t", 1);
  fake.on_loop([](fake_world& w) {
    w.produce_error = [] { return pessoa::error{ec::overloaded, "later"}; };
  });
  auto on = connected(fake, {{"buffer.memory", "20000"}, {"max.block.ms", "200"}});
  auto p = producer::create(on).value();
  std::string kilobyte(1'000, 'x');
  int accepted = 0;
  result<void> refused;
  do {
    refused = p.send("t", {.value = kilobyte}, [](const result<delivery>&) {});
    accepted += refused.ok() ? 1 : 0;
  } while (refused.ok() && accepted < 100);
  CHECK(accepted > 10);
  CHECK(accepted < 20);
  CHECK(refused.error().code == ec::overloaded);
  CHECK(refused.error().message.find("max.block.ms") != std::string::npos);
  CHECK(p.try_send("t", {.value = kilobyte}).error().code == ec::overloaded);
  CHECK(p.try_send("t", {.value = std::string(2'000'000, 'x')}).error().code == ec::message_too_large);
  fake.on_loop([](fake_world& w) { w.produce_error = nullptr; });
  p.flush(20s).value();
  CHECK(p.stats().buffered_bytes == 0);
}

TEST_CASE("client: what cannot be sent says why", "[client][rpc]") {
  fake_cluster fake;
  fake.add_topic("t", 2, {{"max.message.bytes", "5000"}});
  auto on = connected(fake);
  auto p = producer::create(on).value();
  CHECK(p.send("nobody", {.value = "x"}).get().error().code == ec::unknown_topic);
  CHECK(p.send("not a name", {.value = "x"}).get().error().code == ec::invalid_topic_name);
  CHECK(p.send("t", {.value = "x", .partition = 2}).get().error().code == ec::unknown_partition);
  CHECK(p.send("t", {.value = std::string(6'000, 'x')}).get().error().code == ec::message_too_large);
  CHECK(p.send("t", {.value = "x", .timestamp_ms = -5}).get().error().code == ec::invalid_timestamp);
  CHECK(p.send("t", {.value = "x", .partition = 1}).get()->partition == 1);
  fake.add_topic("nobody", 1); // it may be created later
  CHECK(p.send("nobody", {.value = "x"}).get().ok());
}

TEST_CASE("client: close answers every record", "[client][rpc]") {
  fake_cluster fake;
  fake.add_topic("t", 1);
  fake.on_loop(
      [](fake_world& w) { w.fault = [](const std::string&, int32_t) { return produce_fault::no_answer; }; });
  auto on = connected(fake, {{"batch.size", "1"}, {"max.request.size", "1024"}});
  std::vector<std::future<result<delivery>>> futures;
  auto how = GENERATE(0, 1, 2);
  {
    auto p = producer::create(on).value();
    for (int i = 0; i < 20; ++i)
      futures.push_back(p.send("t", {.value = std::string(500, 'x')}));
    if (how == 0) p.close(10ms);
    if (how == 1) on.close();
  } // or the last handle goes
  int doubt = 0;
  for (auto& f : futures) {
    REQUIRE(f.wait_for(20s) == std::future_status::ready);
    auto outcome = f.get();
    REQUIRE_FALSE(outcome.ok());
    if (outcome.error().in_doubt())
      ++doubt;
    else
      CHECK(outcome.error().code == ec::shutting_down);
  }
  CHECK(doubt < 20);
}

} // namespace pessoa::client::test
