#include "protocol/partition/append_checks.hpp"

#include <sstream>

namespace pessoa::protocol {

namespace {

// a - b, held at the ends of the range: both may be anything a client can write.
int64_t difference(timestamp a, timestamp b) {
  int64_t out = 0;
  if (__builtin_sub_overflow(a.value(), b.value(), &out)) return a < b ? INT64_MIN : INT64_MAX;
  return out;
}

result<void> check_time(timestamp time, const topic_config& config, timestamp wall) {
  if (time == no_timestamp) return {};
  std::ostringstream out;
  if (difference(wall, time) > config.message_timestamp_before_max_ms) {
    out << "a record's timestamp " << time << " is more than " << config.message_timestamp_before_max_ms
        << " ms before the node's time " << wall << " (message.timestamp.before.max.ms)";
    return {ec::invalid_timestamp, out.str()};
  }
  if (difference(time, wall) > config.message_timestamp_after_max_ms) {
    out << "a record's timestamp " << time << " is more than " << config.message_timestamp_after_max_ms
        << " ms after the node's time " << wall << " (message.timestamp.after.max.ms)";
    return {ec::invalid_timestamp, out.str()};
  }
  return {};
}

} // namespace

result<void> check_append(const batch_facts& facts, const topic_config& config, timestamp wall) {
  auto& header = facts.header;
  PESSOA_ASSERT(!header.control() && header.record_count > 0,
                header.record_count); // validate_batch's to refuse
  auto size = static_cast<int64_t>(header.size());
  if (size > config.max_message_bytes) {
    return {ec::message_too_large, "a batch of " + std::to_string(size)
                                       + " bytes is above the topic's max.message.bytes of "
                                       + std::to_string(config.max_message_bytes)};
  }
  if (header.transactional()) {
    return {ec::invalid_record, "the batch is transactional, and no transaction is open on this partition"};
  }
  // With LogAppendTime the records' own times are not kept, so they are not judged (Kafka does the same).
  if (config.message_timestamp_type == timestamp_type::log_append_time) return {};
  // Only a node writes that bit. Kafka clears it; but then records appear whose times nobody has judged.
  if (header.log_append_time()) {
    return {ec::invalid_record, "the batch is marked with LogAppendTime, and the topic has CreateTime"};
  }
  PESSOA_CHECK(check_time(facts.min_timestamp, config, wall));
  return check_time(facts.max_timestamp, config, wall);
}

stamping stamping_for(const batch_facts& facts, const topic_config& config) {
  if (config.message_timestamp_type == timestamp_type::log_append_time) return {true, std::nullopt};
  bool wrong = facts.header.max_timestamp != facts.max_timestamp;
  return {false, wrong ? std::optional{facts.max_timestamp} : std::nullopt};
}

} // namespace pessoa::protocol
