// Not part of the suite: test_client "[bench]" prints what a gigabyte costs the client, per thread.
#include "client/cluster_state.hpp"
#include "pessoa/client.hpp"
#include "tests/client/fake_node.hpp"

#include <catch2/catch.hpp>

#include <ctime>
#include <iostream>

namespace pessoa::client::test {

namespace {

double cpu_seconds(clockid_t of) {
  timespec t{};
  clock_gettime(of, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

} // namespace

TEST_CASE("client: what a gigabyte of 1 KiB records costs", "[.][bench]") {
  auto codec = GENERATE("none", "lz4");
  fake_cluster fake;
  fake.add_topic("t", 1);
  fake.on_loop([](fake_world& w) { w.discard = true; });
  settings s;
  s.set("bootstrap.servers", fake.bootstrap()).value();
  s.set("compression.type", codec).value();
  auto on = cluster::connect(s).value();
  auto p = producer::create(on).value();
  std::string value(1'024, 'x');
  for (size_t i = 0; i < value.size(); ++i)
    value[i] = static_cast<char>('a' + (i * i) % 23);
  uint64_t stored = 0;
  record_ref r;
  r.value = value;
  p.send("t", r).get().value();
  constexpr int count = 1 << 20;
  auto loop_cpu = [&] {
    return on.internals()
        ->wait<double>([](engine&) {
          return kj::evalLater([]() -> result<double> { return cpu_seconds(CLOCK_THREAD_CPUTIME_ID); });
        })
        .value();
  };
  auto loop_before = loop_cpu();
  auto caller_before = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
  auto wall_before = cpu_seconds(CLOCK_MONOTONIC);
  for (int i = 0; i < count; ++i)
    p.send("t", r, [&stored](const result<delivery>& d) { stored += d.ok() ? 1 : 0; }).value();
  p.flush(std::chrono::minutes{1}).value();
  auto wall = cpu_seconds(CLOCK_MONOTONIC) - wall_before;
  auto caller = cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - caller_before;
  auto loop = loop_cpu() - loop_before;
  auto stats = p.stats();
  std::cout << "codec " << codec << ": 1 GiB in " << wall << " s, caller " << caller << " s, loop " << loop
            << " s of CPU: " << 1073.7 / (caller + loop) << " MB per CPU second, " << stats.batches_sent
            << " batches of " << stats.bytes_sent / stats.batches_sent << " bytes\n";
  CHECK(stored == count);
}

} // namespace pessoa::client::test
