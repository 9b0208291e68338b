#include "kafka/errors.hpp"

#include "kafka/codec/promises.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace pessoa;
using namespace pessoa::kafka;

namespace {

// Kafka's protocol guide, Errors, as of 4.3: every number up to the highest is taken.
bool is_kafkas(int16_t number) { return number >= -1 && number <= 133; }

template <class F>
void for_each_request(F&& what) {
  for (auto& promise : api_promises)
    for (auto version = promise.versions.min; version <= promise.versions.max; ++version)
      what(promise.key, version);
}

} // namespace

TEST_CASE("kafka: every error of ours has a number of Kafka's for every request", "[kafka]") {
  for (auto& info : all_errors()) {
    CAPTURE(info.name);
    for_each_request([&](api_key key, int16_t version) {
      auto code = kafka_number(info.code, key, version);
      CHECK(is_kafkas(code));
      CHECK((code == 0) == (info.code == ec::none));
    });
  }
}

TEST_CASE("kafka: a fetch is answered only with numbers that every consumer survives or reports", "[kafka]") {
  // A Java consumer ends with an internal error at any other number.
  std::set<int16_t> const known = {-1, 0, 1, 2, 3, 6, 29, 56, 74, 75, 78, 100, 103};
  // The rest cannot come from a fetch; they are here so that a new one is looked at.
  std::set<ec> const never = {ec::invalid_argument,
                              ec::invalid_topic_name,
                              ec::invalid_config,
                              ec::invalid_partitions,
                              ec::invalid_replication_factor,
                              ec::invalid_record,
                              ec::invalid_timestamp,
                              ec::invalid_required_acks,
                              ec::unsupported_compression,
                              ec::unsupported_version,
                              ec::message_too_large,
                              ec::malformed_message,
                              ec::topic_exists,
                              ec::out_of_order_sequence,
                              ec::invalid_producer_epoch,
                              ec::not_enough_replicas,
                              ec::unknown_result,
                              ec::timed_out,
                              ec::overloaded,
                              ec::disconnected,
                              ec::wrong_cluster,
                              ec::wrong_protocol,
                              ec::address_in_use,
                              ec::denied};
  for (auto& info : all_errors()) {
    CAPTURE(info.name);
    if (!never.contains(info.code)) CHECK(known.contains(kafka_number(info.code, api_key::fetch, 12)));
  }
}

TEST_CASE("kafka: whoever asked by name is not told of an id", "[kafka]") {
  for_each_request([](api_key key, int16_t version) {
    auto by_id =
        (key == api_key::metadata && version >= 12) || (key == api_key::delete_topics && version >= 6);
    CAPTURE(static_cast<int>(key), version);
    CHECK(kafka_number(ec::unknown_topic_id, key, version) == (by_id ? 100 : 3));
  });
}

TEST_CASE("kafka: what may be tried again has a number that clients try again at", "[kafka]") {
  std::set<int16_t> const retriable = {5, 6, 7, 14, 15, 19, 20, 41, 56, 89};
  for (auto code : {ec::not_leader, ec::leader_not_available, ec::shutting_down, ec::overloaded,
                    ec::timed_out, ec::unknown_result, ec::disk_full}) {
    CAPTURE(code);
    for_each_request([&](api_key key, int16_t version) {
      CAPTURE(static_cast<int>(key), version);
      CHECK(retriable.contains(kafka_number(code, key, version)));
    });
  }
  // That nothing was appended, and that something may have been, are told apart.
  CHECK(kafka_number(ec::overloaded, api_key::produce, 9) == 19);
  CHECK(kafka_number(ec::unknown_result, api_key::produce, 9) == 20);
  CHECK(kafka_number(ec::timed_out, api_key::produce, 9) == 7);
}

TEST_CASE("kafka: a version is told no number that came after it, where another says the same", "[kafka]") {
  CHECK(kafka_number(ec::overloaded, api_key::create_topics, 5) == 7);
  CHECK(kafka_number(ec::overloaded, api_key::create_topics, 6) == 89);
  CHECK(kafka_number(ec::overloaded, api_key::delete_topics, 4) == 7);
  CHECK(kafka_number(ec::overloaded, api_key::delete_topics, 5) == 89);
}
