#include "kafka/errors.hpp"

namespace pessoa::kafka {

namespace {

// Numbers of Kafka's that more than one row below needs.
constexpr int16_t not_leader_or_follower = 6, request_timed_out = 7, not_enough_replicas = 19,
                  invalid_replication_factor = 38, not_controller = 41, storage_error = 56,
                  unknown_topic_id = 100;

// The requests that go to one partition's leader.
bool is_for_a_partition(api_key asked) {
  switch (asked) {
  case api_key::produce:
  case api_key::fetch:
  case api_key::list_offsets:
  case api_key::offset_for_leader_epoch:
    return true;
  default:
    return false;
  }
}

bool names_topics_by_id(api_key asked, int16_t version) {
  switch (asked) {
  case api_key::produce:
  case api_key::fetch:
    return version >= 13;
  case api_key::metadata:
    return version >= 12;
  case api_key::delete_topics:
    return version >= 6;
  default:
    return false;
  }
}

// Nobody can do it here now, and it was not done.
int16_t ask_another(api_key asked) {
  // A Java consumer ends at 5 (leader_not_available) in a fetch; 6 makes every client look for the leader.
  if (is_for_a_partition(asked)) return not_leader_or_follower;
  switch (asked) {
  case api_key::create_topics:
  case api_key::delete_topics:
    return not_controller;
  case api_key::init_producer_id:
    return +number::coordinator_load_in_progress;
  default:
    return +number::leader_not_available;
  }
}

// It was not done, and may be asked for again in a moment.
int16_t try_again(api_key asked, int16_t version) {
  constexpr int16_t throttling_quota_exceeded = 89;
  switch (asked) {
  case api_key::produce:
    return not_enough_replicas; // the one number that tells every client: nothing was appended, try again
  case api_key::create_topics:
    return version >= 6 ? throttling_quota_exceeded : request_timed_out;
  case api_key::delete_topics:
    return version >= 5 ? throttling_quota_exceeded : request_timed_out;
  case api_key::init_producer_id:
    return +number::coordinator_load_in_progress;
  case api_key::metadata:
    return +number::leader_not_available;
  default:
    return request_timed_out;
  }
}

// It may have been done.
int16_t in_doubt(ec code, api_key asked) {
  switch (asked) {
  case api_key::produce:
    return describe(code).kafka_number;
  case api_key::init_producer_id: // an id that nobody heard of does no harm
    return +number::coordinator_load_in_progress;
  case api_key::metadata:
    return +number::leader_not_available;
  default:
    return request_timed_out;
  }
}

} // namespace

int16_t kafka_number(ec code, api_key asked, int16_t version) {
  switch (code) {
  case ec::unknown_topic_id:
    // Who asked by name has never heard of the id.
    return names_topics_by_id(asked, version) ? unknown_topic_id : +number::unknown_topic_or_partition;
  case ec::not_leader:
  case ec::leader_not_available:
  case ec::shutting_down:
    return ask_another(asked);
  case ec::overloaded:
    return try_again(asked, version);
  case ec::unknown_result:
  case ec::timed_out:
  case ec::disconnected:
    return in_doubt(code, asked);
  case ec::not_enough_replicas:
    return asked == api_key::create_topics ? invalid_replication_factor : describe(code).kafka_number;
  case ec::corrupt_data:
    // 2 ends a consumer with the offset in its message; a producer would send its batch again for ever.
    return asked == api_key::fetch ? describe(code).kafka_number : storage_error;
  default:
    return describe(code).kafka_number;
  }
}

std::string client_text(const error& why) {
  auto& info = describe(why.code);
  std::string text = why.message.empty() ? std::string{info.name} : why.message;
  if (!info.hint.empty()) text.append("; ").append(info.hint);
  return text;
}

} // namespace pessoa::kafka
