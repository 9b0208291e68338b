#include "client/core/send_gate.hpp"
#include "tests/client/terrible_node.hpp"

namespace pessoa::client::test {

using namespace std::chrono_literals;

namespace {

// A queue, a node and virtual time between them.
struct bench {
  explicit bench(uint64_t seed, node_faults faults = {}, queue_settings settings = {})
      : node(seed, faults), random(seed * 31 + 7), queue("t-0", with_backoff(settings)) {}

  static queue_settings with_backoff(queue_settings s) {
    if (s.backoff.first == duration{}) s.backoff = {5ms, 50ms};
    return s;
  }

  struct end {
    int count = 0;
    result<delivery> outcome = client::error{ec::internal, "not yet"};
  };

  void append(const std::string& value) {
    pessoa::record_view r;
    r.time = timestamp{1'000};
    r.value = as_bytes(value);
    auto* slot = &ends[value];
    order.push_back(value);
    if (queue.append(
            r, value.size(),
            [slot](const result<delivery>& d) {
              ++slot->count;
              slot->outcome = d;
            },
            now)
        == partition_queue::wake::yes)
      woken = true;
  }

  void carry_out(partition_queue::actions actions) {
    REQUIRE(queue.check_invariants().value_or("") == "");
    for (auto& s : actions.sends) {
      ++sends;
      repeats += s.number > 1 ? 1 : 0;
      node.take(s, now);
    }
    for (auto& e : actions.ends) {
      int64_t index = 0;
      for (auto& r : e.records) {
        if (e.outcome.ok())
          r.done(delivery{0, e.outcome->base_offset + index, r.timestamp_ms});
        else
          r.done(e.outcome.error());
        ++index;
      }
    }
    if (actions.want_identity) {
      queue.set_identity(producer_id{next_producer++}, producer_epoch{0});
      carry_out(queue.advance(now));
    }
  }

  // To the next moment at which something happens. False: nothing ever will.
  bool step() {
    woken = false;
    carry_out(queue.advance(now));
    auto at = node.next();
    if (auto wakeup = queue.next_wakeup(now); wakeup && (!at || *wakeup < *at)) at = wakeup;
    if (!at) return false;
    now = std::max(now + 1us, *at);
    for (auto& a : node.take_due(now))
      carry_out(queue.answered(a.attempt, a.outcome, true, now, random));
    return true;
  }
  void run(int steps_max = 20'000) {
    for (int i = 0; i < steps_max && !queue.empty(); ++i)
      if (!step()) break;
    REQUIRE(queue.empty());
  }

  terrible_node node;
  seeded_random random;
  partition_queue queue;
  instant now{1s};
  std::map<std::string, end> ends;
  std::vector<std::string> order;
  int64_t next_producer = 100;
  int sends = 0;
  int repeats = 0;
  bool woken = false;
};

std::string value_of(int i) {
  return "value-" + std::to_string(i) + std::string(static_cast<size_t>(i % 50), '.');
}

size_t count_in(const std::vector<std::string>& log, const std::string& value) {
  return static_cast<size_t>(std::count(log.begin(), log.end(), value));
}

} // namespace

TEST_CASE("partition queue: a single record leaves at once and comes back with its offset",
          "[client][producer]") {
  bench b{1};
  b.append("a");
  CHECK(b.woken);
  b.run();
  REQUIRE(b.ends["a"].count == 1);
  REQUIRE(b.ends["a"].outcome.ok());
  CHECK(*b.ends["a"].outcome == delivery{0, 0, 1'000});
  CHECK(b.sends == 1);
}

TEST_CASE("partition queue: while batches are on their way records gather into the next one",
          "[client][producer]") {
  bench b{2};
  for (int i = 0; i < 3; ++i) { // the first travels alone, then two at once
    b.append(value_of(i));
    b.carry_out(b.queue.advance(b.now));
  }
  for (int i = 3; i < 100; ++i)
    b.append(value_of(i));
  b.run();
  CHECK(b.sends <= 5);
  CHECK(b.node.log() == b.order);
}

TEST_CASE("partition queue: a batch lingers until it is full or its time has come", "[client][producer]") {
  queue_settings s;
  s.linger = 20ms;
  s.batch_bytes = 2'000;
  bench b{3, {}, s};
  b.append("small");
  b.carry_out(b.queue.advance(b.now));
  CHECK(b.sends == 0);
  CHECK(b.queue.next_wakeup(b.now) == b.now + 20ms);
  b.now += 19ms;
  b.carry_out(b.queue.advance(b.now));
  CHECK(b.sends == 0);
  SECTION("its time") { b.now += 1ms; }
  SECTION("full") { b.append(std::string(3'000, 'x')); }
  SECTION("flushed") { CHECK(b.queue.flush() == partition_queue::wake::yes); }
  b.carry_out(b.queue.advance(b.now));
  CHECK(b.sends == 1);
}

TEST_CASE("partition queue: on a busy way a batch grows until it must go", "[client][producer]") {
  queue_settings s;
  s.batch_bytes = 2'000;
  bench b{6, {}, s};
  auto on_busy_way = [&] {
    auto actions = b.queue.advance(b.now, {}, partition_queue::way::busy);
    auto held_back = actions.held_back;
    b.carry_out(std::move(actions));
    return held_back;
  };
  b.append("first"); // its producer id comes first, whatever the way
  CHECK_FALSE(on_busy_way());
  b.run();
  b.append("a");
  auto sent = b.sends;
  CHECK(on_busy_way());
  CHECK(b.sends == sent);
  b.append("b");
  SECTION("free again") { b.carry_out(b.queue.advance(b.now)); }
  SECTION("full") {
    b.append(std::string(2'000, 'x'));
    CHECK_FALSE(on_busy_way());
  }
  SECTION("flushed") {
    b.queue.flush();
    CHECK_FALSE(on_busy_way());
  }
  CHECK(b.sends == sent + 1);
  b.run();
  CHECK(b.node.log() == b.order);
}

TEST_CASE("partition queue: who lingers is not held back by a busy way", "[client][producer]") {
  queue_settings s;
  s.linger = 20ms;
  bench b{7, {}, s};
  b.append("a");
  CHECK_FALSE(b.queue.advance(b.now, {}, partition_queue::way::busy).held_back);
  b.now += 20ms;
  b.carry_out(b.queue.advance(b.now)); // gets its id
  CHECK(b.sends == 1);
  b.run();
}

TEST_CASE("send gate: who waits goes in the order of waiting, once, and only when there is room",
          "[client][producer]") {
  send_gate<int> gate{2};
  CHECK(gate.unused());
  gate.sent();
  CHECK_FALSE(gate.busy());
  gate.sent();
  CHECK(gate.busy());
  for (int who : {7, 8, 7, 9})
    gate.wait(who);
  CHECK(gate.next() == std::nullopt);
  gate.answered();
  CHECK(gate.next() == 7);
  gate.sent();
  CHECK(gate.next() == std::nullopt);
  gate.answered();
  gate.answered();
  CHECK(gate.next() == 8);
  gate.wait(7);
  CHECK(gate.next() == 9);
  CHECK(gate.next() == 7);
  CHECK(gate.next() == std::nullopt);
  CHECK(gate.unused());
}

TEST_CASE("partition queue: what cannot leave grows up to the largest request and no further",
          "[client][producer]") {
  queue_settings s;
  s.batch_bytes = 1'000;
  s.request_bytes_max = 10'000;
  bench b{4, {}, s};
  for (int i = 0; i < 1'000; ++i)
    b.append(std::string(100, 'a') + std::to_string(i));
  std::vector<size_t> sizes;
  while (!b.queue.empty()) {
    auto actions = b.queue.advance(b.now);
    for (auto& send : actions.sends)
      sizes.push_back(send.size);
    b.carry_out(std::move(actions));
    b.step();
  }
  CHECK(*std::max_element(sizes.begin(), sizes.end()) <= 10'000);
  CHECK(*std::max_element(sizes.begin(), sizes.end()) > 9'000);
  CHECK(b.node.log() == b.order);
}

TEST_CASE("partition queue: a hole left by a refused batch does not block those behind it",
          "[client][producer]") {
  queue_settings s;
  s.batch_bytes = 1;
  s.request_bytes_max = 106; // every record a batch
  bench b{5, {}, s};
  b.node.poison = {value_of(1), value_of(4)};
  for (int i = 0; i < 10; ++i)
    b.append(value_of(i));
  b.run();
  for (int i = 0; i < 10; ++i) {
    INFO(i);
    REQUIRE(b.ends[value_of(i)].count == 1);
    CHECK(b.ends[value_of(i)].outcome.ok() == (count_in(b.node.log(), value_of(i)) == 1));
  }
  CHECK_FALSE(b.ends[value_of(1)].outcome.ok());
  CHECK(b.ends[value_of(1)].outcome.error().code == ec::message_too_large);
  CHECK(b.ends[value_of(2)].outcome.ok());
  CHECK(b.ends[value_of(9)].outcome.ok());
}

TEST_CASE(
    "partition queue: an idempotent producer stores each record at most once, in order, through every fault",
    "[client][producer]") {
  uint64_t seed = GENERATE(range(1, 401));
  CAPTURE(seed);
  seeded_random dice{seed};
  auto some = [&](uint64_t max) { return static_cast<unsigned>(dice.below(2) ? dice.below(max) : 0); };
  node_faults faults;
  faults.lose_request = some(20);
  faults.lose_answer = some(20);
  faults.late_request = some(20);
  faults.refuse = some(40);
  faults.unknown = some(20);
  faults.black_hole = some(10);
  queue_settings s;
  s.batch_bytes = 1 + dice.below(400);
  s.in_flight_max = 1 + dice.below(5);
  s.linger = duration{std::chrono::milliseconds{dice.below(3)}};
  s.delivery_timeout = std::chrono::milliseconds{dice.below(3) == 0 ? 300 : 20'000};
  s.codec = dice.below(2) ? compression::lz4 : compression::none;
  bench b{seed, faults, s};
  int poisons = static_cast<int>(dice.below(4));
  for (int i = 0; i < poisons; ++i)
    b.node.poison.insert(value_of(static_cast<int>(dice.below(200))));
  for (int i = 0; i < 200; ++i) {
    b.append(value_of(i));
    for (auto steps = dice.below(3); steps > 0; --steps)
      b.step();
  }
  b.run();
  b.node.calm();
  while (b.node.next()) { // what is still on its way arrives after all
    b.now = std::max(b.now, *b.node.next());
    (void)b.node.take_due(b.now);
  }

  auto& log = b.node.log();
  std::vector<std::string> acknowledged_in_log;
  for (auto& value : b.order) {
    auto& end = b.ends[value];
    INFO(value);
    REQUIRE(end.count == 1);
    auto copies = count_in(log, value);
    REQUIRE(copies <= 1);
    if (end.outcome.ok())
      REQUIRE(log.at(static_cast<size_t>(end.outcome->offset)) == value);
    else if (end.outcome.error().category != error_category::unknown)
      REQUIRE(copies == 0);
  }
  // In order: the stored ones that were acknowledged lie as they were sent.
  int64_t last = -1;
  for (auto& value : b.order)
    if (auto& end = b.ends[value]; end.outcome.ok()) {
      REQUIRE(end.outcome->offset > last);
      last = end.outcome->offset;
    }
}

TEST_CASE("partition queue: without idempotence a batch is repeated only when it was certainly not stored",
          "[client][producer]") {
  uint64_t seed = GENERATE(range(1, 101));
  CAPTURE(seed);
  queue_settings s;
  s.idempotent = false;
  s.batch_bytes = 50;
  bench b{seed, {10, 10, 10, 30, 10, 5}, s};
  for (int i = 0; i < 100; ++i) {
    b.append(value_of(i));
    b.step();
  }
  b.run();
  b.node.calm();
  while (b.node.next()) {
    b.now = std::max(b.now, *b.node.next());
    (void)b.node.take_due(b.now);
  }
  for (auto& value : b.order) {
    INFO(value);
    REQUIRE(b.ends[value].count == 1);
    auto copies = count_in(b.node.log(), value);
    REQUIRE(copies <= 1);
    if (b.ends[value].outcome.ok())
      REQUIRE(copies == 1);
    else if (b.ends[value].outcome.error().category != error_category::unknown)
      REQUIRE(copies == 0);
  }
  CHECK(b.repeats > 0);
}

TEST_CASE("partition queue: the delivery timeout tells the last causes and whether it may have been stored",
          "[client][producer]") {
  queue_settings s;
  s.delivery_timeout = 200ms;
  SECTION("never sent: not stored") {
    bench b{7, {}, s};
    b.append("a");
    client::error why{ec::leader_not_available, "t-0 has no leader"};
    b.carry_out(b.queue.advance(b.now, why));
    b.now += 200ms;
    b.carry_out(b.queue.advance(b.now, why));
    REQUIRE(b.ends["a"].count == 1);
    auto& e = b.ends["a"].outcome.error();
    CHECK(e.code == ec::timed_out);
    CHECK_FALSE(e.in_doubt());
    CHECK(e.last_causes == std::vector<std::string>{"leader_not_available: t-0 has no leader"});
  }
  SECTION("refused again and again: not stored") {
    bench b{8, {0, 0, 0, 100}, s};
    b.append("a");
    b.run();
    auto& e = b.ends["a"].outcome.error();
    CHECK(e.code == ec::timed_out);
    CHECK_FALSE(e.in_doubt());
    CHECK(e.attempts > 2);
    CHECK(e.last_causes == std::vector<std::string>{"not_leader: elsewhere"});
    CHECK(b.node.log().empty());
  }
  SECTION("sent into the dark: in doubt") {
    bench b{9, {0, 0, 0, 0, 0, 100}, s};
    b.append("a");
    while (b.ends["a"].count == 0)
      REQUIRE(b.step());
    auto& e = b.ends["a"].outcome.error();
    CHECK(e.code == ec::timed_out);
    CHECK(e.in_doubt());
    CHECK(e.last_causes == std::vector<std::string>{"attempt 1 has no answer yet"});
  }
}

TEST_CASE("partition queue: batches that expire at one moment are each told once", "[client][producer]") {
  queue_settings s;
  s.delivery_timeout = 200ms;
  s.batch_bytes = 1; // each record a batch
  bench b{9, {}, s};
  for (int i = 0; i < 20; ++i)
    b.append(value_of(i));
  client::error why{ec::leader_not_available, "t-0 has no leader"};
  b.now += 200ms;
  auto actions = b.queue.advance(b.now, why);
  std::vector<size_t> told;
  for (auto& end : actions.ends)
    told.push_back(end.records.size());
  CHECK(told.size() >= 2);
  CHECK(std::accumulate(told.begin(), told.end(), size_t{0}) == 20);
  b.carry_out(std::move(actions));
  CHECK(b.queue.empty());
  for (int i = 0; i < 20; ++i)
    CHECK(b.ends[value_of(i)].count == 1);
}

TEST_CASE("partition queue: an unexpected gap in the sequence ends the producer instead of losing order",
          "[client][producer]") {
  bench b{10};
  b.append("a");
  b.run();
  b.append("b");
  auto actions = b.queue.advance(b.now);
  REQUIRE(actions.sends.size() == 1);
  // The node has lost its memory of this producer.
  b.carry_out(b.queue.answered(actions.sends[0].attempt,
                               client::error{ec::out_of_order_sequence, "expected 0"}, true, b.now,
                               b.random));
  REQUIRE(b.ends["b"].count == 1);
  CHECK(b.ends["b"].outcome.error().code == ec::out_of_order_sequence);
  b.append("c");
  b.carry_out(b.queue.advance(b.now));
  CHECK(b.ends["c"].outcome.error().code == ec::out_of_order_sequence);
}

TEST_CASE("partition queue: abort answers everything, in doubt only what was sent", "[client][producer]") {
  queue_settings s;
  s.batch_bytes = 1;
  bench b{11, {}, s};
  for (auto* value : {"a", "b", "c"})
    b.append(value);
  (void)b.queue.advance(b.now); // asks for an id
  b.queue.set_identity(producer_id{1}, producer_epoch{0});
  auto actions = b.queue.advance(b.now); // the first travels alone
  REQUIRE(actions.sends.size() == 1);
  b.carry_out(b.queue.abort({ec::shutting_down, "the producer was closed"}));
  CHECK(b.ends["a"].outcome.error().code == ec::unknown_result);
  CHECK(b.ends["b"].outcome.error().code == ec::shutting_down);
  CHECK(b.ends["c"].outcome.error().code == ec::shutting_down);
  CHECK(b.queue.empty());
}

namespace {

// Two batches of one record on their way behind a stored one, for the fine points of a hole.
struct pair_in_flight {
  static queue_settings one_record_a_batch() {
    queue_settings s;
    s.batch_bytes = 1;
    s.request_bytes_max = 106;
    s.delivery_timeout = 10s;
    return s;
  }
  pair_in_flight() : b(12, {}, one_record_a_batch()) {
    b.append("stored");
    b.run();
    b.append("first");
    b.append("second");
    sends = b.queue.advance(b.now).sends;
    REQUIRE(sends.size() == 2);
  }
  batch_header header_of(const partition_queue::send& s) { return parse_batch_header(*s.data).value(); }
  partition_queue::actions answer(uint64_t attempt, client::error e) {
    auto actions = b.queue.answered(attempt, std::move(e), true, b.now, b.random);
    REQUIRE(b.queue.check_invariants().value_or("") == "");
    return actions;
  }
  bench b;
  std::vector<partition_queue::send> sends;
  client::error cut{ec::disconnected, "cut"};
  client::error too_large{ec::message_too_large, "too large"};
  client::error gap{ec::out_of_order_sequence, "expected 1"};
};

} // namespace

TEST_CASE("partition queue: behind a hole, a batch of which a copy may float goes under a new producer id",
          "[client][producer]") {
  pair_in_flight f;
  (void)f.answer(f.sends[1].attempt, f.cut); // a copy of the second may arrive at any time
  f.b.carry_out(f.answer(f.sends[0].attempt, f.too_large));
  CHECK(f.b.ends["first"].outcome.error().code == ec::message_too_large);
  f.b.now += 1s;
  auto again = f.b.queue.advance(f.b.now).sends;
  REQUIRE(again.size() == 1);
  CHECK(f.header_of(again[0]).base_sequence == 2); // the same as before: its fate must become certain
  (void)f.answer(again[0].attempt, f.gap);
  CHECK(f.b.queue.advance(f.b.now).want_identity);
  f.b.queue.set_identity(producer_id{777}, producer_epoch{0});
  auto fresh = f.b.queue.advance(f.b.now).sends;
  REQUIRE(fresh.size() == 1);
  CHECK(f.header_of(fresh[0]).producer == producer_id{777});
  CHECK(f.header_of(fresh[0]).base_sequence == 0);
  CHECK(batch_crc_matches(*fresh[0].data));
}

TEST_CASE("partition queue: behind a hole that leaves no copies, numbering goes on where it was",
          "[client][producer]") {
  pair_in_flight f;
  f.b.carry_out(f.answer(f.sends[0].attempt, f.too_large));
  (void)f.answer(f.sends[1].attempt, f.gap);
  auto actions = f.b.queue.advance(f.b.now);
  CHECK_FALSE(actions.want_identity);
  REQUIRE(actions.sends.size() == 1);
  CHECK(f.header_of(actions.sends[0]).base_sequence == 1);
}

TEST_CASE("partition queue: when what left the hole may itself float, what floats behind it ends in doubt",
          "[client][producer]") {
  pair_in_flight f;
  (void)f.answer(f.sends[0].attempt, f.cut);
  (void)f.answer(f.sends[1].attempt, f.cut);
  f.b.now += 1s;
  auto again = f.b.queue.advance(f.b.now).sends;
  REQUIRE(again.size() == 2);
  f.b.carry_out(f.answer(again[0].attempt, f.too_large));
  CHECK(f.b.ends["first"].outcome.error().in_doubt());
  (void)f.answer(again[1].attempt, f.gap);
  auto actions = f.b.queue.advance(f.b.now);
  CHECK(actions.sends.empty());
  f.b.carry_out(std::move(actions));
  CHECK(f.b.ends["second"].outcome.error().in_doubt());
}

TEST_CASE("partition queue: a batch told as in doubt is settled before anything is written after it",
          "[client][producer]") {
  pair_in_flight f;
  f.b.now += 10s;
  f.b.carry_out(f.b.queue.advance(f.b.now));
  CHECK(f.b.ends["first"].outcome.error().in_doubt());
  CHECK(f.b.ends["second"].outcome.error().in_doubt());
  f.b.append("third");
  (void)f.answer(f.sends[0].attempt, f.cut);
  (void)f.answer(f.sends[1].attempt, f.cut);
  f.b.now += 1s;
  auto again = f.b.queue.advance(f.b.now);
  CHECK_FALSE(again.want_identity);
  REQUIRE(again.sends.size() == 3);
  for (int i = 0; i < 3; ++i)
    CHECK(f.header_of(again.sends[static_cast<size_t>(i)]).base_sequence == i + 1);
  f.b.carry_out(std::move(again));
  f.b.run();
  CHECK(f.b.ends["third"].outcome.ok());
  CHECK(f.b.ends["first"].count == 1);
  CHECK(f.b.node.log() == std::vector<std::string>{"stored", "first", "second", "third"});
}

} // namespace pessoa::client::test
