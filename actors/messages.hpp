// What the actors of one node say to each other: plain value types, carried as shared pointers and read by one receiver.
//
// A message never leaves the node; between nodes there are only Cap'n Proto messages. Each kind has its own type, so the
// interfaces (actors/interfaces.hpp) read as a list of these names.
#pragma once

#include "actors/responder.hpp"
#include "persistence/commit_service.hpp"
#include "persistence/partition_log.hpp"
#include "protocol/metadata/controller_rules.hpp"
#include "protocol/metadata/metadata_image.hpp"
#include "protocol/partition/epoch_rules.hpp"
#include "protocol/partition/partition_leader.hpp"
#include "schema/metadata_records.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace pessoa::actors {

// -- to a partition ---

struct produce_command {
  batch_facts facts; // of validate_batch, done where the bytes came in
  // Exactly facts.header.size() bytes, ours to stamp until it is handed to the log.
  std::shared_ptr<uint8_t[]> batch;
  protocol::acks level = protocol::acks::all;
  instant deadline;
  std::optional<leader_epoch> known_epoch;
  std::shared_ptr<void> charge; // the bytes' place in a budget; let go of with the batch
  responder_ptr<protocol::produced> reply;
};

struct fetched {
  bytes batches;
  offset next{0};
  offset high_watermark{0};
  offset log_start{0};
  std::shared_ptr<void> charge; // the batches' place in a budget; let go of with them
};

struct fetch_command {
  offset from{0};
  size_t bytes_min = 1;
  size_t bytes_max = 1 << 20;
  instant deadline;
  std::optional<leader_epoch> known_epoch;
  // A first batch that is larger than bytes_max is given all the same, so that nobody is stuck (KIP-74); if not, nothing is.
  bool whole_batch = true;
  // Asked before batches are read into memory: their place in a budget, or null when it is full. Any thread; may be empty.
  std::function<std::shared_ptr<void>(size_t bytes)> reserve;
  responder_ptr<fetched> reply;
  protocol::request_id id = 0; // the partition's own
};
// The caller of a parked fetch has gone.
struct fetch_abandoned {
  std::shared_ptr<fetch_command> command;
};

struct offset_query {
  enum class place : uint8_t { start, end, time } at = place::end;
  timestamp time = no_timestamp;
  std::optional<leader_epoch> known_epoch;
  responder_ptr<struct offset_answer> reply;
};
struct offset_answer {
  offset at = no_offset; // -1: no record is that young
  timestamp time = no_timestamp;
  leader_epoch epoch = no_epoch; // that wrote the record there; at the end, the one that will
  offset log_end{0};
};

// Where an epoch ended, for who wants to know whether its log goes on from there (KIP-101, KIP-320).
struct epoch_query {
  leader_epoch epoch = no_epoch;
  std::optional<leader_epoch> known_epoch;
  responder_ptr<protocol::epoch_end> reply;
};

struct partition_status {
  partition_key key;
  leader_epoch epoch = no_epoch;
  offset log_start{0}, high_watermark{0}, log_end{0};
  uint64_t bytes = 0;
  size_t segments = 0;
  std::optional<error> failed;
};
struct status_query {
  responder_ptr<partition_status> reply;
};

struct delete_records_command {
  offset before{-1}; // -1: the high watermark
  responder_ptr<offset> reply;
};

struct settings_change {
  topic_config config;
};

struct commit_done { // INTERNAL, from the commit service
  persistence::commit_outcome outcome;
  size_t bytes = 0;
};
struct upkeep_done { // INTERNAL, retention or DeleteRecords ran
  result<uint64_t> freed_bytes;
  responder_ptr<offset> reply; // of DeleteRecords, else null
};

// -- to a replica ---

struct lead_command {
  leader_epoch epoch{0};
};
// The loan came back: no epoch uses the log any more and no I/O is outstanding.
struct log_returned {
  std::unique_ptr<persistence::partition_log> log;
};
struct epoch_failed { // the log's store has failed while it was lent
  error why;
};
struct replica_stop {
  bool remove = false; // delete the data too: an explicit committed record said so
  responder_ptr<partition_key> reply;
};
struct replica_closed { // INTERNAL
  result<void> outcome;
  responder_ptr<partition_key> reply;
};

// -- to the broker ---

struct metadata_committed { // in order of index, each exactly once
  std::vector<metadata_record> records;
  metadata_index last{0}; // index of the last of `records`
};
struct log_opened { // INTERNAL
  partition_key key;
  result<std::unique_ptr<persistence::partition_log>> log;
  persistence::recovery_report report;
};
struct replica_failed {
  partition_key key;
  error why;
};
struct replica_gone { // INTERNAL: a stopped replica has closed (or deleted) its copy
  partition_key key;
  std::optional<error> problem;
};
struct leftovers_removed { // INTERNAL: nothing works on deleted topics of earlier lives any more
};
struct broker_stop {
  responder_ptr<bool> reply; // true: every log was closed in order, so the stop is clean
};
struct index_wait { // answered when the broker has applied `index` and published it
  metadata_index index{0};
  instant deadline;
  responder_ptr<metadata_index> reply;
};
struct ready_replicas {
  size_t hosted = 0;
  size_t failed = 0; // could not be opened, or have failed since
};
// Answered when every replica of this node is open and leads where it should, or has failed.
struct all_ready_wait {
  responder_ptr<ready_replicas> reply;
};

// -- to the controller ---

struct committed_change {
  metadata_index index{0};
  std::optional<topic_id> topic;
};
struct create_topic_command {
  protocol::create_topic_request request;
  responder_ptr<committed_change> reply;
};
struct alter_topic_command {
  protocol::alter_topic_request request;
  responder_ptr<committed_change> reply;
};
struct delete_topic_command {
  std::string name;
  std::optional<topic_id> id; // when given, the topic that is meant, whatever is called `name`
  responder_ptr<committed_change> reply;
};
struct register_node_command {
  node_registered registration;
  responder_ptr<committed_change> reply;
};
struct allocate_producer_ids_command {
  responder_ptr<protocol::producer_id_block> reply;
};
struct controller_stop {
  responder_ptr<bool> reply;
};
struct metadata_commit_done { // INTERNAL, from the commit service
  persistence::commit_outcome outcome;
};

// -- to the gateway ---

struct producer_ids_arrived { // INTERNAL
  result<protocol::producer_id_block> block;
};
struct producer_id_request {
  responder_ptr<producer_id> reply;
};

} // namespace pessoa::actors
