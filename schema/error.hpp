// The errors of the house: one list, in which an entry exists when somebody reacts to it differently.
//
// Each has Kafka's number (for the Kafka listener and for people who know it), a category that tells a client what to
// do, and a hint that tells a person what to do. KIP-1050 groups Kafka's errors the same way.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace pessoa {

enum class ec : uint16_t {
  none = 0,
  // -- the request is wrong ---
  invalid_argument,      // a field is out of its range
  invalid_topic_name,    // not [a-zA-Z0-9._-]{1,249}, or "." or ".."
  invalid_config,        // unknown key, or a value out of its range
  invalid_partitions,
  invalid_replication_factor,
  invalid_record,        // the batch contradicts itself
  invalid_timestamp,     // outside message.timestamp.before/after.max.ms
  invalid_required_acks,
  unsupported_compression,
  unsupported_version,   // peer or file is newer than this software
  message_too_large,     // a batch above max.message.bytes, or a message above the limit
  corrupt_message,       // checksum or framing of a batch is wrong
  malformed_message,     // bytes that are not the protocol
  // -- it is not here ---
  unknown_topic,
  unknown_topic_id,
  unknown_partition,
  topic_exists,
  not_leader,            // definite: nothing was appended here
  leader_not_available,  // there is a leader elected soon, or the replica is offline
  fenced_leader_epoch,   // the client's epoch is older than ours
  unknown_leader_epoch,  // the client's epoch is newer than ours
  offset_out_of_range,
  // -- idempotence ---
  out_of_order_sequence,
  invalid_producer_epoch,
  // -- it did not work out ---
  not_enough_replicas,
  unknown_result,        // it may have been done, or not
  timed_out,             // not done within the time allowed; the message says whether it may have been done
  overloaded,            // a bound was reached; nothing was done
  disk_full,             // below the reserve: writes refused, reads and deletions go on
  storage_failed,        // the disk lied or failed; that store is offline
  corrupt_data,          // bytes on disk contradict their checksum below the durable end
  shutting_down,
  disconnected,          // the link broke; requests in flight are unknown
  wrong_cluster,         // the other side belongs to another cluster
  wrong_protocol,        // the other side speaks something else
  directory_in_use,
  directory_foreign,     // not ours, or of another cluster
  address_in_use,
  not_found,
  denied,
  internal,              // a bug of ours; never retried
  end_of_list_,          // keep last: the number of entries
};

// What a caller can do about it.
enum class error_category : uint8_t {
  none,
  retriable,    // the same request may succeed later, and nothing was done
  refresh,      // fetch metadata, then retry
  unknown,      // it may have been done: retry only what is idempotent
  request,      // this request can never succeed as it is
  environment,  // a person must act: disk, address, directory
  fatal,        // this producer, consumer or node cannot go on
};

struct error_info {
  ec code;
  std::string_view name;      // "not_leader"
  int16_t kafka_number;       // Kafka's protocol error code
  error_category category;
  std::string_view hint;      // one sentence that says what to do next
};

const error_info& describe(ec code);
const std::vector<error_info>& all_errors();

// What went wrong: a code, and a sentence with the values that matter ("offset 12 is above the log end 10").
struct error {
  ec code = ec::none;
  std::string message;

  [[nodiscard]] error_category category() const { return describe(code).category; }
  [[nodiscard]] bool retriable() const {
    return category() == error_category::retriable || category() == error_category::refresh;
  }
  friend bool operator==(const error&, const error&) = default;
};

std::ostream& operator<<(std::ostream& out, ec code);
std::ostream& operator<<(std::ostream& out, const error& e); // "not_leader: MESSAGE"
std::string to_string(const error& e);
// For people: the message, then the hint. "topic 'a b' ...: use letters, digits, '.', '_' and '-', at most 249"
std::string explain(const error& e);

} // namespace pessoa
