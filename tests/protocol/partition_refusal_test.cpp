// What the log refuses before its first byte is undone as if it had never been decided.
#include "tests/protocol/partition_fixture.hpp"

using namespace pessoa;
using namespace pessoa::protocol;

#define PARTITION_TEST(name)                                                                                 \
  TEST_CASE_METHOD(partition_fixture, "partition: " name, "[protocol][partition][refused]")

PARTITION_TEST(
    "refused batches are answered with the reason, and their offsets are used again") { // failures S14, R17
  auto a = produce(plain_batch(2)), b = produce(plain_batch(3)), c = produce(plain_batch(1));
  refuse(2);
  CHECK_FALSE(answered(a)); // it was written, and may still be committed
  CHECK(error_of(b) == ec::disk_full);
  CHECK(error_of(c) == ec::disk_full);
  CHECK(leader->log_end() == offset{2});
  auto d = produce(plain_batch(1));
  CHECK(appends.at(d).base == offset{2});
  commit_all();
  CHECK(answer_of(a).base == offset{0});
  CHECK(answer_of(d).base == offset{2});
}

PARTITION_TEST("a refused sequence is accepted when it comes again") { // KIP-98
  produce(batch_of(7, 0, 0));
  commit_all();
  auto b = produce(batch_of(7, 0, 1)), c = produce(batch_of(7, 0, 2));
  refuse(1);
  CHECK(error_of(b) == ec::disk_full);
  CHECK(error_of(c) == ec::disk_full);
  auto again_b = produce(batch_of(7, 0, 1)), again_c = produce(batch_of(7, 0, 2));
  commit_all();
  CHECK(answer_of(again_b) == produced{offset{1}, no_timestamp, offset{0}, false});
  CHECK(answer_of(again_c).base == offset{2});
}

PARTITION_TEST("what follows a refused batch waits outside until that came again") { // failures T9
  // The third batch is on its way when the first two are refused.
  auto known = GENERATE(false, true);
  int32_t first = 0;
  if (known) {
    produce(batch_of(7, 0, first++));
    commit_all();
  }
  auto base = leader->log_end().value();
  produce(batch_of(7, 0, first));
  produce(batch_of(7, 0, first + 1));
  refuse(base);
  auto third = produce(batch_of(7, 0, first + 2)), second = produce(batch_of(7, 0, first + 1));
  CHECK(error_of(third)
        == ec::disk_full); // retriable: not out_of_order_sequence, which would end the producer
  CHECK(error_of(second) == ec::disk_full);
  std::vector<request_id> again;
  for (int32_t i = 0; i < 3; ++i)
    again.push_back(produce(batch_of(7, 0, first + i)));
  commit_all();
  for (int32_t i = 0; i < 3; ++i)
    CHECK(answer_of(again[static_cast<size_t>(i)]).base == offset{base + i});
}

PARTITION_TEST("an overload in the middle of a pipeline does not end the producer") { // failures T9
  settings.waiting_bytes_max = 800;
  begin();
  produce(plain_batch(1, 500));
  auto first = produce(batch_of(7, 0, 0));
  CHECK(error_of(first) == ec::overloaded);
  commit_all();
  CHECK(error_of(produce(batch_of(7, 0, 1)))
        == ec::overloaded); // an unknown producer could begin anywhere, but not here
  auto again = produce(batch_of(7, 0, 0)), next = produce(batch_of(7, 0, 1));
  commit_all();
  CHECK(answer_of(again).base == offset{1});
  CHECK(answer_of(next).base == offset{2});
}

PARTITION_TEST("refused batches with acks=0 are undone too, and nobody is made to wait for them") {
  auto a = produce(batch_of(7, 0, 0), acks::none);
  refuse(0);
  CHECK(answer_of(a).base == no_offset);
  CHECK(last.empty());
  CHECK(leader->log_end() == offset{0});
  CHECK(leader->waiting_bytes() == 0);
  SECTION("a client that sends it again is served") {
    auto again = produce(batch_of(7, 0, 0));
    commit_all();
    CHECK(answer_of(again) == produced{offset{0}, no_timestamp, offset{0}, false});
  }
  SECTION("a client that goes on is served") { CHECK(error_of(produce(batch_of(7, 0, 1))) == ec::none); }
}

PARTITION_TEST("a repetition of a refused batch is refused with it, a timed out one is not answered again") {
  auto a = produce(batch_of(7, 0, 0), acks::all, 10);
  pass(10);
  auto again = produce(batch_of(7, 0, 0));
  CHECK(error_of(a) == ec::timed_out);
  refuse(0);
  CHECK(error_of(again) == ec::disk_full);
  auto third = produce(batch_of(7, 0, 0));
  commit_all();
  CHECK(answer_of(third) == produced{offset{0}, no_timestamp, offset{0}, false});
}

PARTITION_TEST("a refusal brings back what an older epoch of the producer had written") { // KIP-98: fencing
                                                                                          // follows the log
  produce(batch_of(7, 0, 0, 4));
  commit_all();
  auto newer = produce(batch_of(7, 1, 0));
  refuse(4);
  CHECK(error_of(newer) == ec::disk_full);
  auto old_again = produce(batch_of(7, 0, 0, 4));
  CHECK(answer_of(old_again).base == offset{0});
  auto once_more = produce(batch_of(7, 1, 0));
  commit_all();
  CHECK(answer_of(once_more).base == offset{4});
  CHECK(error_of(produce(batch_of(7, 0, 4))) == ec::invalid_producer_epoch);
}

PARTITION_TEST("a fetch parked above the refused end is told that there is nothing") {
  produce(plain_batch(5));
  auto inside = fetch(0), beyond = fetch(3);
  refuse(0);
  CHECK(parked(inside));
  CHECK(fetch_error_of(beyond) == ec::offset_out_of_range);
  produce(plain_batch(1));
  commit_all();
  CHECK(reads.at(inside).limit == offset{1});
}

PARTITION_TEST("a refusal of nothing changes nothing") {
  auto a = produce(plain_batch(2));
  refuse(2);
  CHECK(last.empty());
  commit_all();
  CHECK(answer_of(a).base == offset{0});
}
