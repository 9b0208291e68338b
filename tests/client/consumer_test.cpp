#include "client/cluster_state.hpp"
#include "client/core/chunk_reader.hpp"
#include "client/core/fetch_plan.hpp"
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

TEST_CASE("fetch plan: what is fetched ahead stays within its bound, and every partition has its turn",
          "[client][consumer]") {
  fetch_settings s;
  s.bytes_max = 64u << 10;
  s.ahead_bytes_max = 1u << 20;
  s.reset = offset_reset::start;
  fetch_plan plan{s};
  seeded_random random{1};
  std::vector<std::pair<topic_partition, topic_id>> all;
  for (int i = 0; i < 40; ++i)
    all.emplace_back(topic_partition{"t", i}, topic_id{});
  plan.assign(all);
  instant now{1s};
  std::map<int, int> fetches;
  size_t peak = 0;
  for (int round = 0; round < 500; ++round) {
    for (auto& q : plan.questions(now)) {
      if (std::holds_alternative<place_to_find>(q.what)) {
        (void)plan.place_answered(q.id, std::optional<int64_t>{0}, now, random);
        continue;
      }
      auto& ask = std::get<fetch_plan::ask_fetch>(q.what);
      ++fetches[q.at.partition];
      fetched answer;
      answer.batches = bytes::take(std::vector<uint8_t>(ask.bytes_max));
      answer.next_offset = ask.offset + 10;
      (void)plan.fetch_answered(q.id, answer, now, random);
    }
    peak = std::max(peak, plan.buffered_bytes());
    if (round % 2 == 1)
      for (int i = 0; i < 5; ++i)
        if (auto taken = plan.take()) {
          CHECK(plan.advance(*taken, taken->next));
          plan.release(*taken);
        }
  }
  CHECK(peak <= s.ahead_bytes_max);
  CHECK(peak > s.ahead_bytes_max / 2);
  REQUIRE(fetches.size() == 40);
  for (auto& entry : fetches)
    CHECK(entry.second > 10);
}

TEST_CASE("fetch plan: an empty answer that came before its time is followed by a pause, up to the wait",
          "[client][consumer]") {
  fetch_settings s;
  s.wait = 500ms;
  s.backoff = {10ms, 10s};
  fetch_plan plan{s};
  seeded_random random{1};
  instant now{1s};
  plan.assign({{t0, topic_id{}}});
  plan.seek(t0, 10);
  fetched none;
  none.next_offset = 10;
  duration last{};
  for (int i = 0; i < 10; ++i) {
    auto asked = plan.questions(now);
    REQUIRE(asked.size() == 1);
    CHECK(std::get<fetch_plan::ask_fetch>(asked[0].what).wait == 500ms);
    (void)plan.fetch_answered(asked[0].id, none, now, random); // at once
    CHECK(plan.questions(now).empty());
    auto again = plan.next_wakeup(now);
    REQUIRE(again.has_value());
    CHECK(*again - now >= last);
    CHECK(*again - now <= 500ms);
    last = *again - now;
    now = *again;
  }
  CHECK(last == 500ms);

  auto asked = plan.questions(now);
  now += 500ms; // the node waited: nothing is added
  (void)plan.fetch_answered(asked.at(0).id, none, now, random);
  asked = plan.questions(now);
  REQUIRE(asked.size() == 1);

  fetched some; // and after records the pauses are short again
  some.batches = bytes::copy(as_bytes("records"));
  some.next_offset = 20;
  (void)plan.fetch_answered(asked[0].id, some, now, random);
  asked = plan.questions(now);
  none.next_offset = 20;
  (void)plan.fetch_answered(asked.at(0).id, none, now, random);
  REQUIRE(plan.next_wakeup(now).has_value());
  CHECK(*plan.next_wakeup(now) - now <= 12ms);
}

TEST_CASE("fetch plan: a position that is out of range again and again is looked for with pauses",
          "[client][consumer]") {
  fetch_settings s;
  s.reset = offset_reset::start;
  s.backoff = {10ms, 10s};
  fetch_plan plan{s};
  seeded_random random{1};
  instant now{1s};
  plan.assign({{t0, topic_id{}}});
  plan.seek(t0, 10);
  for (int i = 0; i < 5; ++i) {
    auto asked = plan.questions(now);
    REQUIRE(asked.size() == 1);
    REQUIRE(std::holds_alternative<fetch_plan::ask_fetch>(asked[0].what));
    (void)plan.fetch_answered(asked[0].id, error{ec::offset_out_of_range, "it is not there"}, now, random);
    if (i > 0) {
      CHECK(plan.questions(now).empty());
      now = plan.next_wakeup(now).value();
    }
    asked = plan.questions(now);
    REQUIRE(asked.size() == 1);
    CHECK(std::holds_alternative<at_start>(std::get<place_to_find>(asked[0].what)));
    (void)plan.place_answered(asked[0].id, std::optional<int64_t>{3}, now, random);
  }
}

TEST_CASE("fetch plan: partitions that share too little to be asked together do not wait for one another",
          "[client][consumer]") {
  fetch_settings s;
  s.bytes_max = 1u << 20;
  s.ahead_bytes_max = 1; // one fetch at a time
  s.backoff = {100ms, 1s};
  fetch_plan plan{s};
  seeded_random random{1};
  instant now{1s};
  std::vector<std::pair<topic_partition, topic_id>> all;
  for (int i = 0; i < 20; ++i)
    all.emplace_back(topic_partition{"t", i}, topic_id{});
  plan.assign(all);
  for (auto& entry : all)
    plan.seek(entry.first, 10);
  std::map<int, int> fetches;
  for (int i = 0; i < 20; ++i) { // all are empty, and all have been looked at in no time
    auto asked = plan.questions(now);
    REQUIRE(asked.size() == 1);
    CHECK(std::get<fetch_plan::ask_fetch>(asked[0].what).wait == 0ms);
    ++fetches[asked[0].at.partition];
    fetched none;
    none.next_offset = 10;
    (void)plan.fetch_answered(asked[0].id, none, now, random);
  }
  CHECK(fetches.size() == 20);
  CHECK(plan.questions(now).empty());
  CHECK(plan.next_wakeup(now).has_value());
}

TEST_CASE("fetch plan: an answer from before a seek is dropped", "[client][consumer]") {
  fetch_plan plan{fetch_settings{}};
  seeded_random random{1};
  instant now{1s};
  plan.assign({{t0, topic_id{}}});
  plan.seek(t0, 10);
  auto asked = plan.questions(now);
  REQUIRE(asked.size() == 1);
  CHECK(plan.questions(now).empty());
  plan.seek(t0, 500);
  fetched answer;
  answer.batches = bytes::copy(as_bytes("old"));
  answer.next_offset = 20;
  CHECK_FALSE(plan.fetch_answered(asked[0].id, answer, now, random).ready);
  CHECK_FALSE(plan.take().has_value());
  auto again = plan.questions(now);
  REQUIRE(again.size() == 1);
  CHECK(std::get<fetch_plan::ask_fetch>(again[0].what).offset == 500);
}

TEST_CASE("fetch plan: gaps at the end of a fetch move the position on", "[client][consumer]") {
  fetch_plan plan{fetch_settings{}};
  seeded_random random{1};
  instant now{1s};
  plan.assign({{t0, topic_id{}}});
  plan.seek(t0, 10);
  fetched gap;
  gap.next_offset = 20;
  (void)plan.fetch_answered(plan.questions(now)[0].id, gap, now, random);
  CHECK(plan.position(t0) == 20);
  fetched backwards;
  backwards.batches = bytes::copy(as_bytes("x"));
  backwards.next_offset = 15;
  (void)plan.fetch_answered(plan.questions(now)[0].id, backwards, now, random);
  CHECK_FALSE(plan.troubles().empty());
  CHECK_FALSE(plan.take().has_value());
}

} // namespace pessoa::client::test
