// What a batch must satisfy to enter this topic, beyond what schema's validate_batch has checked without
// knowing it.
//
// In Kafka's order (kafka-protocol.md 3, numbers 2 to 5): size, then the batch's kind, then the records'
// times. The producer's sequence is judged after that (producer_rules.hpp). A check on null keys comes with
// compacted topics.
#pragma once

#include "schema/record_batch.hpp"
#include "schema/topic_config.hpp"

#include <optional>

namespace pessoa::protocol {

// Errors: message_too_large, invalid_record (transactional; LogAppendTime on a topic with CreateTime),
// invalid_timestamp. `wall` is the node's time; a record without a time passes. Requires: facts of
// validate_batch.
result<void> check_append(const batch_facts& facts, const topic_config& config, timestamp wall);

// What must be written into the batch's header before it is appended.
struct stamping {
  bool append_time = false;               // LogAppendTime: the node's time replaces the records'
  std::optional<timestamp> max_timestamp; // CreateTime, and the header's maximum was wrong
};
stamping stamping_for(const batch_facts& facts, const topic_config& config);

} // namespace pessoa::protocol
