// Kafka's append checks that depend on the topic (kafka-protocol.md 3, numbers 2 to 5).
#include "protocol/partition/append_checks.hpp"
#include "tests/protocol/partition_fixture.hpp"

using namespace pessoa;
using namespace pessoa::protocol;

namespace {

constexpr timestamp wall{1'000'000};

ec refusal(const batch_facts& facts, const topic_config& config, timestamp at = wall) {
  auto out = check_append(facts, config, at);
  return out.ok() ? ec::none : out.error().code;
}

batch_facts with_times(int64_t min, int64_t max) {
  auto facts = plain_batch(2);
  facts.min_timestamp = timestamp{min};
  facts.max_timestamp = facts.header.max_timestamp = timestamp{max};
  return facts;
}

} // namespace

TEST_CASE("append checks: a batch of exactly max.message.bytes passes, one byte more does not",
          "[protocol][append]") {
  topic_config config;
  config.max_message_bytes = 500;
  CHECK(refusal(plain_batch(1, 500), config) == ec::none);
  CHECK(refusal(plain_batch(1, 501), config) == ec::message_too_large);
  CHECK(check_append(plain_batch(1, 501), config, wall).error().message
        == "a batch of 501 bytes is above the topic's max.message.bytes of 500");
}

TEST_CASE("append checks: record times must lie within the topic's bounds",
          "[protocol][append]") { // failures N5
  topic_config config;
  config.message_timestamp_before_max_ms = 1000;
  config.message_timestamp_after_max_ms = 2000;
  CHECK(refusal(with_times(999'000, 1'002'000), config) == ec::none);
  CHECK(refusal(with_times(998'999, 1'000'000), config) == ec::invalid_timestamp);
  CHECK(refusal(with_times(1'000'000, 1'002'001), config) == ec::invalid_timestamp);
}

TEST_CASE("append checks: times at the ends of the range do not overflow", "[protocol][append]") {
  topic_config config; // any past is allowed, an hour of future
  CHECK(refusal(with_times(0, 0), config) == ec::none);
  CHECK(refusal(with_times(0, INT64_MAX), config) == ec::invalid_timestamp);
  CHECK(refusal(with_times(0, INT64_MAX), config, timestamp{-5}) == ec::invalid_timestamp);
  config.message_timestamp_after_max_ms = INT64_MAX;
  CHECK(refusal(with_times(0, INT64_MAX), config, timestamp{-5}) == ec::none);
}

TEST_CASE("append checks: a record without a time passes", "[protocol][append]") {
  topic_config config;
  config.message_timestamp_before_max_ms = 1;
  CHECK(refusal(with_times(-1, -1), config) == ec::none);
}

TEST_CASE("append checks: with LogAppendTime the records' own times are not judged", "[protocol][append]") {
  topic_config config;
  config.message_timestamp_type = timestamp_type::log_append_time;
  config.message_timestamp_before_max_ms = 1;
  CHECK(refusal(with_times(0, INT64_MAX), config) == ec::none);
  auto stamp = stamping_for(with_times(0, 5), config);
  CHECK(stamp.append_time);
  CHECK_FALSE(stamp.max_timestamp);
}

TEST_CASE("append checks: the size is judged before the times", "[protocol][append]") { // Kafka's order
  topic_config config;
  config.max_message_bytes = 99;
  CHECK(refusal(with_times(0, INT64_MAX), config) == ec::message_too_large);
}

TEST_CASE("append checks: a transactional batch needs a transaction", "[protocol][append]") {
  auto facts = batch_of(7, 0, 0);
  facts.header.attributes = 0x10;
  CHECK(refusal(facts, {}) == ec::invalid_record);
}

TEST_CASE("append checks: a client cannot mark a batch with the node's time", "[protocol][append]") {
  auto facts = plain_batch();
  facts.header.attributes = 0x08;
  CHECK(refusal(facts, {}) == ec::invalid_record);
  topic_config config;
  config.message_timestamp_type = timestamp_type::log_append_time;
  CHECK(refusal(facts, config) == ec::none);
}

TEST_CASE("append checks: a wrong maximum timestamp is restamped, a right one left alone",
          "[protocol][append]") {
  auto facts = with_times(10, 20);
  CHECK_FALSE(stamping_for(facts, {}).max_timestamp);
  facts.header.max_timestamp = timestamp{99};
  CHECK(stamping_for(facts, {}).max_timestamp == timestamp{20});
  CHECK_FALSE(stamping_for(facts, {}).append_time);
}
