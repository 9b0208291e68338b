#include "tests/node/rpc_fixture.hpp"

#include <capnp/any.h>

using namespace pessoa;
using namespace pessoa::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

using fetch_answer = capnp::Response<wire::Consumer::FetchResults>;

std::shared_ptr<kj::Maybe<fetch_answer>> parked(rpc_session& c, int64_t from, uint32_t wait_ms,
                                                uint32_t bytes_min = 1) {
  auto request = c.consumer.fetchRequest();
  c.fill(request.initRequest(), "t", from, wait_ms);
  request.getRequest().setBytesMin(bytes_min);
  return c.begin(request);
}

auto offset_request(rpc_session& c) {
  auto request = c.consumer.offsetRequest();
  wire::write(c.id_of("t"), request.initRequest().initTopic());
  return request;
}

} // namespace

TEST_CASE("rpc: what was stored is fetched, whole batches from the one that holds the position",
          "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  for (int i = 0; i < 4; ++i)
    c.produce("t", 5);
  auto got = c.fetch("t", 7);
  CHECK(got.getResult().getNextOffset() == 20);
  CHECK(got.getResult().getHighWatermark() == 20);
  CHECK(got.getResult().getLogStart() == 0);
  auto data = got.getResult().getBatches();
  CHECK(parse_batch_header({data.begin(), data.size()}).value().base_offset == offset{5});
  auto request = c.consumer.fetchRequest();
  c.fill(request.initRequest(), "t", 0);
  request.getRequest().setBytesMax(0); // one whole batch all the same
  CHECK(c.ask(request).getResult().getNextOffset() == 5);
}

TEST_CASE("rpc: a fetch that cannot be is refused by name", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  c.produce("t", 5);
  auto refusal = [&](const std::function<void(wire::Position::Builder)>& change) {
    auto request = c.consumer.fetchRequest();
    c.fill(request.initRequest(), "t", 0);
    change(request.getRequest().getPosition());
    return name_of(c.ask(request).getError());
  };
  CHECK(refusal([](auto p) { p.setLineage(1); }) == "unsupported_version");
  CHECK(refusal([](auto p) { p.initTopic(); }) == "unknown_topic_id");
  CHECK(refusal([](auto p) { p.setPartition(1); }) == "unknown_partition");
  CHECK(refusal([](auto p) { p.setPartition(-5); }) == "unknown_partition");
  CHECK(refusal([](auto p) { p.setOffset(6); }) == "offset_out_of_range");
  CHECK(refusal([](auto p) { p.setOffset(-1); }) == "offset_out_of_range");
  CHECK(refusal([](auto p) { p.setOffset(INT64_MAX); }) == "offset_out_of_range");
}

TEST_CASE("rpc: a long poll wakes when enough is there, or at its deadline with nothing", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n}, writer{n};
  c.create("t");
  auto first = parked(c, 0, 10'000), many = parked(c, 0, 10'000, 250), never = parked(c, 0, 2000, 1'000'000);
  CHECK((*first == nullptr && *many == nullptr && *never == nullptr));
  writer.produce("t", 1);
  KJ_IF_MAYBE (got, *first)
    CHECK(got->getResult().getNextOffset() == 1);
  else
    FAIL("it did not wake");
  CHECK(*many == nullptr);
  writer.produce("t", 20);
  KJ_IF_MAYBE (got, *many)
    CHECK(got->getResult().getNextOffset() == 21);
  else
    FAIL("it did not wake");
  n.pass(1900ms);
  CHECK(*never == nullptr);
  n.pass(200ms);
  KJ_IF_MAYBE (got, *never) {
    CHECK_FALSE(got->hasError());
    CHECK(got->getResult().getNextOffset() >= 0);
  } else {
    FAIL("its deadline passed");
  }
}

TEST_CASE("rpc: a caller that goes away takes its long poll with it", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  auto& errors = n.node->service().env->counters->fetch_errors;
  {
    rpc_session gone{n};
    parked(gone, 0, 60'000);
  }
  n.settle();
  c.produce("t", 1);
  CHECK(n.node->service().env->counters->bytes_out == 0); // nobody read for it
  CHECK(errors == 0);
}

TEST_CASE("rpc: where start, end and a time lie", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  c.produce("t", 5);
  auto start = offset_request(c);
  start.getRequest().initAt().setStart();
  CHECK(c.ask(start).getResult().getOffset() == 0);
  auto end = offset_request(c);
  end.getRequest().initAt().setEnd();
  auto at_end = c.ask(end);
  CHECK(at_end.getResult().getOffset() == 5);
  CHECK(at_end.getResult().getLogEnd() == 5);
  auto early = offset_request(c);
  early.getRequest().initAt().setTime(1);
  auto found = c.ask(early);
  CHECK(found.getResult().getOffset() == 0);
  CHECK(found.getResult().getTimestamp() == 1'700'000'000'000);
  auto late = offset_request(c);
  late.getRequest().initAt().setTime(INT64_MAX);
  CHECK(c.ask(late).getResult().getOffset() == -1);

  auto nowhere = offset_request(c);
  nowhere.getRequest().setPartition(3);
  CHECK(name_of(c.ask(nowhere).getError()) == "unknown_partition");
  // A place of a later version: the discriminant is the word that differs between two known ones.
  auto newer = offset_request(c);
  newer.getRequest().initAt().setStart();
  auto data = capnp::toAny(newer.getRequest()).getDataSection();
  std::vector<kj::byte> before{data.begin(), data.end()};
  newer.getRequest().getAt().setEnd();
  for (size_t i = 0; i < before.size(); ++i)
    if (data[i] != before[i]) data[i] = 9;
  CHECK(name_of(c.ask(newer).getError()) == "unsupported_version");
}

TEST_CASE("rpc: damage on the disk is told, never handed out", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  c.produce("t", 5);
  auto key = partition_key{c.id_of("t"), partition_id{0}};
  n.disk.flip_bit("data/topics/" + to_string(key) + "/00000000000000000000.log", 8 * 150);
  CHECK(name_of(c.fetch("t", 0).getError()) == "corrupt_data");
}

TEST_CASE("rpc: a fetch or question whose leader has ended is sent elsewhere", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  auto slot = parked(c, 0, 60'000);
  caf::anon_send_exit(n.node->service().env->routes->load()->find("t")->partitions[0].local,
                      caf::exit_reason::kill);
  n.settle();
  KJ_IF_MAYBE (got, *slot)
    CHECK(name_of(got->getError()) == "not_leader");
  else
    FAIL("no answer");
  CHECK(name_of(c.fetch("t", 0).getError()) == "not_leader");
  auto where = offset_request(c);
  CHECK(name_of(c.ask(where).getError()) == "not_leader");
}

TEST_CASE("rpc: what waits to be read by one peer is bounded", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t", 1, {{"max.message.bytes", "4000000"}});
  for (int i = 0; i < 2; ++i) {
    auto request = c.producer.produceRequest();
    c.fill(request.initRequest(), "t", make_wire_batch(1, 3'000'000));
    REQUIRE_FALSE(c.ask(request).hasError());
  }
  auto fetch = [&] {
    auto request = c.consumer.fetchRequest();
    c.fill(request.initRequest(), "t", 0);
    request.getRequest().setBytesMax(4 << 20);
    return c.begin(request);
  };
  auto overloaded = [](const std::vector<std::shared_ptr<kj::Maybe<fetch_answer>>>& answers,
                       const char* says) {
    size_t count = 0;
    for (auto& slot : answers)
      KJ_IF_MAYBE (got, *slot)
        if (got->hasError() && name_of(got->getError()) == "overloaded") {
          CHECK_THAT(message_of(got->getError()), Contains(says));
          ++count;
        }
    return count;
  };
  std::vector<std::shared_ptr<kj::Maybe<fetch_answer>>> answers;
  SECTION("of answers that are being read from the disk") {
    n.hold_reads = true;
    for (int i = 0; i < 12; ++i)
      answers.push_back(fetch());
    CHECK(overloaded(answers, "not sent yet") == 4); // 8 times 4 MiB fill the connection's 32 MiB
    n.hold_reads = false;
  }
  SECTION("of answers that it does not take") {
    n.hold_reads = true;
    for (int i = 0; i < 8; ++i)
      answers.push_back(fetch());
    n.settle();
    c.stream->close_gate();
    n.hold_reads = false;
    n.settle();
    for (int i = 0; i < 4; ++i)
      answers.push_back(fetch());
    c.stream->open_gate();
    n.settle();
    CHECK(overloaded(answers, "wait to be read") >= 4);
  }
  n.settle();
  for (auto& slot : answers)
    CHECK(*slot != nullptr);               // each was answered
  CHECK_FALSE(c.fetch("t", 0).hasError()); // and there is room again
}

TEST_CASE("rpc: calls that wait are counted per connection, and above the cap are told so", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n}, other{n};
  c.create("t", 2); // a partition has a cap of its own
  auto park = [](rpc_session& from, int32_t partition) {
    auto request = from.consumer.fetchRequest();
    from.fill(request.initRequest(), "t", 0, 60'000);
    request.getRequest().getPosition().setPartition(partition);
    return request.send();
  };
  std::vector<kj::Promise<void>> waiting;
  size_t woken = 0;
  for (size_t i = 0; i < parked_calls_max; ++i) {
    waiting.push_back(park(c, static_cast<int32_t>(i % 2))
                          .then([&](auto&&) { ++woken; })
                          .eagerlyEvaluate([](kj::Exception&&) {}));
    if (i % 512 == 0) n.settle();
  }
  n.settle();
  CHECK(woken == 0);
  auto above = c.fetch("t", 0);
  CHECK(name_of(above.getError()) == "overloaded");
  CHECK_THAT(message_of(above.getError()),
             Contains(std::to_string(parked_calls_max)) && Contains("another connection"));
  auto metadata = c.session.metadataRequest();
  metadata.initRequest().setAtLeast(1'000'000);
  CHECK(name_of(c.ask(metadata).getError()) == "overloaded");
  CHECK_FALSE(other.fetch("t", 0).hasError()); // others are not meant
  waiting.pop_back();                          // one goes away
  n.settle();
  CHECK_FALSE(c.fetch("t", 0).hasError());
  other.produce("t", 1, 0);
  other.produce("t", 1, 1);
  CHECK(woken == parked_calls_max - 1);
  CHECK_FALSE(c.fetch("t", 0).hasError());
}
