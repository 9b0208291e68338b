#include "tests/protocol/partition_fixture.hpp"

using namespace pessoa;
using namespace pessoa::protocol;

#define PARTITION_TEST(name) TEST_CASE_METHOD(partition_fixture, "partition: " name, "[protocol][partition]")

PARTITION_TEST("offsets are dense and begin at the log end") {
  begin(3, 10, 4);
  auto a = produce(plain_batch(5)), b = produce(plain_batch(1)), c = produce(plain_batch(2));
  CHECK(appends.at(a).base == offset{10});
  CHECK(appends.at(b).base == offset{15});
  CHECK(appends.at(c).base == offset{16});
  CHECK(appends.at(c).epoch == leader_epoch{4});
  CHECK(leader->log_end() == offset{18});
  CHECK(leader->high_watermark() == offset{10});
}

PARTITION_TEST("acks=all and acks=1 are answered when the batch is on disk, not before") { // rules.md 2
  auto level = GENERATE(acks::all, acks::leader);
  auto a = produce(plain_batch(2), level), b = produce(plain_batch(3), level);
  CHECK(last.size() == 1); // the append, and no answer
  CHECK_FALSE(answered(a));
  commit(2);
  CHECK(answer_of(a) == produced{offset{0}, no_timestamp, offset{0}, false});
  CHECK_FALSE(answered(b));
  CHECK(leader->high_watermark() == offset{2});
  commit(5);
  CHECK(answer_of(b).base == offset{2});
  CHECK(leader->waiting_bytes() == 0);
}

PARTITION_TEST("acks=0 is answered before the append and promises nothing") {
  auto a = produce(plain_batch(2), acks::none);
  REQUIRE(last.size() == 2);
  CHECK(std::holds_alternative<answer_produce>(last[0]));
  CHECK(std::holds_alternative<append_batch>(last[1]));
  CHECK(answer_of(a).base == no_offset);
  CHECK(leader->waiting_produces() == 0);
  CHECK(leader->waiting_bytes() > 0); // its bytes are held until they are committed
  commit_all();
  CHECK(last.empty());
  CHECK(leader->waiting_bytes() == 0);
}

PARTITION_TEST("an older durable end changes nothing") {
  produce(plain_batch(2));
  produce(plain_batch(2));
  commit(4);
  commit(2);
  CHECK(last.empty());
  CHECK(leader->high_watermark() == offset{4});
}

PARTITION_TEST(
    "a repetition of a committed batch is answered at once, with the first answer") { // KIP-98, failures T16
  auto a = produce(batch_of(7, 0, 0, 3));
  commit_all();
  produce(plain_batch(4));
  auto again = produce(batch_of(7, 0, 0, 3));
  CHECK(appends.count(again) == 0);
  CHECK(answer_of(again) == produced{answer_of(a).base, no_timestamp, offset{0}, true});
  CHECK(leader->log_end() == offset{7});
}

PARTITION_TEST("a repetition of a batch that is not committed waits for it") {
  auto level = GENERATE(acks::all, acks::leader, acks::none);
  auto a = produce(batch_of(7, 0, 0, 3), level);
  auto again = produce(batch_of(7, 0, 0, 3)), third = produce(batch_of(7, 0, 0, 3), acks::leader);
  produce(plain_batch(1));
  CHECK_FALSE(answered(again));
  commit(3);
  CHECK(answer_of(again) == produced{offset{0}, no_timestamp, offset{0}, true});
  CHECK(answer_of(third).duplicate);
  if (level != acks::none) CHECK_FALSE(answer_of(a).duplicate);
}

PARTITION_TEST("a repetition with acks=0 is answered at once and appends nothing") {
  produce(batch_of(7, 0, 0, 3));
  auto again = produce(batch_of(7, 0, 0, 3), acks::none);
  CHECK(answer_of(again).duplicate);
  CHECK(answer_of(again).base == no_offset);
  CHECK(leader->log_end() == offset{3});
}

PARTITION_TEST("batches in flight are judged against what was decided, not what was written") { // failures T9
  produce(batch_of(7, 0, 0));
  auto gap = produce(batch_of(7, 0, 2)), next = produce(batch_of(7, 0, 1)), late = produce(batch_of(7, 0, 2));
  CHECK(error_of(gap) == ec::out_of_order_sequence);
  commit_all();
  CHECK(answer_of(next).base == offset{1});
  CHECK(answer_of(late).base == offset{2});
}

PARTITION_TEST(
    "what the log remembers of producers holds in the next epoch") { // failures T16: state survives
  auto a = produce(batch_of(7, 0, 0, 3));
  commit_all();
  for (auto& batch : log)
    before.apply(batch.header, batch.time);
  begin(0, 3, 1);
  auto again = produce(batch_of(7, 0, 0, 3));
  CHECK(answer_of(again).base == answer_of(a).base);
  CHECK(answer_of(again).duplicate);
  CHECK(error_of(produce(batch_of(7, 0, 4))) == ec::out_of_order_sequence);
}

PARTITION_TEST("a repetition is recognised though the topic would refuse the batch by now") {
  auto a = produce(batch_of(7, 0, 0));
  commit_all();
  settings.config.max_message_bytes = 80;
  leader->apply(settings);
  CHECK(answer_of(produce(batch_of(7, 0, 0))).base == answer_of(a).base);
  CHECK(error_of(produce(batch_of(7, 0, 1))) == ec::message_too_large);
}

PARTITION_TEST(
    "LogAppendTime stamps the node's time and answers it, to repetitions too") { // kafka-protocol.md 3, 5
  settings.config.message_timestamp_type = timestamp_type::log_append_time;
  begin();
  auto a = produce(batch_of(7, 0, 0));
  CHECK(appends.at(a).stamp_append_time);
  CHECK(appends.at(a).now == wall);
  CHECK_FALSE(appends.at(a).stamp_max_timestamp);
  auto stamped = wall;
  pass(1234);
  auto waiting = produce(batch_of(7, 0, 0));
  commit_all();
  CHECK(answer_of(a).append_time == stamped);
  CHECK(answer_of(waiting).append_time == stamped);
  CHECK(answer_of(produce(batch_of(7, 0, 0))).append_time == stamped);
}

PARTITION_TEST("a wrong maximum timestamp is restamped, and the answer says CreateTime") {
  auto facts = plain_batch();
  facts.header.max_timestamp = timestamp{5};
  auto a = produce(facts), b = produce(plain_batch());
  CHECK(appends.at(a).stamp_max_timestamp == facts.max_timestamp);
  CHECK_FALSE(appends.at(b).stamp_max_timestamp);
  commit_all();
  CHECK(answer_of(a).append_time == no_timestamp);
}

PARTITION_TEST("a client of another epoch is told which way it is wrong") {
  begin(0, 0, 5);
  CHECK(error_of(produce(plain_batch(), acks::all, 1000, leader_epoch{4})) == ec::fenced_leader_epoch);
  CHECK(error_of(produce(plain_batch(), acks::all, 1000, leader_epoch{6})) == ec::unknown_leader_epoch);
  CHECK(error_of(produce(plain_batch(), acks::all, 1000, leader_epoch{5})) == ec::none);
  CHECK(leader->log_end() == offset{1});
}

PARTITION_TEST(
    "a request that was not acknowledged in time hears that it may still happen, and nothing more") {
  auto a = produce(batch_of(7, 0, 0), acks::all, 100), b = produce(plain_batch(), acks::all, 200);
  auto again = produce(batch_of(7, 0, 0), acks::all, 150);
  CHECK(leader->next_deadline() == now + std::chrono::milliseconds{100});
  pass(99);
  CHECK(last.empty());
  pass(51);
  CHECK(error_of(a) == ec::timed_out);
  CHECK(error_of(again) == ec::timed_out);
  CHECK(produce_answers.at(a).error().message.find("may still be written") != std::string::npos);
  CHECK(leader->next_deadline() == now + std::chrono::milliseconds{50});
  commit_all(); // the fixture fails on a second answer
  CHECK(answer_of(b).base == offset{1});
  CHECK(answer_of(produce(batch_of(7, 0, 0))).base == offset{0});
  CHECK_FALSE(leader->next_deadline());
}

PARTITION_TEST("beyond the bound of waiting bytes a batch is refused and nothing is appended") {
  settings.waiting_bytes_max = 3000;
  begin();
  auto a = produce(plain_batch(1, 1000)), b = produce(plain_batch(1, 1000)),
       c = produce(plain_batch(1, 1000));
  CHECK(error_of(c) == ec::overloaded);
  CHECK(leader->log_end() == offset{2});
  commit_all();
  CHECK(answered(a));
  CHECK(answered(b));
  CHECK(error_of(produce(plain_batch(1, 1000))) == ec::none);
}

PARTITION_TEST("a batch larger than the bound is let in alone") {
  settings.waiting_bytes_max = 500;
  begin();
  auto a = produce(plain_batch(1, 1000));
  CHECK(error_of(produce(plain_batch(1, 100))) == ec::overloaded);
  commit_all();
  CHECK(answer_of(a).base == offset{0});
}

PARTITION_TEST("repetitions that wait are bounded too") {
  settings.waiting_bytes_max = 10'000;
  begin();
  produce(batch_of(7, 0, 0));
  int refused = 0;
  for (int i = 0; i < 100; ++i)
    refused += error_of(produce(batch_of(7, 0, 0))) == ec::overloaded;
  CHECK(refused > 50);
  CHECK(leader->waiting_bytes() <= 10'000);
}

PARTITION_TEST(
    "after a failure produce is refused for good, and what was decided is unknown") { // rules.md 1, R15
  produce(plain_batch(2));
  commit_all();
  auto a = produce(plain_batch(), acks::all), b = produce(plain_batch(), acks::none);
  fail();
  CHECK(error_of(a) == ec::unknown_result);
  CHECK(answer_of(b).base == no_offset);
  CHECK(error_of(produce(plain_batch())) == ec::storage_failed);
  CHECK(error_of(produce(plain_batch(), acks::none)) == ec::storage_failed);
  auto below = fetch(0), above = fetch(2);
  CHECK(reads.at(below).limit == offset{2});
  CHECK(parked(above));
}

PARTITION_TEST(
    "when the epoch ends all that waits is answered, and later requests are told to look elsewhere") {
  auto a = produce(plain_batch()), timed_out = produce(plain_batch(), acks::all, 10);
  auto reader = fetch(0);
  pass(10);
  end();
  CHECK(error_of(a) == ec::unknown_result);
  CHECK(error_of(timed_out) == ec::timed_out);
  CHECK(fetch_error_of(reader) == ec::not_leader);
  CHECK(leader->waiting_produces() + leader->parked_fetches() == 0);
  CHECK(error_of(produce(plain_batch())) == ec::not_leader);
  CHECK(fetch_error_of(fetch(0)) == ec::not_leader);
  commit_all(); // answers nobody
  CHECK(last.empty());
  end();
  CHECK(last.empty());
  CHECK_FALSE(leader->next_deadline());
}

PARTITION_TEST("producers are forgotten after the expiry, looked for rarely, and their number is bounded") {
  settings.producers_max = 80;
  settings.producer_expiry = std::chrono::hours{1};
  begin();
  for (int64_t id = 0; id < 1000; ++id) {
    produce(batch_of(id, 0, 0));
    wall += 1;
    REQUIRE(leader->known_producers() <= 91);
  }
  commit_all();
  CHECK(error_of(produce(batch_of(999, 0, 5))) == ec::out_of_order_sequence); // known
  pass(59 * 60 * 1000);
  CHECK(leader->known_producers() > 0);
  pass(60'000); // beyond the expiry, and looked through a minute ago
  CHECK(leader->known_producers() > 0);
  pass(10 * 60 * 1000);
  CHECK(leader->known_producers() == 0);
  CHECK(error_of(produce(batch_of(999, 0, 5))) == ec::none); // unknown now
}
