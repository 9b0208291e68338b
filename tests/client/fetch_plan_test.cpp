#include "client/core/fetch_plan.hpp"
#include "schema/seams/random.hpp"

#include <catch2/catch.hpp>

namespace pessoa::client::test {

using namespace std::chrono_literals;

namespace {

const topic_partition t0{"t", 0};

std::vector<std::pair<topic_partition, topic_id>> partitions(int count) {
  std::vector<std::pair<topic_partition, topic_id>> all;
  for (int i = 0; i < count; ++i)
    all.emplace_back(topic_partition{"t", i}, topic_id{});
  return all;
}

} // namespace

TEST_CASE("fetch plan: what is fetched ahead stays within its bound, and every partition has its turn",
          "[client][consumer]") {
  fetch_settings s;
  s.bytes_max = 64u << 10;
  s.ahead_bytes_max = 1u << 20;
  s.reset = offset_reset::start;
  fetch_plan plan{s};
  seeded_random random{1};
  auto all = partitions(40);
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
  auto all = partitions(20);
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

TEST_CASE("fetch plan: its counts agree whatever is asked, sought, paused, taken, lost and left",
          "[client][consumer]") {
  auto seed = GENERATE(range(1, 41));
  INFO("seed " << seed);
  fetch_settings s;
  s.bytes_max = 100;
  s.ahead_bytes_max = 500;
  s.reset = GENERATE(offset_reset::start, offset_reset::none);
  fetch_plan plan{s};
  seeded_random random{static_cast<uint64_t>(seed)};
  instant now{1s};
  std::vector<fetch_plan::question> open;
  std::optional<chunk> taken;
  plan.assign(partitions(3));
  auto answer_one = [&] {
    if (open.empty()) return;
    auto at = open.begin() + static_cast<ptrdiff_t>(random.below(open.size()));
    auto q = *at;
    open.erase(at);
    auto how = random.below(8);
    if (how == 0) return static_cast<void>(plan.not_asked(q.id, {ec::overloaded, "no"}, now, random));
    if (std::holds_alternative<place_to_find>(q.what))
      return static_cast<void>(plan.place_answered(q.id, std::optional<int64_t>{5}, now, random));
    if (how < 3)
      return static_cast<void>(plan.fetch_answered(
          q.id, error{how == 1 ? ec::offset_out_of_range : ec::timed_out, "no"}, now, random));
    fetched answer; // some are empty, some skip a gap
    if (how > 3) answer.batches = bytes::take(std::vector<uint8_t>(1 + random.below(150)));
    answer.next_offset =
        std::get<fetch_plan::ask_fetch>(q.what).offset + static_cast<int64_t>(random.below(4));
    (void)plan.fetch_answered(q.id, answer, now, random);
  };
  auto hand_out = [&] {
    if (!taken) taken = plan.take();
    if (!taken || random.below(3) == 0) return;
    (void)plan.advance(*taken, taken->next);
    plan.release(*taken);
    taken.reset();
  };
  for (int step = 0; step < 300; ++step) {
    now += std::chrono::milliseconds{random.below(300)};
    auto assigned = plan.assignment();
    auto& any = assigned[random.below(assigned.size())];
    switch (random.below(12)) {
    case 0:
      plan.seek(any, static_cast<int64_t>(random.below(50)));
      break;
    case 1:
      plan.seek(any, at_end{});
      break;
    case 2:
      plan.pause(any, true);
      break;
    case 3:
      plan.pause(any, false);
      break;
    case 4:
      plan.lost(any, {ec::unknown_topic, "gone"});
      break;
    case 5:
      plan.assign(partitions(1 + static_cast<int>(random.below(4))));
      break;
    case 6:
      (void)plan.take_error();
      break;
    case 7:
      hand_out();
      break;
    default:
      for (auto& q : plan.questions(now))
        open.push_back(q);
      answer_one();
    }
    REQUIRE(plan.check_invariants().value_or("") == "");
  }
  if (taken) plan.release(*taken);
  plan.assign({});
  CHECK(plan.buffered_bytes() == 0);
  CHECK(plan.check_invariants().value_or("") == "");
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
