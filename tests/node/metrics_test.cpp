#include "node/metrics.hpp"
#include "node/node_metrics.hpp"
#include "schema/seams/seams_posix.hpp"

#include <catch2/catch.hpp>

#include <thread>

using namespace pessoa;
using namespace pessoa::node;
using namespace std::chrono_literals;

TEST_CASE("metrics: the text is what Prometheus reads", "[node][metrics]") {
  metrics_registry registry;
  auto produce = registry.counter("pessoa_requests_total", "Requests, by api.", {{"api", "produce"}});
  auto fetch = registry.counter("pessoa_requests_total", "Requests, by api.", {{"api", "fetch"}});
  auto space = registry.gauge("pessoa_disk_free_bytes", "Free space.", {}, [] { return 1.5e12; });
  produce->add();
  produce->add(2);
  CHECK(registry.exposition()
        == "# HELP pessoa_disk_free_bytes Free space.\n"
           "# TYPE pessoa_disk_free_bytes gauge\n"
           "pessoa_disk_free_bytes 1.5e+12\n"
           "# HELP pessoa_requests_total Requests, by api.\n"
           "# TYPE pessoa_requests_total counter\n"
           "pessoa_requests_total{api=\"fetch\"} 0\n"
           "pessoa_requests_total{api=\"produce\"} 3\n");
}

TEST_CASE("metrics: what users name is escaped", "[node][metrics]") {
  metrics_registry registry;
  auto odd =
      registry.counter("pessoa_odd_total", "A back\\slash and a line\nend.", {{"topic", "a\"b\\c\nd"}});
  CHECK(registry.exposition()
        == "# HELP pessoa_odd_total A back\\\\slash and a line\\nend.\n"
           "# TYPE pessoa_odd_total counter\n"
           "pessoa_odd_total{topic=\"a\\\"b\\\\c\\nd\"} 0\n");
}

TEST_CASE("metrics: a series goes with its handle", "[node][metrics]") {
  metrics_registry registry;
  auto a = registry.counter("pessoa_x_total", "X.", {{"topic", "a"}});
  auto gauge = registry.gauge("pessoa_g", "G.", {}, [] { return 1; });
  {
    auto b = registry.counter("pessoa_x_total", "X.", {{"topic", "b"}});
    auto same = registry.counter("pessoa_x_total", "X.", {{"topic", "b"}});
    CHECK(same == b);
    CHECK_THAT(registry.exposition(), Catch::Contains("topic=\"b\""));
  }
  CHECK_THAT(registry.exposition(), !Catch::Contains("topic=\"b\""));
  a = nullptr;
  gauge = nullptr;
  CHECK(registry.exposition().empty());
  auto again = registry.gauge("pessoa_g", "G.", {}, [] { return 2; });
  CHECK_THAT(registry.exposition(), Catch::Contains("pessoa_g 2\n"));
  // A handle may be dropped after its registry.
  auto later = std::make_unique<metrics_registry>();
  auto orphan = later->gauge("pessoa_o", "O.", {}, [] { return 1; });
  later.reset();
  orphan.reset();
}

TEST_CASE("metrics: a histogram counts each value in the first bucket that holds it", "[node][metrics]") {
  metric_histogram h{metric_histogram::unit::seconds};
  for (auto d : {duration{0}, duration{1000}, duration{1001}, duration{2000}, duration{2001}, duration{-5}})
    h.observe(d);
  h.observe(100h);
  auto seen = h.now();
  CHECK(seen.count == 7);
  CHECK(seen.sum == Approx(360000.000006002));
  REQUIRE(seen.cumulative.size() == 27);
  CHECK(seen.cumulative[0] == std::pair<double, uint64_t>{1e-6, 3});
  CHECK(seen.cumulative[1] == std::pair<double, uint64_t>{2e-6, 5});
  CHECK(seen.cumulative[2] == std::pair<double, uint64_t>{4e-6, 6});
  CHECK(seen.cumulative[26].second == 6); // 100 hours are above the last bound
  // Every bound is in its own bucket, and one more is in the next.
  for (size_t i = 0; i < 26; ++i) {
    metric_histogram one{metric_histogram::unit::seconds};
    auto bound = duration{1000ll << i};
    one.observe(bound);
    one.observe(bound + duration{1});
    auto s = one.now();
    CHECK(s.cumulative[i].second == 1);
    CHECK(s.cumulative[i + 1].second == 2);
  }
}

TEST_CASE("metrics: a histogram's text adds up", "[node][metrics]") {
  metrics_registry registry;
  auto sizes =
      registry.histogram("pessoa_sync_bytes", "Bytes.", metric_histogram::unit::bytes, {{"disk", "0"}});
  for (uint64_t v : {0ull, 64ull, 65ull, 4096ull, 1ull << 40})
    sizes->observe_bytes(v);
  auto text = registry.exposition();
  CHECK_THAT(text, Catch::Contains("# TYPE pessoa_sync_bytes histogram\n"
                                   "pessoa_sync_bytes_bucket{disk=\"0\",le=\"64\"} 2\n"
                                   "pessoa_sync_bytes_bucket{disk=\"0\",le=\"128\"} 3\n"));
  CHECK_THAT(text, Catch::Contains("le=\"4096\"} 4\n"));
  CHECK_THAT(text, Catch::EndsWith("pessoa_sync_bytes_bucket{disk=\"0\",le=\"+Inf\"} 5\n"
                                   "pessoa_sync_bytes_sum{disk=\"0\"} 1099511632001\n"
                                   "pessoa_sync_bytes_count{disk=\"0\"} 5\n"));
}

TEST_CASE("metrics: counting, reading and dropping go on side by side", "[node][metrics]") {
  metrics_registry registry;
  constexpr int threads = 3, each = 20'000;
  auto total = registry.counter("pessoa_t_total", "T.");
  std::atomic<bool> stop{false};
  std::vector<std::thread> work;
  for (int t = 0; t < threads; ++t)
    work.emplace_back([&] {
      for (int i = 0; i < each; ++i)
        total->add();
    });
  work.emplace_back([&] {
    // The callback reads what goes right after its handle.
    for (int i = 0; i < 500; ++i) {
      auto value = std::make_unique<double>(i);
      auto handle = registry.gauge("pessoa_short_lived", "S.", {}, [v = value.get()] { return *v; });
      handle.reset();
      *value = -1;
    }
  });
  work.emplace_back([&] {
    while (!stop)
      CHECK_THAT(registry.exposition(), !Catch::Contains("pessoa_short_lived -1"));
  });
  for (int t = 0; t <= threads; ++t)
    work[t].join();
  stop = true;
  work.back().join();
  CHECK(total->value() == threads * each);
}

TEST_CASE("metrics: the process and its budgets are seen", "[node][metrics]") {
  metrics_registry registry;
  auto time = make_system_clock();
  auto budget = byte_budget::make(1000);
  auto taken = budget->take(300);
  auto process = process_metrics(registry, *time, "0.1.0");
  auto budgets = budget_metrics(registry, "node", budget);
  auto text = registry.exposition();
  CHECK_THAT(text, Catch::Contains("pessoa_build_info{version=\"0.1.0\"} 1\n"));
  CHECK_THAT(text, Catch::Contains("pessoa_queue_bytes{queue=\"node\"} 300\n"));
  CHECK_THAT(text, Catch::Contains("pessoa_queue_bytes_limit{queue=\"node\"} 1000\n"));
  CHECK_THAT(text, Catch::Contains("pessoa_cpu_seconds_total "));
  CHECK(resident_bytes() > (1 << 20));
}
