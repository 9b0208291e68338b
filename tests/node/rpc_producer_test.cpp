#include "tests/node/rpc_fixture.hpp"

#include <capnp/any.h>

using namespace pessoa;
using namespace pessoa::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

using spoil = std::function<void(wire::ProduceRequest::Builder)>;

// What the node says to one batch of one record, with something wrong about it.
std::string refusal(rpc_session& c, const spoil& change, std::vector<uint8_t> batch = make_wire_batch(1)) {
  auto request = c.producer.produceRequest();
  c.fill(request.initRequest(), "t", batch);
  change(request.getRequest());
  auto answer = c.ask(request);
  return answer.hasError() ? name_of(answer.getError()) : "stored";
}

auto records_request(rpc_session& c, unsigned count) {
  auto request = c.producer.produceRecordsRequest();
  wire::write(c.id_of("t"), request.initRequest().initTopic());
  request.getRequest().initRecords(count);
  return request;
}

// A list that claims entries and holds no byte of them, in the place of a pointer.
void claim_entries(capnp::AnyStruct::Builder in, unsigned pointer, unsigned entries) {
  in.getPointerSection()[pointer].initAsListOfAnyStruct(0, 0, entries);
}

} // namespace

TEST_CASE("rpc: a batch is stored, and told where", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  CHECK(c.produce("t", 3).getResult().getBaseOffset() == 0);
  auto second = c.produce("t", 2);
  CHECK(second.getResult().getBaseOffset() == 3);
  CHECK(second.getResult().getLogStart() == 0);
  CHECK(second.getResult().getAppendTime() == -1); // create time
  for (auto [level, base] : {std::pair{1, 5}, {0, -1}, {-1, 7}}) {
    auto request = c.producer.produceRequest();
    c.fill(request.initRequest(), "t", make_wire_batch(1));
    request.getRequest().setAcks(static_cast<int8_t>(level));
    CHECK(c.ask(request).getResult().getBaseOffset() == base);
  }
}

TEST_CASE("rpc: a batch that cannot be stored is refused by name", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t", 1, {{"max.message.bytes", "2000"}});
  auto fine = make_wire_batch(1);
  CHECK(refusal(c, [](auto) {}) == "stored");
  CHECK(refusal(c, [](auto r) { r.initTopic(); }) == "unknown_topic_id");
  CHECK(refusal(c, [](auto r) { r.setPartition(1); }) == "unknown_partition");
  CHECK(refusal(c, [](auto r) { r.setPartition(-1); }) == "unknown_partition");
  CHECK(refusal(c, [](auto r) { r.setPartition(INT32_MIN); }) == "unknown_partition");
  CHECK(refusal(c, [](auto r) { r.setAcks(2); }) == "invalid_required_acks");
  CHECK(refusal(c, [](auto r) { r.setAcks(-2); }) == "invalid_required_acks");
  auto epoch = n.node->service().env->routes->load()->find("t")->partitions[0].epoch.value();
  CHECK(refusal(c, [=](auto r) { r.setEpoch(epoch); }) == "stored");
  CHECK(refusal(c, [=](auto r) { r.setEpoch(epoch + 1); }) != "stored");
  CHECK(refusal(c, [](auto) {}, {}) == "corrupt_message");
  CHECK(refusal(
            c, [](auto) {}, make_wire_batch(1, 3000))
        == "message_too_large");
  for (size_t at : {8u, 16u, 17u, 21u, 60u, 65u}) { // length, magic, CRC, attributes, count, a record
    CAPTURE(at);
    auto spoilt = fine;
    spoilt[at] ^= 1;
    CHECK(refusal(
              c, [](auto) {}, spoilt)
          != "stored");
  }
  auto two = fine;
  two.insert(two.end(), fine.begin(), fine.end());
  CHECK(refusal(
            c, [](auto) {}, two)
        == "corrupt_message");
  CHECK(c.fetch("t", 0).getResult().getHighWatermark() == 2); // only what was stored
}

TEST_CASE("rpc: a stale epoch is told apart from the present one", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  n.stop().value();
  n.settings.begin_new = false;
  REQUIRE(n.start().ok()); // the epoch is a new one
  rpc_session again{n};
  auto epoch = n.node->service().env->routes->load()->find("t")->partitions[0].epoch.value();
  REQUIRE(epoch > 0);
  CHECK(refusal(again, [=](auto r) { r.setEpoch(epoch - 1); }) == "fenced_leader_epoch");
  CHECK(refusal(again, [=](auto r) { r.setEpoch(epoch); }) == "stored");
}

TEST_CASE("rpc: a repeated batch gets the first answer, and one out of order none", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  auto begin = c.session.producerRequest();
  begin.setIdempotent(true);
  auto id = c.ask(begin).getProducerId();
  auto send = [&](int32_t sequence) {
    auto request = c.producer.produceRequest();
    c.fill(request.initRequest(), "t",
           make_wire_batch(2, 16, {producer_id{id}, producer_epoch{0}, sequence}));
    return c.ask(request);
  };
  CHECK(send(0).getResult().getBaseOffset() == 0);
  auto repeated = send(0);
  CHECK(repeated.getResult().getBaseOffset() == 0);
  CHECK(repeated.getResult().getDuplicate());
  CHECK(name_of(send(5).getError()) == "out_of_order_sequence");
  CHECK(send(2).getResult().getBaseOffset() == 2);
}

TEST_CASE("rpc: a batch that is not synced in time is in doubt, not refused", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  auto request = c.producer.produceRequest();
  c.fill(request.initRequest(), "t", make_wire_batch(1));
  request.getRequest().setTimeoutMs(1000);
  n.hold_commits = true;
  auto slot = c.begin(request);
  n.pass(900ms);
  CHECK(*slot == nullptr);
  n.pass(200ms);
  KJ_IF_MAYBE (answer, *slot)
    CHECK(name_of(answer->getError()) == "timed_out");
  else
    FAIL("no answer");
  n.hold_commits = false;
  n.settle();
  CHECK(c.fetch("t", 0).getResult().getHighWatermark() == 1);
}

TEST_CASE("rpc: a leader that dies under a batch leaves it in doubt, and before it refuses", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  auto leader = n.node->service().env->routes->load()->find("t")->partitions[0].local;
  auto request = c.producer.produceRequest();
  c.fill(request.initRequest(), "t", make_wire_batch(1));
  n.hold_commits = true;
  auto slot = c.begin(request);
  caf::anon_send_exit(leader, caf::exit_reason::kill);
  n.settle();
  KJ_IF_MAYBE (answer, *slot)
    CHECK(name_of(answer->getError()) == "unknown_result");
  else
    FAIL("no answer");
  CHECK(name_of(c.produce("t", 1).getError()) == "not_leader");
}

TEST_CASE("rpc: records without a batch are built into one by the node", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  auto request = records_request(c, 2);
  auto records = request.getRequest().getRecords();
  records[0].initKey().setSome(kj::StringPtr{"k"}.asBytes());
  records[0].initValue().setSome(kj::StringPtr{"v"}.asBytes());
  auto headers = records[0].initHeaders(2);
  headers[0].setKey("h");
  headers[0].initValue().setSome(kj::StringPtr{"1"}.asBytes());
  headers[1].setKey("null");
  records[1].setTimestamp(1'600'000'000'000);
  CHECK(c.ask(request).getResult().getBaseOffset() == 0);
  auto fetched = c.fetch("t", 0);
  auto data = fetched.getResult().getBatches();
  auto reader = batch_reader::open(byte_view{data.begin(), data.size()}).value();
  auto first = reader.next().value();
  REQUIRE(first.has_value());
  CHECK(as_text(*first->record.key) == "k");
  CHECK(as_text(*first->record.value) == "v");
  REQUIRE(first->record.headers.size() == 2);
  CHECK(first->record.headers[0].key == "h");
  CHECK_FALSE(first->record.headers[1].value.has_value());
  CHECK(first->record.time == n.time.wall());
  auto second = reader.next().value();
  REQUIRE(second.has_value());
  CHECK_FALSE(second->record.key.has_value());
  CHECK_FALSE(second->record.value.has_value());
  CHECK(second->record.time == timestamp{1'600'000'000'000});
}

TEST_CASE("rpc: records that make no batch are refused before memory is taken for them", "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  auto none = records_request(c, 0);
  CHECK(name_of(c.ask(none).getError()) == "invalid_argument");

  for (unsigned count : {100u, (1u << 20) - 1}) {
    auto claimed = records_request(c, 0);
    claim_entries(capnp::toAny(claimed.getRequest()), 1, count);
    CHECK(name_of(c.ask(claimed).getError()) == "malformed_message");
    auto headers = records_request(c, 1);
    claim_entries(capnp::toAny(headers.getRequest().getRecords()[0]), 2, std::min(count, 65'536u));
    CHECK(name_of(c.ask(headers).getError()) == "malformed_message");
  }
  auto many = records_request(c, 0);
  claim_entries(capnp::toAny(many.getRequest()), 1, (1u << 20) + 1);
  CHECK(name_of(c.ask(many).getError()) == "message_too_large");
  auto headers = records_request(c, 1);
  claim_entries(capnp::toAny(headers.getRequest().getRecords()[0]), 2, headers_per_record_max + 1);
  CHECK(name_of(c.ask(headers).getError()) == "message_too_large");

  auto large = records_request(c, 2);
  std::vector<uint8_t> half(message_bytes_max / 2 + 1);
  for (auto record : large.getRequest().getRecords())
    record.initValue().setSome(kj::arrayPtr(half.data(), half.size()));
  CHECK(name_of(c.ask(large).getError()) == "message_too_large");

  auto nowhere = records_request(c, 1);
  nowhere.getRequest().setPartition(9);
  CHECK(name_of(c.ask(nowhere).getError()) == "unknown_partition");
}

TEST_CASE("rpc: a full disk refuses batches with the figures, and takes them again when there is room",
          "[node][rpc]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  rpc_session c{n};
  c.create("t");
  n.disk.set_capacity(n.disk.bytes_used() + n.settings.disk_reserve_bytes);
  auto refused = c.produce("t", 1);
  CHECK(name_of(refused.getError()) == "disk_full");
  CHECK_THAT(message_of(refused.getError()), Contains("reserve"));
  n.disk.set_capacity(1ull << 40);
  CHECK(c.produce("t", 1).getResult().getBaseOffset() == 0);
}
