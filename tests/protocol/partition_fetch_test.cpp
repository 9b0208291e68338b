// Fetches: KIP-74 (bytes_min, at least one batch), kafka-protocol.md 3 (ranges, epochs).
#include "tests/protocol/partition_fixture.hpp"

using namespace pessoa;
using namespace pessoa::protocol;

#define PARTITION_TEST(name)                                                                                 \
  TEST_CASE_METHOD(partition_fixture, "partition: " name, "[protocol][partition][fetch]")

PARTITION_TEST("a fetch reads what is committed and nothing above") {
  produce(plain_batch(3));
  commit_all();
  produce(plain_batch(2));
  auto a = fetch(1, 1, 500, 4096);
  REQUIRE(reads.count(a));
  CHECK(reads.at(a).from == offset{1});
  CHECK(reads.at(a).limit == offset{3});
  CHECK(reads.at(a).bytes_max == 4096);
  CHECK(reads.at(a).high_watermark == offset{3});
}

PARTITION_TEST("a fetch outside the log is out of range, between high watermark and log end it waits") {
  begin(5, 10);
  produce(plain_batch(4));
  CHECK(fetch_error_of(fetch(4)) == ec::offset_out_of_range);
  CHECK(fetch_error_of(fetch(-1)) == ec::offset_out_of_range);
  CHECK(fetch_error_of(fetch(15)) == ec::offset_out_of_range);
  CHECK(reads.count(fetch(5)) == 1);
  auto at_mark = fetch(10), between = fetch(12), at_end = fetch(14);
  CHECK((parked(at_mark) && parked(between) && parked(at_end)));
  commit_all();
  CHECK(reads.count(at_mark) == 1);
  CHECK(reads.count(between) == 1); // whole batches are read: it lies in the one that is there now
  CHECK(parked(at_end));
}

PARTITION_TEST("an empty log is read from its start, which waits") {
  auto a = fetch(0);
  CHECK(parked(a));
  CHECK(fetch_error_of(fetch(1)) == ec::offset_out_of_range);
  produce(plain_batch());
  CHECK(parked(a));
  commit_all();
  CHECK(reads.at(a).limit == offset{1});
}

PARTITION_TEST("a fetch wakes when bytes_min are committed, not one batch before") { // KIP-74
  auto one = fetch(0, 1), exactly = fetch(0, 300), more = fetch(0, 301);
  for (int i = 0; i < 4; ++i)
    produce(plain_batch(1, 100));
  commit(1);
  CHECK(reads.count(one) == 1);
  commit(2);
  CHECK(parked(exactly));
  commit(3);
  CHECK(reads.at(exactly).limit == offset{3});
  CHECK(parked(more));
  commit(4);
  CHECK(reads.count(more) == 1);
}

PARTITION_TEST("bytes count from the batch that contains the offset") {
  produce(plain_batch(10, 200));
  commit_all();
  CHECK(reads.count(fetch(9, 200)) == 1);
  auto more = fetch(9, 201);
  CHECK(parked(more));
  produce(plain_batch(1, 70));
  commit_all();
  CHECK(reads.count(more) == 1);
}

PARTITION_TEST("about what was there before this epoch a fetch knows only that it is enough") {
  begin(0, 10);
  CHECK(reads.count(fetch(9, 1 << 19)) == 1);
  CHECK(parked(fetch(10, 1)));
}

PARTITION_TEST("bytes_min is exact for recent batches and enough beyond them") {
  for (size_t i = 0; i < 3 * appended_bytes::batches_max; ++i)
    produce(plain_batch(1, 100));
  commit_all();
  produce(plain_batch(1, 100)); // old ones are let go when they are committed
  CHECK(reads.count(fetch(0, 1 << 20)) == 1);
  auto end = leader->high_watermark().value();
  CHECK(parked(fetch(end - 10, 1001)));
  CHECK(reads.count(fetch(end - 10, 1000)) == 1);
}

PARTITION_TEST("a bytes_min of 0 never waits, and one above bytes_max waits for bytes_max only") {
  auto nothing = fetch(0, 0);
  REQUIRE(fetch_answers.count(nothing));
  CHECK(*fetch_answers.at(nothing) == fetch_nothing{offset{0}, offset{0}});
  auto both = fetch(0, 1000, 500, 150);
  produce(plain_batch(1, 100));
  commit_all();
  CHECK(parked(both));
  produce(plain_batch(1, 100));
  commit_all();
  CHECK(reads.count(both) == 1);
}

PARTITION_TEST("at its deadline a fetch gets what there is, or nothing") {
  auto some = fetch(0, 1000, 100), nothing = fetch(0, 1000, 50);
  CHECK(leader->next_deadline() == now + std::chrono::milliseconds{50});
  pass(50);
  CHECK(*fetch_answers.at(nothing) == fetch_nothing{offset{0}, offset{0}});
  produce(plain_batch(1, 100), acks::none);
  commit_all();
  CHECK(parked(some));
  pass(49);
  CHECK(parked(some));
  pass(1);
  CHECK(reads.at(some).limit == offset{1});
  CHECK_FALSE(leader->next_deadline());
}

PARTITION_TEST("a fetch that may not wait is answered at once") {
  CHECK(fetch_answers.count(fetch(0, 1, 0)) == 1);
  produce(plain_batch(1, 100));
  commit_all();
  CHECK(reads.count(fetch(0, 1000, 0)) == 1);
}

PARTITION_TEST("beyond the bound a fetch is answered with what there is instead of parked") {
  settings.parked_fetches_max = 2;
  begin();
  auto a = fetch(0), b = fetch(0), c = fetch(0);
  CHECK((parked(a) && parked(b)));
  CHECK(fetch_answers.at(c).ok());
  leader->forget_fetch(a);
  CHECK(parked(fetch(0)));
}

PARTITION_TEST("a forgotten fetch is never answered") {
  auto a = fetch(0), b = fetch(0);
  leader->forget_fetch(a);
  leader->forget_fetch(a);
  leader->forget_fetch(999);
  produce(plain_batch());
  commit_all();
  CHECK(parked(a)); // no effect was seen for it
  CHECK(reads.count(b) == 1);
  CHECK(leader->parked_fetches() == 0);
}

PARTITION_TEST("a fetch of another epoch is told which way it is wrong") { // KIP-320
  begin(0, 0, 5);
  CHECK(fetch_error_of(fetch(0, 1, 500, 100, leader_epoch{4})) == ec::fenced_leader_epoch);
  CHECK(fetch_error_of(fetch(0, 1, 500, 100, leader_epoch{6})) == ec::unknown_leader_epoch);
  CHECK(parked(fetch(0, 1, 500, 100, leader_epoch{5})));
}

PARTITION_TEST("when the log start moves, what is parked below it is out of range") {
  begin(0, 10);
  auto old = fetch(10, 1 << 20, 60'000);
  produce(plain_batch(5));
  commit_all();
  auto young = fetch(15);
  move_start(12);
  CHECK(fetch_error_of(old) == ec::offset_out_of_range);
  CHECK(parked(young));
  CHECK(fetch_error_of(fetch(11)) == ec::offset_out_of_range);
  move_start(3); // never back
  CHECK(leader->log_start() == offset{12});
  produce(plain_batch());
  commit_all();
  CHECK(reads.at(young).log_start == offset{12});
}

PARTITION_TEST("one commit wakes all that are due, each once") {
  std::vector<request_id> due, later;
  for (int i = 0; i < 100; ++i)
    (i % 2 ? due : later).push_back(fetch(0, i % 2 ? 1 : 101, 60'000));
  produce(plain_batch(1, 100));
  commit_all();
  CHECK(last.size() == 1 + due.size()); // the produce answer and the reads
  for (auto id : later)
    CHECK(parked(id));
  CHECK(leader->parked_fetches() == later.size());
}
