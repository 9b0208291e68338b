// Bytes that lie: counts, lengths, tags, nulls and numbers made by hand.
#include "kafka/messages/api_versions.hpp"
#include "kafka/messages/create_topics.hpp"
#include "kafka/messages/delete_topics.hpp"
#include "kafka/messages/fetch.hpp"
#include "kafka/messages/metadata.hpp"
#include "kafka/messages/produce.hpp"
#include "tests/kafka/codec_tools.hpp"

using namespace pessoa;
using namespace pessoa::kafka;
using namespace pessoa::kafka::test;

namespace {

template <class Message>
std::string refusal(std::string_view text, int16_t version, const decode_limits& limits = {}) {
  auto got = decode<Message>(owned(message(text)), version, limits);
  INFO(text);
  REQUIRE_FALSE(got.ok());
  CHECK(got.error().code == ec::malformed_message);
  return got.error().message;
}

bool says(const std::string& text, std::string_view part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("kafka: a count that the bytes cannot hold is refused before memory is taken", "[kafka][hostile]") {
  CHECK(says(refusal<metadata_request>("7fffffff", 1), "an array of 2147483647 elements"));
  CHECK(says(refusal<metadata_request>("ffffffff0f 01 00 00 00", 9), "length 4294967294"));
  CHECK(says(refusal<metadata_request>("00000002 0001 'a'", 1), "an array of 2 elements, for which 3 bytes"));
  // Sixteen bytes a partition at least: two of them do not fit in 31.
  raw fetch = message("ffffffff 00000000 00000000 00000001 0000 00000002");
  fetch.resize(fetch.size() + 31);
  CHECK_FALSE(decode<fetch_request>(owned(fetch), 0).ok());
}

TEST_CASE("kafka: negative lengths other than null are refused", "[kafka][hostile]") {
  CHECK(says(refusal<metadata_request>("fffffffe", 1), "length -2"));
  CHECK(says(refusal<metadata_request>("80000000", 1), "length -2147483648"));
  CHECK(says(refusal<metadata_request>("00000001 fffe", 1), "length -2"));
  CHECK(says(refusal<produce_request>("0001 00000000 00000001 0001 't' 00000001 00000000 fffffffe", 0),
             "length -2"));
}

TEST_CASE("kafka: null is refused where the version does not allow it", "[kafka][hostile]") {
  CHECK(says(refusal<metadata_request>("ffffffff", 0), "null"));
  CHECK(says(refusal<metadata_request>("00000001 ffff", 4), "null"));
  CHECK(says(refusal<metadata_request>("02 00 01 00 00 00", 9), "null"));
  CHECK(says(refusal<api_versions_request>("00 02 'v' 00", 3), "null"));
}

TEST_CASE("kafka: a length beyond the message is refused", "[kafka][hostile]") {
  CHECK(
      says(refusal<metadata_request>("00000001 0005 'abcd'", 1), "a string of 5 bytes, but only 4 are left"));
  CHECK(says(refusal<produce_request>("0001 00000000 00000001 0001 't' 00000001 00000000 7fffffff", 0),
             "bytes of 2147483647 bytes, but only 0 are left"));
}

TEST_CASE("kafka: a variable-length number has one form only", "[kafka][hostile]") {
  auto read = [](std::string_view text) {
    reader in{owned(message(text))};
    auto number = in.uvarint();
    auto done = in.finish();
    return done.ok() ? std::to_string(number) : done.error().message;
  };
  CHECK(read("00") == "0");
  CHECK(read("7f") == "127");
  CHECK(read("8001") == "128");
  CHECK(read("ffffffff0f") == "4294967295");
  CHECK(says(read("8000"), "longer than it must be"));
  CHECK(says(read("ff00"), "longer than it must be"));
  CHECK(says(read("8080808000"), "longer than it must be"));
  CHECK(says(read("ffffffff1f"), "more than 32 bits"));
  CHECK(says(read("808080808001"), "more than 32 bits"));
  CHECK(says(read("80"), "but only 0 are left"));
}

TEST_CASE("kafka: unknown tagged fields are passed over within their bounds", "[kafka][hostile]") {
  auto got =
      good(decode<api_versions_request>(owned(message("02 'a' 02 'b' 02 05 01 ff 80e807 02 0102")), 3));
  CHECK(got.client_software_name == "a");
  CHECK(got.client_software_version == "b");
  CHECK(says(refusal<api_versions_request>("02 'a' 02 'b' 01 05 02 ff", 3), "a tagged field of 2 bytes"));
}

TEST_CASE("kafka: tags that repeat or descend are refused, known or not", "[kafka][hostile]") {
  CHECK(says(refusal<api_versions_request>("02 'a' 02 'b' 02 05 00 05 00", 3), "must ascend"));
  CHECK(says(refusal<api_versions_request>("02 'a' 02 'b' 02 05 00 04 00", 3), "must ascend"));
  auto features = "0000 01 00000000 02 01 08 0000000000000001 00 01 01";
  CHECK(says(refusal<api_versions_response>(features, 3), "must ascend"));
  auto twice = "0000 01 00000000 02 01 08 0000000000000001 01 08 0000000000000002";
  CHECK(says(refusal<api_versions_response>(twice, 3), "must ascend"));
}

TEST_CASE("kafka: a tagged field is read exactly to its end", "[kafka][hostile]") {
  auto head = std::string{"0000 01 00000000 01 01 "};
  CHECK(good(decode<api_versions_response>(owned(message(head + "08 0000000000000005")), 3))
            .finalized_features_epoch
        == 5);
  CHECK(says(refusal<api_versions_response>(head + "09 0000000000000005 00", 3),
             "left over in the tagged field 1"));
  // The value may not borrow from what follows it.
  CHECK(says(refusal<api_versions_response>(head + "07 0000000000000005", 3),
             "a number of 8 bytes, but only 7"));
}

TEST_CASE("kafka: more tags than bytes are refused", "[kafka][hostile]") {
  CHECK(says(refusal<api_versions_request>("02 'a' 02 'b' ffffffff0f", 3),
             "4294967295 tagged fields in 0 bytes"));
}

TEST_CASE("kafka: an array above the limit of elements is refused", "[kafka][hostile]") {
  raw data = message("000186a1"); // 100,001
  data.resize(data.size() + 2 * 100'001 + 4);
  auto got = decode<delete_topics_request>(owned(data), 1);
  REQUIRE_FALSE(got.ok());
  CHECK(says(got.error().message, "the limit is 100000"));
  data[3] = 0xa0;
  data.resize(data.size() - 2);
  decode_limits generous;
  generous.memory_factor = 100;
  CHECK(decode<delete_topics_request>(owned(data), 1, generous).ok());
}

TEST_CASE("kafka: decoded values occupy a bounded multiple of the message", "[kafka][hostile]") {
  // Empty names: one byte each on the wire, a string object each in memory.
  raw data = message("a18d06"); // 100,000 and one
  data.insert(data.end(), 100'000, 0x01);
  data.resize(data.size() + 5);
  auto got = decode<delete_topics_request>(owned(data), 4);
  REQUIRE_FALSE(got.ok());
  CHECK(says(got.error().message, "bytes of memory, the limit is"));

  reader in{owned(data)};
  delete_topics_request request;
  request.decode(in, 4);
  CHECK_FALSE(in.finish().ok());
  CHECK(request.topic_names.empty());
  CHECK(in.memory() == 0); // refused before it was taken
}

TEST_CASE("kafka: names of ordinary length stay below the bound at any count", "[kafka][hostile]") {
  metadata_request request;
  request.topics.emplace();
  for (int i = 0; i < 50'000; ++i)
    request.topics->push_back({{}, "topic-" + std::to_string(i)});
  auto wire = good(encode(request, 9)).joined();
  CHECK(decode<metadata_request>(owned(wire), 9).ok());
}

TEST_CASE("kafka: records are slices of the request and keep it alive", "[kafka][codec]") {
  auto data = message("0001 00000000 00000001 0001 't' 00000001 00000000 00000005 'BATCH'");
  auto* begin = data.data() + data.size() - 5;
  std::optional<payload> records;
  {
    auto request = owned(std::move(data)); // moving a vector leaves its bytes where they are
    records = good(decode<produce_request>(request, 0)).topics[0].partitions[0].records;
  }
  REQUIRE(records.has_value());
  CHECK(records->data().data() == begin);
  CHECK(as_text(records->view()) == "BATCH");
}

TEST_CASE("kafka: any byte but zero is true", "[kafka][codec]") {
  CHECK(good(decode<metadata_request>(owned(message("00000000 02")), 4)).allow_auto_topic_creation);
  CHECK_FALSE(good(decode<metadata_request>(owned(message("00000000 00")), 4)).allow_auto_topic_creation);
}
