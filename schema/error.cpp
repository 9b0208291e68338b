#include "schema/error.hpp"

#include "schema/assert.hpp"

#include <iterator>
#include <sstream>

namespace pessoa {

namespace {

using c = error_category;

// In the order of `ec`. The numbers are those of Kafka's protocol guide (Errors). Never destroyed: threads that outlive main()
// may still have an error to tell.
constexpr error_info table[] = {
  {ec::none, "none", 0, c::none, ""},
  {ec::invalid_argument, "invalid_argument", 42, c::request, "correct the named field"},
  {ec::invalid_topic_name, "invalid_topic_name", 17, c::request,
   "use 1 to 249 of the characters a-z A-Z 0-9 . _ - (and not \".\" or \"..\")"},
  {ec::invalid_config, "invalid_config", 40, c::request, "see 'pessoa topic create --help' for the keys and their ranges"},
  {ec::invalid_partitions, "invalid_partitions", 37, c::request, "choose 1 to 10000 partitions; they can be added, not removed"},
  {ec::invalid_replication_factor, "invalid_replication_factor", 38, c::request, "choose at most as many replicas as there are nodes"},
  {ec::invalid_record, "invalid_record", 87, c::request, "the batch contradicts itself: check the library that built it"},
  {ec::invalid_timestamp, "invalid_timestamp", 32, c::request,
   "correct the record's timestamp, or widen message.timestamp.before.max.ms / after.max.ms"},
  {ec::invalid_required_acks, "invalid_required_acks", 21, c::request, "acks is all, 1 or 0"},
  {ec::unsupported_compression, "unsupported_compression", 76, c::request, "use none, gzip, snappy, lz4 or zstd"},
  {ec::unsupported_version, "unsupported_version", 35, c::request, "upgrade the older side"},
  {ec::message_too_large, "message_too_large", 10, c::request, "send smaller records, or raise the topic's max.message.bytes"},
  {ec::corrupt_message, "corrupt_message", 2, c::retriable, "the bytes changed on their way: send them again"},
  {ec::malformed_message, "malformed_message", 42, c::request, "the other side does not speak this protocol correctly"},
  {ec::unknown_topic, "unknown_topic", 3, c::refresh, "create it with 'pessoa topic create NAME' or 'pessoa produce NAME --create', or check the spelling with 'pessoa topic list'"},
  {ec::unknown_topic_id, "unknown_topic_id", 100, c::refresh, "the topic was deleted (or deleted and created again)"},
  {ec::unknown_partition, "unknown_partition", 3, c::refresh, "'pessoa topic describe NAME' shows the partitions"},
  {ec::topic_exists, "topic_exists", 36, c::request, "choose another name, or pass --if-not-exists"},
  {ec::not_leader, "not_leader", 6, c::refresh, "the leader has moved: refresh metadata and retry"},
  {ec::leader_not_available, "leader_not_available", 5, c::refresh, "retry; if it lasts, 'pessoa cluster health' gives the reason"},
  {ec::fenced_leader_epoch, "fenced_leader_epoch", 74, c::refresh, "refresh metadata and retry"},
  {ec::unknown_leader_epoch, "unknown_leader_epoch", 75, c::retriable, "retry: this node has not heard of that epoch yet"},
  {ec::offset_out_of_range, "offset_out_of_range", 1, c::request, "read from 'start' or 'end', or from an offset between them"},
  {ec::out_of_order_sequence, "out_of_order_sequence", 45, c::fatal, "an earlier batch of this producer is missing: create a new producer"},
  {ec::invalid_producer_epoch, "invalid_producer_epoch", 47, c::fatal, "a newer producer has taken over this id"},
  {ec::not_enough_replicas, "not_enough_replicas", 19, c::retriable, "retry; 'pessoa cluster health' names the missing replicas"},
  {ec::unknown_result, "unknown_result", 20, c::unknown, "it may have been done: retry only with an idempotent producer"},
  {ec::timed_out, "timed_out", 7, c::unknown, "retry, or allow more time"},
  {ec::overloaded, "overloaded", 89, c::retriable, "wait a little and retry"},
  {ec::disk_full, "disk_full", 56, c::retriable, "free space or delete topics; reading goes on, and writing resumes by itself"},
  {ec::storage_failed, "storage_failed", 56, c::environment, "look at the node's log and at the disk, then restart the node"},
  {ec::corrupt_data, "corrupt_data", 2, c::environment, "the data on disk is damaged: restore this replica from another"},
  {ec::shutting_down, "shutting_down", 5, c::refresh, "retry on another node, or when this one is back"},
  {ec::disconnected, "disconnected", 13, c::unknown, "check that the node runs and that its address is right"},
  {ec::wrong_cluster, "wrong_cluster", 104, c::environment, "this address belongs to another cluster: check --bootstrap"},
  {ec::wrong_protocol, "wrong_protocol", 42, c::environment, "check the port: clients 18880, peers 18881, HTTP 18882, Kafka 9092"},
  {ec::directory_in_use, "directory_in_use", 56, c::environment, "another process uses this data directory: stop it, or choose another --data"},
  {ec::directory_foreign, "directory_foreign", 56, c::environment, "choose an empty directory or one of this cluster"},
  {ec::address_in_use, "address_in_use", 42, c::environment, "stop the program that holds the port, or choose another with --listen, --kafka-listen or --http-listen"},
  {ec::not_found, "not_found", 3, c::request, ""},
  {ec::denied, "denied", 31, c::request, "ask an administrator for the right"},
  {ec::internal, "internal", -1, c::fatal, "this is a defect of pessoa: please report it with the node's log"},
};

} // namespace

const std::vector<error_info>& all_errors() {
  static const auto& all = *new std::vector<error_info>(std::begin(table), std::end(table)); // likewise
  return all;
}

const error_info& describe(ec code) {
  auto index = static_cast<size_t>(code);
  PESSOA_ASSERT(index < std::size(table) && table[index].code == code, index);
  return table[index];
}

std::ostream& operator<<(std::ostream& out, ec code) { return out << describe(code).name; }

std::ostream& operator<<(std::ostream& out, const error& e) {
  out << e.code;
  if (!e.message.empty()) out << ": " << e.message;
  return out;
}

std::string to_string(const error& e) {
  std::ostringstream out;
  out << e;
  return out.str();
}

std::string explain(const error& e) {
  auto& info = describe(e.code);
  std::string text = e.message.empty() ? std::string{info.name} : e.message;
  if (!info.hint.empty()) text.append("\n  try: ").append(info.hint);
  return text;
}

} // namespace pessoa
