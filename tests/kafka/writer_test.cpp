#include "kafka/codec/frame.hpp"
#include "kafka/messages/fetch.hpp"
#include "kafka/messages/metadata.hpp"
#include "kafka/messages/produce.hpp"
#include "tests/kafka/codec_tools.hpp"

using namespace pessoa;
using namespace pessoa::kafka;
using namespace pessoa::kafka::test;

namespace {

bytes batch(size_t size, uint8_t fill) { return owned(raw(size, fill)); }

fetch_response_partition partition(bytes records) {
  fetch_response_partition out;
  out.records = payload{std::move(records)};
  return out;
}

} // namespace

TEST_CASE("kafka: records leave by reference, in their place between our own bytes", "[kafka][writer]") {
  auto first = batch(70'000, 1), second = batch(600, 2), small = batch(40, 3);
  fetch_response answer;
  answer.topics = {{"logs", {}, {partition(first), partition(second), partition(small)}}};
  for (int16_t version : {int16_t{4}, int16_t{11}, int16_t{12}}) {
    INFO("v" << version);
    auto wire = good(encode_response(answer, version, 1));
    // Ours, the first batch, ours, the second, ours with the small one in it.
    REQUIRE(wire.pieces.size() == 5);
    CHECK(wire.pieces[1].data() == first.data());
    CHECK(wire.pieces[1].size() == first.size());
    CHECK(wire.pieces[3].data() == second.data());
    auto joined = wire.joined();
    CHECK(joined.size() == wire.size);
    CHECK(good(decode_response<fetch_response>(owned({joined.begin() + 4, joined.end()}), version, 1))
          == answer);
  }
}

TEST_CASE("kafka: an encoded message keeps its records alive", "[kafka][writer]") {
  auto owner = std::make_shared<raw>(raw(1000, 7));
  std::weak_ptr<raw> watch = owner;
  auto wire = [&] {
    fetch_response answer;
    answer.topics = {{"t", {}, {partition(bytes{owner, byte_view{*owner}})}}};
    owner.reset();
    return good(encode(answer, 4));
  }();
  CHECK_FALSE(watch.expired());
  wire.pieces.clear();
  CHECK(watch.expired());
}

TEST_CASE("kafka: a message without records is one piece", "[kafka][writer]") {
  CHECK(good(encode_response(metadata_response{}, 9, 1)).pieces.size() == 1);
  CHECK(good(encode(fetch_response{}, 4)).pieces.size() == 1);
}

TEST_CASE("kafka: what a version cannot say is refused, with the name of the field", "[kafka][writer]") {
  auto refusal = [](const auto& meant, int16_t version) {
    auto wire = encode(meant, version);
    REQUIRE_FALSE(wire.ok());
    CHECK(wire.error().code == ec::unsupported_version);
    return wire.error().message;
  };
  CHECK(refusal(metadata_request{}, 0) == "metadata_request.topics is null where null cannot be said");
  metadata_request by_id;
  by_id.topics = std::vector<metadata_request::topic>{{{}, std::nullopt}};
  CHECK(refusal(by_id, 9) == "metadata_request_topic.name is null where null cannot be said");
  produce_request transactional;
  transactional.transactional_id = "t";
  CHECK(refusal(transactional, 2) == "produce_request.transactional_id is set, and version 2 lacks it");
  metadata_request curious;
  curious.include_cluster_authorized_operations = true;
  CHECK(refusal(curious, 7)
        == "metadata_request.include_cluster_authorized_operations is set, and version 7 lacks it");
  CHECK(refusal(curious, 11)
        == "metadata_request.include_cluster_authorized_operations is set, and version 11 lacks it");
  CHECK(encode(curious, 10).ok());
}

TEST_CASE("kafka: what may be ignored is left out of versions without it", "[kafka][writer]") {
  metadata_response full;
  full.throttle_time_ms = 5;
  full.cluster_id = "c";
  auto back = good(decode<metadata_response>(owned(good(encode(full, 1)).joined()), 1));
  CHECK(back.throttle_time_ms == 0);
  CHECK_FALSE(back.cluster_id.has_value());
}

TEST_CASE("kafka: a string longer than its length field is refused, not cut", "[kafka][writer]") {
  metadata_request request;
  request.topics = std::vector<metadata_request::topic>{{{}, std::string(32'767, 'x')}};
  CHECK(encode(request, 1).ok());
  request.topics->at(0).name->push_back('x');
  auto wire = encode(request, 1);
  REQUIRE_FALSE(wire.ok());
  CHECK(wire.error().code == ec::message_too_large);
  CHECK(encode(request, 9).ok()); // compact lengths have room
}
