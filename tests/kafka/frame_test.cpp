#include "kafka/codec/frame.hpp"
#include "kafka/messages/api_versions.hpp"
#include "kafka/messages/metadata.hpp"
#include "kafka/messages/produce.hpp"
#include "tests/kafka/codec_tools.hpp"

using namespace pessoa;
using namespace pessoa::kafka;
using namespace pessoa::kafka::test;

namespace {

// What stands behind the length, which must be right.
bytes behind_length(const encoded& frame) {
  auto data = frame.joined();
  REQUIRE(data.size() >= 4);
  CHECK(static_cast<size_t>(load_be<int32_t>(data.data())) == data.size() - 4);
  return owned({data.begin() + 4, data.end()});
}

} // namespace

TEST_CASE("kafka: the first request of kcat is read as it comes", "[kafka][frame]") {
  // librdkafka 2.0.2: key 18, version 3, correlation id 1, client id "rdkafka", no tags; then the body.
  auto request = owned(message("0012 0003 00000001 0007 'rdkafka' 00 0b 'librdkafka' 06 '2.0.2' 00"));
  auto head = good(read_request_head(request));
  REQUIRE(head.api != nullptr);
  CHECK(head.api->name == "ApiVersions");
  CHECK(head.version_known);
  CHECK(head.version == 3);
  CHECK(head.correlation_id == 1);
  CHECK(head.client_id == "rdkafka");
  auto body = good(decode_request<api_versions_request>(request, head));
  CHECK(body.client_software_name == "librdkafka");
  CHECK(body.client_software_version == "2.0.2");
}

TEST_CASE("kafka: a request goes through its frame and back in every header version", "[kafka][frame]") {
  metadata_request request;
  request.topics = std::vector<metadata_request::topic>{{{}, "logs"}};
  for (int16_t version = 0; version <= metadata_request::version_max; ++version) {
    INFO("v" << version);
    auto message = behind_length(good(encode_request(request, version, 77, "me")));
    auto head = good(read_request_head(message));
    CHECK(head.correlation_id == 77);
    CHECK(head.client_id == "me");
    CHECK(head.body_begin == (version >= 9 ? 13u : 12u));
    CHECK(good(decode_request<metadata_request>(message, head)) == request);
  }
  auto nameless = behind_length(good(encode_request(request, 9, 1, std::nullopt)));
  CHECK_FALSE(good(read_request_head(nameless)).client_id.has_value());
}

TEST_CASE("kafka: an ApiVersions answer never has tags in its header", "[kafka][frame]") {
  api_versions_response answer;
  for (int16_t version = 0; version <= 4; ++version)
    CHECK(info(api_key::api_versions).response_header(version) == 0);
  CHECK(good(encode_response(answer, 3, 5)).joined() == message("0000000c 00000005 0000 01 00000000 00"));
  CHECK(info(api_key::metadata).response_header(8) == 0);
  CHECK(info(api_key::metadata).response_header(9) == 1);
}

TEST_CASE("kafka: a response goes through its frame and belongs to one request", "[kafka][frame]") {
  metadata_response answer;
  answer.controller_id = 3;
  for (int16_t version = 1; version <= metadata_response::version_max; ++version) {
    auto message = behind_length(good(encode_response(answer, version, 9)));
    CHECK(good(decode_response<metadata_response>(message, version, 9)) == answer);
    auto other = decode_response<metadata_response>(message, version, 10);
    REQUIRE_FALSE(other.ok());
    CHECK(other.error().code == ec::malformed_message);
  }
}

TEST_CASE("kafka: unknown keys and versions are told, with what is needed for an answer", "[kafka][frame]") {
  auto future = good(read_request_head(owned(message("0012 0063 00000007 ff"))));
  REQUIRE(future.api != nullptr);
  CHECK(future.api->key == api_key::api_versions);
  CHECK_FALSE(future.version_known);
  CHECK(future.version == 99);
  CHECK(future.correlation_id == 7);

  auto unknown = good(read_request_head(owned(message("7fff 0000 00000007"))));
  CHECK(unknown.api == nullptr);
  CHECK_FALSE(unknown.version_known);
  auto negative = good(read_request_head(owned(message("ffff ffff 00000007"))));
  CHECK(negative.api == nullptr);
  CHECK_FALSE(good(read_request_head(owned(message("0003 ffff 00000007 ffff")))).version_known);
}

TEST_CASE("kafka: a head that is cut off or wrong is malformed", "[kafka][frame]") {
  raw whole = message("0003 0009 00000001 0002 'me' 00");
  for (size_t size = 0; size < whole.size(); ++size) {
    auto head = read_request_head(owned({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}));
    INFO(size);
    REQUIRE_FALSE(head.ok());
    CHECK(head.error().code == ec::malformed_message);
  }
  CHECK_FALSE(read_request_head(owned(message("0003 0009 00000001 fffe 00"))).ok());
  CHECK_FALSE(read_request_head(owned(message("0003 0009 00000001 7fff 'me' 00"))).ok());
}

TEST_CASE("kafka: the table has each API once, in order, and its versions are its messages'",
          "[kafka][frame]") {
  auto apis = all_apis();
  REQUIRE(apis.size() == 11);
  for (size_t i = 1; i < apis.size(); ++i)
    CHECK(apis[i - 1].key < apis[i].key);
  for (auto& api : apis)
    CHECK(&info(api.key) == &api);
  auto& produce = info(api_key::produce);
  CHECK(produce.name == "Produce");
  CHECK(produce.codec == version_range{produce_request::version_min, produce_request::version_max});
  CHECK(produce.flexible_from == 9);
  CHECK(produce.request_header(8) == 1);
  CHECK(produce.request_header(9) == 2);
  CHECK(find_api(4) == nullptr);
}
