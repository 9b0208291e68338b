#include "client/cluster_state.hpp"
#include "client/core/chunk_reader.hpp"
#include "pessoa/client.hpp"
#include "tests/client/fake_node.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

namespace pessoa::client::test {

using namespace std::chrono_literals;

namespace {

struct filled {
  explicit filled(int partitions = 1, int records = 100) {
    fake.add_topic("t", partitions);
    settings s;
    s.set("bootstrap.servers", fake.bootstrap()).value();
    s.set("retry.backoff.ms", "5").value();
    s.set("fetch.max.wait.ms", "20").value();
    s.set("max.request.size", "1024").value(); // several batches
    s.set("default.api.timeout.ms", "20000").value();
    on.emplace(cluster::connect(s).value());
    p.emplace(producer::create(*on).value());
    for (int i = 0; i < records; ++i)
      p->send("t", {.value = std::to_string(i), .timestamp_ms = 1'000 + i, .partition = i % partitions}, {})
          .value();
    p->flush(20s).value();
  }
  consumer make(const std::map<std::string, std::string>& more = {}) {
    settings s;
    s.set_all(more).value();
    return consumer::create(*on, s).value();
  }
  // The next record, whatever it takes.
  static record next(consumer& c) {
    for (int i = 0; i < 1'000; ++i) {
      auto got = c.poll(100ms);
      if (!got.ok()) FAIL(explain(got.error()));
      if (!got->empty()) return (*got)[0].to_record();
    }
    FAIL("nothing came");
    return {};
  }
  fake_cluster fake;
  std::optional<cluster> on;
  std::optional<producer> p;
};

const topic_partition t0{"t", 0};

} // namespace

TEST_CASE("consumer: seeks by offset, start, end and time", "[client][consumer]") {
  filled f;
  auto c = f.make({{"max.poll.records", "1"}});
  c.assign({t0}).value();
  CHECK(c.position(t0).value() == 100); // auto.offset.reset is latest
  c.seek_to_start(t0).value();
  CHECK(filled::next(c).value == "0");
  CHECK(c.position(t0).value() == 1);
  c.seek(t0, 42).value();
  CHECK(c.position(t0).value() == 42);
  CHECK(filled::next(c).value == "42");
  CHECK(filled::next(c).value == "43");
  c.seek_to_time(t0, 1'077).value();
  CHECK(filled::next(c).value == "77");
  c.seek_to_time(t0, 99'999).value();
  CHECK(c.position(t0).value() == 100);
  c.seek_to_end(t0).value();
  CHECK(c.position(t0).value() == 100); // found now, before there is more
  CHECK(c.poll(0ms)->empty());
  f.p->send("t", {.value = "new"}).get().value();
  CHECK(filled::next(c).value == "new");
  CHECK(c.seek({"t", 7}, 0).error().code == ec::invalid_argument);
  CHECK(c.seek(t0, -1).error().code == ec::invalid_argument);
  CHECK(c.offsets(t0)->start == 0);
  CHECK(c.offsets(t0)->end == 101);
  CHECK(c.offset_at_time(t0, 1'010).value() == 10);
  CHECK_FALSE(c.offset_at_time(t0, INT64_MAX).value().has_value());
  CHECK(c.offsets({"nobody", 0}).error().code == ec::unknown_topic);
  CHECK(c.offsets({"t", 9}).error().code == ec::unknown_partition);
}

TEST_CASE("consumer: assignment can be replaced, and kept partitions go on", "[client][consumer]") {
  filled f{3};
  auto c = f.make({{"auto.offset.reset", "earliest"}, {"max.poll.records", "5"}});
  CHECK(c.assign({{"t", 3}}).error().code == ec::unknown_partition);
  CHECK(c.assign({{"nobody", 0}}).error().code == ec::unknown_topic);
  CHECK(c.assignment().empty());
  c.assign({t0}).value();
  CHECK(filled::next(c).value == "0");
  auto before = c.position(t0).value();
  c.assign({t0, {"t", 1}}).value();
  CHECK(c.position(t0).value() == before);
  CHECK(c.position({"t", 1}).value() == 0);
  c.assign({{"t", 2}}).value();
  CHECK(c.position(t0).error().code == ec::invalid_argument);
  CHECK(filled::next(c).value == "2");
}

TEST_CASE("consumer: a paused partition is left out and goes on where it was", "[client][consumer]") {
  filled f{2};
  auto c = f.make({{"auto.offset.reset", "earliest"}, {"max.poll.records", "3"}});
  c.assign("t").value();
  CHECK(filled::next(c).value.has_value());
  c.pause({t0}).value();
  auto stays = c.position(t0).value();
  int others = 0;
  while (c.position({"t", 1}).value() < 50) {
    auto got = c.poll(1s).value();
    for (auto& r : got) {
      CHECK(r.partition == 1);
      ++others;
    }
  }
  CHECK(others > 0);
  CHECK(c.position(t0).value() == stays);
  c.resume({t0}).value();
  CHECK(filled::next(c).value == std::to_string(stays * 2));
}

TEST_CASE("consumer: out of range resets as told, or is an error", "[client][consumer]") {
  filled f;
  auto reset = GENERATE("earliest", "latest", "none");
  auto c = f.make({{"auto.offset.reset", reset}});
  c.assign({t0}).value();
  if (std::string{reset} == "none") CHECK(c.poll(1s).error().code == ec::offset_out_of_range);
  CHECK(admin{*f.on}.delete_records(t0, 60).value() == 60);
  c.seek(t0, 10).value();
  if (std::string{reset} == "none") {
    auto got = c.poll(20s);
    REQUIRE_FALSE(got.ok());
    CHECK(got.error().code == ec::offset_out_of_range);
    c.seek(t0, 70).value();
    CHECK(filled::next(c).value == "70");
  } else if (std::string{reset} == "earliest") {
    CHECK(filled::next(c).value == "60");
  } else {
    for (int i = 0; i < 1'000 && c.position(t0).value() != 100; ++i)
      CHECK(c.poll(10ms)->empty());
    CHECK(c.position(t0).value() == 100);
  }
}

TEST_CASE("consumer: a loop to the end reads exactly what was there", "[client][consumer]") {
  filled f{4, 1'000};
  auto c = f.make({{"auto.offset.reset", "earliest"}, {"max.poll.records", "7"}});
  c.assign("t").value();
  int count = 0;
  std::map<int32_t, int64_t> next;
  for (auto& r : c.until_end()) {
    CHECK(r.offset == next[r.partition]);
    next[r.partition] = r.offset + 1;
    ++count;
  }
  CHECK_FALSE(c.error().has_value());
  CHECK(count == 1'000);
  for (auto& r : c.until_end())
    FAIL(r.offset);
}

TEST_CASE("consumer: stop ends a loop that follows, also from another thread", "[client][consumer]") {
  filled f{1, 10};
  auto c = f.make({{"auto.offset.reset", "earliest"}});
  c.assign({t0}).value();
  int count = 0;
  for (auto& r : c.follow()) {
    (void)r;
    if (++count == 10) break;
  }
  std::thread other{[&] { c.stop(); }};
  other.join();
  c.stop();
  std::thread later{[&] {
    for (int i = 0; i < 3; ++i) {
      f.p->send("t", {.value = "x"}).get().value();
    }
    c.stop();
  }};
  for (auto& r : c.follow())
    CHECK(r.value == "x");
  later.join();
  CHECK_FALSE(c.error().has_value());
}

TEST_CASE("consumer: a batch that is damaged is an error that names its place, and those before it are given",
          "[client][consumer]") {
  filled f;
  f.fake.on_loop([](fake_world& w) {
    auto& batches = w.topics["t"].partitions[0].batches;
    batches.back().back() ^= 1;
  });
  auto c = f.make({{"auto.offset.reset", "earliest"}});
  c.assign({t0}).value();
  int good = 0;
  std::optional<client::error> failure;
  for (int i = 0; i < 1'000 && !failure; ++i) {
    auto got = c.poll(1s);
    if (got.ok())
      good += static_cast<int>(got->size());
    else
      failure = got.error();
  }
  REQUIRE(failure.has_value());
  CHECK(failure->code == ec::corrupt_message);
  CHECK(good > 0);
  CHECK(good < 100);
  CHECK(failure->message.find("t-0 at offset " + std::to_string(good)) != std::string::npos);
  CHECK(c.position(t0).value() == good);
  c.seek(t0, 5).value();
  CHECK(filled::next(c).value == "5");
}

TEST_CASE("consumer: a topic that is deleted ends with an error, passing troubles do not",
          "[client][consumer]") {
  filled f;
  auto c = f.make({{"auto.offset.reset", "earliest"}});
  std::atomic<int> errors = 0;
  f.fake.on_loop([&](fake_world& w) {
    w.fetch_error = [&errors]() -> std::optional<pessoa::error> {
      if (++errors > 3) return std::nullopt;
      return pessoa::error{ec::overloaded, "a little later"};
    };
  });
  c.assign({t0}).value();
  CHECK(filled::next(c).value == "0");
  CHECK(errors > 3);
  CHECK(admin{*f.on}.delete_topic("t").ok());
  std::optional<client::error> failure;
  for (int i = 0; i < 1'000 && !failure; ++i)
    if (auto got = c.poll(100ms); !got.ok()) failure = got.error();
  REQUIRE(failure.has_value());
  CHECK(failure->code == ec::unknown_topic);
  c.close();
  CHECK(c.poll(1s).error().code == ec::shutting_down);
}

} // namespace pessoa::client::test
