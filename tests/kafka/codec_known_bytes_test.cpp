// Messages as they stand on the wire, written down by hand from the protocol: lengths, nulls, tags and the order of
// fields are ours to get right, and a round trip alone would not notice an error made on both sides.
#include "kafka/messages/api_versions.hpp"
#include "kafka/messages/create_topics.hpp"
#include "kafka/messages/delete_topics.hpp"
#include "kafka/messages/fetch.hpp"
#include "kafka/messages/find_coordinator.hpp"
#include "kafka/messages/list_offsets.hpp"
#include "kafka/messages/metadata.hpp"
#include "kafka/messages/offset_for_leader_epoch.hpp"
#include "kafka/messages/produce.hpp"
#include "tests/kafka/codec_tools.hpp"

using namespace pessoa;
using namespace pessoa::kafka;
using namespace pessoa::kafka::test;

namespace {

payload as_payload(std::string_view text) { return bytes::copy(as_bytes(text)); }
topic_id id_of(uint8_t first) {
  return topic_id{{first, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
}
constexpr auto id_hex = "0102030405060708090a0b0c0d0e0f10";

} // namespace

TEST_CASE("kafka: ApiVersions is empty before version 3 and names the client from then on",
          "[kafka][codec]") {
  check_bytes(api_versions_request{}, 0, {});
  api_versions_request request;
  request.client_software_name = "librdkafka";
  request.client_software_version = "2.0.2";
  check_bytes(request, 3, message("0b 'librdkafka' 06 '2.0.2' 00"));
}

TEST_CASE("kafka: an ApiVersions answer has plain counts in version 0 and compact ones in version 3",
          "[kafka][codec]") {
  api_versions_response answer;
  answer.error_code = 35;
  answer.api_keys = {{18, 0, 4}};
  check_bytes(answer, 0, message("0023 00000001 0012 0000 0004"));
  answer.throttle_time_ms = 7;
  check_bytes(answer, 1, message("0023 00000001 0012 0000 0004 00000007"));
  // Each element ends in its tags, too.
  check_bytes(answer, 3, message("0023 02 0012 0000 0004 00 00000007 00"));
  // Tagged: 0 the features (a list of one), 1 the epoch.
  answer.supported_features = {{"f", 1, 2}};
  answer.finalized_features_epoch = 5;
  check_bytes(answer, 3,
              message("0023 02 0012 0000 0004 00 00000007"
                      "02 00 08 02 02 'f' 0001 0002 00 01 08 0000000000000005"));
}

TEST_CASE("kafka: no topics and all topics differ in Metadata from version 1 on", "[kafka][codec]") {
  metadata_request all;
  REQUIRE_FALSE(all.topics.has_value());
  check_bytes(all, 1, message("ffffffff"));
  check_bytes(all, 4, message("ffffffff 01"));
  check_bytes(all, 9, message("00 01 00 00 00"));
  metadata_request none;
  none.topics.emplace();
  check_bytes(none, 0, message("00000000"));
  check_bytes(none, 1, message("00000000"));
  metadata_request one;
  one.topics = std::vector<metadata_request::topic>{{topic_id{}, "logs"}};
  check_bytes(one, 1, message("00000001 0004 'logs'"));
  one.topics = std::vector<metadata_request::topic>{{id_of(1), std::nullopt}};
  check_bytes(one, 12, message(std::string{"02"} + id_hex + "00 00 01 00 00"));
}

TEST_CASE("kafka: a Metadata answer grows by fields in the middle", "[kafka][codec]") {
  metadata_response answer;
  answer.brokers = {{1, "127.0.0.1", 9092, std::nullopt}};
  answer.controller_id = 1;
  metadata_response_topic topic;
  topic.name = "logs";
  topic.partitions.emplace_back();
  topic.partitions[0].leader_id = 1;
  topic.partitions[0].replica_nodes = {1};
  topic.partitions[0].isr_nodes = {1};
  answer.topics = {topic};
  check_bytes(answer, 1,
              message("00000001 00000001 0009 '127.0.0.1' 00002384 ffff 00000001"
                      "00000001 0000 0004 'logs' 00 00000001"
                      "0000 00000000 00000001 00000001 00000001 00000001 00000001"));
  answer.cluster_id = "c";
  answer.throttle_time_ms = 1;
  answer.topics[0].partitions[0].leader_epoch = 3;
  check_bytes(answer, 7,
              message("00000001 00000001 00000001 0009 '127.0.0.1' 00002384 ffff 0001 'c' 00000001"
                      "00000001 0000 0004 'logs' 00 00000001"
                      "0000 00000000 00000001 00000003 00000001 00000001 00000001 00000001 00000000"));
  answer.topics[0].topic_id = id_of(1);
  check_bytes(
      answer, 12,
      message(std::string{"00000001 02 00000001 0a '127.0.0.1' 00002384 00 00 02 'c' 00000001"
                          "02 0000 05 'logs'"}
              + id_hex
              + "00 02 0000 00000000 00000001 00000003 02 00000001 02 00000001 01 00 80000000 00 00"));
}

TEST_CASE("kafka: Produce names its transaction from version 3 on and its records stay one piece",
          "[kafka][codec]") {
  produce_request request;
  request.acks = -1;
  request.timeout_ms = 5000;
  request.topics = {{"logs", {}, {{2, as_payload("BATCH")}}}};
  check_bytes(request, 2, message("ffff 00001388 00000001 0004 'logs' 00000001 00000002 00000005 'BATCH'"));
  check_bytes(request, 7,
              message("ffff ffff 00001388 00000001 0004 'logs' 00000001 00000002 00000005 'BATCH'"));
  check_bytes(request, 9, message("00 ffff 00001388 02 05 'logs' 02 00000002 06 'BATCH' 00 00 00"));
  request.topics = {{"", id_of(1), {{2, std::nullopt}}}};
  check_bytes(request, 13, message(std::string{"00 ffff 00001388 02"} + id_hex + "02 00000002 00 00 00 00"));
}

TEST_CASE("kafka: a Produce answer carries time, log start, errors and leaders, version by version",
          "[kafka][codec]") {
  produce_response answer;
  answer.topics = {{"t", {}, {{}}}};
  auto& partition = answer.topics[0].partitions[0];
  partition.index = 1;
  partition.base_offset = 16;
  check_bytes(answer, 0, message("00000001 0001 't' 00000001 00000001 0000 0000000000000010"));
  answer.throttle_time_ms = 9;
  partition.log_append_time_ms = 255;
  partition.log_start_offset = 2;
  check_bytes(answer, 7,
              message("00000001 0001 't' 00000001 00000001 0000 0000000000000010 00000000000000ff"
                      "0000000000000002 00000009"));
  partition.record_errors = {{3, "bad"}};
  check_bytes(answer, 8,
              message("00000001 0001 't' 00000001 00000001 0000 0000000000000010 00000000000000ff"
                      "0000000000000002 00000001 00000003 0003 'bad' ffff 00000009"));
  partition.record_errors.clear();
  partition.current_leader = {4, 6};
  answer.node_endpoints = {{4, "h", 1, std::nullopt}};
  check_bytes(answer, 10,
              message("02 02 't' 02 00000001 0000 0000000000000010 00000000000000ff 0000000000000002 01 00"
                      "01 00 09 00000004 00000006 00" // the tag: number, size, two numbers, its own tags
                      "00 00000009 01 00 0d 02 00000004 02 'h' 00000001 00 00"));
}

TEST_CASE("kafka: Fetch has sessions from 7, the rack from 11 and tags from 12 on", "[kafka][codec]") {
  fetch_request request;
  request.max_wait_ms = 500;
  request.min_bytes = 1;
  request.max_bytes = 0x100000;
  request.topics = {{"logs", {}, {{}}}};
  auto& partition = request.topics[0].partitions[0];
  partition.fetch_offset = 42;
  partition.partition_max_bytes = 0x10000;
  check_bytes(request, 4,
              message("ffffffff 000001f4 00000001 00100000 00 00000001 0004 'logs' 00000001"
                      "00000000 000000000000002a 00010000"));
  request.rack_id = "r1";
  check_bytes(request, 11,
              message("ffffffff 000001f4 00000001 00100000 00 00000000 ffffffff 00000001 0004 'logs'"
                      "00000001 00000000 ffffffff 000000000000002a ffffffffffffffff 00010000"
                      "00000000 0002 'r1'"));
  check_bytes(request, 12,
              message("ffffffff 000001f4 00000001 00100000 00 00000000 ffffffff 02 05 'logs'"
                      "02 00000000 ffffffff 000000000000002a ffffffff ffffffffffffffff 00010000 00 00"
                      "01 03 'r1' 00"));
  // The replica's id leaves its place for a tag.
  request.topics.clear();
  request.rack_id.clear();
  request.replica_state = {3, 8};
  check_bytes(request, 15,
              message("000001f4 00000001 00100000 00 00000000 ffffffff 01 01 01"
                      "01 01 0d 00000003 0000000000000008 00"));
}

TEST_CASE("kafka: a Fetch answer has the batches behind the transactions that were aborted",
          "[kafka][codec]") {
  fetch_response answer;
  answer.topics = {{"logs", {}, {{}}}};
  auto& partition = answer.topics[0].partitions[0];
  partition.high_watermark = 7;
  partition.last_stable_offset = 6;
  partition.records = as_payload("BATCH");
  check_bytes(answer, 4,
              message("00000000 00000001 0004 'logs' 00000001 00000000 0000 0000000000000007"
                      "0000000000000006 ffffffff 00000005 'BATCH'"));
  partition.aborted_transactions = {{9, 1}};
  partition.log_start_offset = 0;
  check_bytes(answer, 11,
              message("00000000 0000 00000000 00000001 0004 'logs' 00000001 00000000 0000"
                      "0000000000000007 0000000000000006 0000000000000000"
                      "00000001 0000000000000009 0000000000000001 ffffffff 00000005 'BATCH'"));
  partition.aborted_transactions.reset();
  partition.diverging_epoch = {2, 3};
  check_bytes(answer, 12,
              message("00000000 0000 00000000 02 05 'logs' 02 00000000 0000"
                      "0000000000000007 0000000000000006 0000000000000000 00 ffffffff 06 'BATCH'"
                      "01 00 0d 00000002 0000000000000003 00  00 00"));
}

TEST_CASE("kafka: ListOffsets version 0 answers a list and later ones a single offset", "[kafka][codec]") {
  list_offsets_request request;
  request.topics = {{"t", {{}}}};
  request.topics[0].partitions[0].timestamp = -2;
  check_bytes(request, 0, message("ffffffff 00000001 0001 't' 00000001 00000000 fffffffffffffffe 00000001"));
  check_bytes(request, 1, message("ffffffff 00000001 0001 't' 00000001 00000000 fffffffffffffffe"));
  list_offsets_response answer;
  answer.topics = {{"t", {{}}}};
  answer.topics[0].partitions[0].old_style_offsets = {5};
  check_bytes(answer, 0, message("00000001 0001 't' 00000001 00000000 0000 00000001 0000000000000005"));
  answer.topics[0].partitions[0].old_style_offsets.clear();
  answer.topics[0].partitions[0].offset = 5;
  answer.topics[0].partitions[0].leader_epoch = 1;
  check_bytes(answer, 4,
              message("00000000 00000001 0001 't' 00000001 00000000 0000 ffffffffffffffff"
                      "0000000000000005 00000001"));
}

TEST_CASE("kafka: requests about topics and coordinators have two shapes each", "[kafka][codec]") {
  create_topics_request create;
  create.topics = {{"t", 4, 1, {}, {{"cleanup.policy", std::nullopt}}}};
  create.timeout_ms = 1000;
  check_bytes(create, 4,
              message("00000001 0001 't' 00000004 0001 00000000 00000001 000e 'cleanup.policy' ffff"
                      "000003e8 00"));
  check_bytes(create, 7,
              message("02 02 't' 00000004 0001 01 02 0f 'cleanup.policy' 00 00 00 000003e8 00 00"));
  delete_topics_request remove;
  remove.topic_names = {"t"};
  remove.timeout_ms = 1;
  check_bytes(remove, 1, message("00000001 0001 't' 00000001"));
  remove.topic_names.clear();
  remove.topics = {{std::nullopt, id_of(1)}};
  check_bytes(remove, 6, message(std::string{"02 00"} + id_hex + "00 00000001 00"));
  find_coordinator_request find;
  find.key = "g";
  check_bytes(find, 0, message("0001 'g'"));
  check_bytes(find, 3, message("02 'g' 00 00"));
  find.key.clear();
  find.coordinator_keys = {"g", "h"};
  check_bytes(find, 4, message("00 03 02 'g' 02 'h' 00"));
}

TEST_CASE("kafka: an answer about epochs has the error before the partition", "[kafka][codec]") {
  offset_for_leader_epoch_response answer;
  answer.topics = {{"t", {{74, 1, 3, 100}}}};
  check_bytes(answer, 2,
              message("00000000 00000001 0001 't' 00000001 004a 00000001 00000003 0000000000000064"));
}
