// What a Kafka producer does with its batches, and what it may not be told: numbers, repetitions, holes.
#include "simulations/workload/kafka_queue.hpp"

#include "schema/compression.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::sim;

namespace {

constexpr int16_t not_enough_replicas = 19, not_enough_replicas_after_append = 20, out_of_order = 45,
                  invalid_timestamp = 32, invalid_record = 87;
const batch_identity someone{producer_id{7}, producer_epoch{0}, -1};

class queue_fixture {
public:
  queue_fixture() { begin(true); }

  void begin(bool idempotent, bool repeats = true) {
    kafka_queue_options options;
    options.idempotent = idempotent;
    options.repeats = repeats;
    options.in_flight_max = 3;
    queue = std::make_unique<kafka_queue>(w, past, at, options);
  }
  void add(const std::string& name) {
    batch_builder builder;
    record_view record;
    record.time = timestamp{1};
    record.value = as_bytes(name);
    builder.add(record);
    past.sent(name, at, true, true);
    queue->add({{name}, builder.finish(), 60 * second});
  }
  kafka_queue::batch_ptr next() { return queue->next(someone, now); }
  void answer(const kafka_queue::batch_ptr& which, int16_t code, int64_t offset = -1) {
    kafka::produce_response::topic::partition told;
    told.error_code = code;
    told.base_offset = offset;
    queue->answered(which, told, now, 10);
    now += 10;
  }
  [[nodiscard]] std::string failed() const { return w.failed() ? w.failed()->check : ""; }

  world w{1};
  history past{w};
  place at{"t", 0};
  std::unique_ptr<kafka_queue> queue;
  world_time now = 0;
};

int32_t number_in(const kafka_batch& b) { return parse_batch_header(b.data)->base_sequence; }

} // namespace

TEST_CASE_METHOD(queue_fixture, "kafka queue: the first batch travels alone, then several", "[sim]") {
  for (auto* name : {"a", "b", "c"})
    add(name);
  auto first = next();
  REQUIRE(first);
  CHECK(number_in(*first) == 0);
  CHECK(parse_batch_header(first->data)->producer == producer_id{7});
  CHECK(batch_crc_matches(first->data));
  CHECK_FALSE(next());
  answer(first, 0, 100);
  auto second = next(), third = next();
  REQUIRE((second && third));
  CHECK(number_in(*second) == 1);
  CHECK(number_in(*third) == 2);
  answer(second, 0, 101);
  answer(third, 0, 102);
  CHECK(queue->open() == 0);
  CHECK(past.acknowledged_count() == 3);
  CHECK(failed().empty());
}

TEST_CASE_METHOD(queue_fixture,
                 "kafka queue: what is lost is sent again under its number, when all has come back",
                 "[sim]") {
  for (auto* name : {"a", "b", "c"})
    add(name);
  answer(next(), 0, 0);
  auto second = next(), third = next();
  queue->lost(second, now, 10);
  now += 10;
  CHECK_FALSE(next());
  queue->lost(third, now, 10);
  CHECK_FALSE(next());
  now += 10;
  CHECK(next() == second);
  CHECK(next() == third);
  CHECK(number_in(*second) == 1);
  CHECK(past.pending() == 2);
}

TEST_CASE_METHOD(queue_fixture, "kafka queue: out of order behind a batch that was not stored is no failure",
                 "[sim]") {
  for (auto* name : {"a", "b", "c"})
    add(name);
  answer(next(), 0, 0);
  auto second = next(), third = next();
  answer(second, not_enough_replicas);
  answer(third, out_of_order);
  CHECK(failed().empty());
  CHECK(next() == second);
}

TEST_CASE_METHOD(queue_fixture, "kafka queue: out of order when all before is stored fails the world",
                 "[sim]") {
  add("a");
  add("b");
  answer(next(), 0, 0);
  answer(next(), out_of_order);
  CHECK(failed() == "sequences_hold");
}

TEST_CASE_METHOD(queue_fixture, "kafka queue: a batch that is stored before an earlier one fails the world",
                 "[sim]") {
  for (auto* name : {"a", "b", "c"})
    add(name);
  answer(next(), 0, 0);
  auto second = next(), third = next();
  SECTION("when that certainly was not stored") {
    answer(second, not_enough_replicas);
    answer(third, 0, 1);
    CHECK(failed() == "sequences_hold");
  }
  SECTION("and not when it may be stored") {
    answer(second, not_enough_replicas_after_append);
    answer(third, 0, 2);
    CHECK(failed().empty());
  }
}

TEST_CASE_METHOD(queue_fixture, "kafka queue: a refused batch leaves a hole, and the producer begins again",
                 "[sim]") {
  for (auto* name : {"a", "b", "c", "d"})
    add(name);
  answer(next(), 0, 0);
  auto second = next(), third = next(), fourth = next();
  answer(second, invalid_timestamp);
  CHECK(past.failed_count() == 1);
  CHECK(queue->has_hole());
  answer(third, out_of_order);
  queue->lost(fourth, now, 10);
  now += 10;
  CHECK(failed().empty());
  CHECK_FALSE(next());
  queue->begin_again();
  CHECK(past.unknown_count() == 1); // the fourth may be stored: it is not sent under another number
  CHECK(next() == third);
  CHECK(number_in(*third) == 0);
}

TEST_CASE_METHOD(queue_fixture, "kafka queue: what waits too long is told as what is known of it", "[sim]") {
  add("a");
  add("b");
  queue->lost(next(), now, 10);
  queue->expire(61 * second);
  CHECK(past.unknown_count() == 1); // it was sent
  CHECK(past.failed_count() == 1);  // it never was
  CHECK(queue->open() == 0);
}

TEST_CASE_METHOD(queue_fixture, "kafka queue: a plain producer without repetitions takes the first answer",
                 "[sim]") {
  begin(false, false);
  for (auto* name : {"a", "b", "c"})
    add(name);
  auto first = next(), second = next(), third = next();
  CHECK(number_in(*first) == -1);
  answer(first, not_enough_replicas);
  answer(second, not_enough_replicas_after_append);
  queue->lost(third, now, 10);
  CHECK(past.failed_count() == 1);
  CHECK(past.unknown_count() == 2);
}

TEST_CASE_METHOD(queue_fixture, "kafka queue: an honest producer is not told that its batch is wrong",
                 "[sim]") {
  add("a");
  answer(next(), invalid_record);
  CHECK(failed() == "kafka_is_spoken_right");
}
