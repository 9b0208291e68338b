// From our errors to Kafka's numbers. The numbers themselves stand beside the errors (schema/error.cpp), once; here is only
// where a number depends on what was asked: a client reacts to the same number differently in each API, and some numbers
// mean nothing to it there.
#pragma once

#include "kafka/messages/api_key.hpp"
#include "schema/error.hpp"

#include <cstdint>

namespace pessoa::kafka {

// Kafka's numbers that no error of ours has. (Kafka's protocol guide, Errors.)
enum class number : int16_t {
  none = 0,
  unknown_topic_or_partition = 3,
  leader_not_available = 5,
  coordinator_load_in_progress = 14,
  coordinator_not_available = 15,
  invalid_required_acks = 21,
  unsupported_version = 35,
  invalid_replica_assignment = 39,
  invalid_request = 42,
  unsupported_for_message_format = 43,
  transactional_id_authorization_failed = 53,
  fetch_session_id_not_found = 70,
  invalid_fetch_session_epoch = 71,
  listener_not_found = 72,
};
constexpr int16_t operator+(number n) { return static_cast<int16_t>(n); }

// The number that makes the client of this request do what the error's category says. 0 for ec::none only.
[[nodiscard]] int16_t kafka_number(ec code, api_key asked, int16_t version);

// What a client is told in words, where the answer has room for words: what went wrong and what to do.
[[nodiscard]] std::string client_text(const error& why);

} // namespace pessoa::kafka
