// What clients ask for, as plain values: each request of schema/wire/client.capnp read out of its message, with every check
// that needs nothing but the message.
//
// The message is hostile: a list may claim more entries than it has bytes, texts may share their bytes, numbers may be any.
// Each count is capped before memory is taken for it. Where Cap'n Proto itself finds a message broken, or read too often,
// its reader throws kj::Exception, which ends that call and no more. Needs no connection: the fuzz target calls these.
#pragma once

#include "protocol/metadata/controller_rules.hpp"
#include "schema/bytes.hpp"
#include "schema/wire/client.capnp.h"

#include <capnp/message.h>

#include <optional>
#include <string>
#include <vector>

namespace pessoa::node {

// What a message may be read with: its own words up to four times, so that reading a field twice is no offence and a pointer
// bomb is.
capnp::ReaderOptions rpc_reader_options();

inline std::string text_of(capnp::Text::Reader in) { return {in.cStr(), in.size()}; }

struct hello {
  std::string client_id;
  std::optional<cluster_id> cluster; // the only one the client wants
};
// Errors: unsupported_version, invalid_argument, denied (no credentials are known here).
result<hello> read_hello(wire::Hello::Reader in);

struct metadata_request {
  std::vector<std::string> topics; // any text; what is no topic's name gets its error in its own entry
  bool all = false;
  bool create = false;
  metadata_index at_least{-1};
  uint32_t timeout_ms = 0;
};
// Errors: message_too_large (more names than an answer could hold).
result<metadata_request> read_metadata_request(wire::MetadataRequest::Reader in);

struct produce_target {
  topic_id topic;
  partition_id partition{0};
  int8_t acks = -1; // -1, 0 or 1
  uint32_t timeout_ms = 0;
  std::optional<leader_epoch> epoch;
};
struct produce_request {
  produce_target to;
  byte_view batch; // in the message; unchecked (validate_batch)
};
// Errors: invalid_required_acks.
result<produce_request> read_produce_request(wire::ProduceRequest::Reader in);
// The batch is built here; records without a time get `now`. Errors: invalid_required_acks, invalid_argument (no record),
// malformed_message (a list claims entries that are not there), message_too_large.
struct produce_records_request {
  produce_target to;
  std::vector<uint8_t> batch;
};
result<produce_records_request> read_produce_records_request(wire::ProduceRecordsRequest::Reader in,
                                                             timestamp now);

struct fetch_request {
  topic_id topic;
  partition_id partition{0};
  offset from{0};
  size_t bytes_min = 0, bytes_max = 0; // at most what one answer may hold
  uint32_t wait_ms = 0;
};
// Errors: unsupported_version (a lineage).
result<fetch_request> read_fetch_request(wire::FetchRequest::Reader in);

struct offset_request {
  enum class place : uint8_t { start, end, time } at = place::end;
  topic_id topic;
  partition_id partition{0};
  timestamp time = no_timestamp;
};
// Errors: unsupported_version (a place of a later version).
result<offset_request> read_offset_request(wire::OffsetRequest::Reader in);

// What the names and numbers in them may be is the controller's to judge. Errors: invalid_config (too many settings).
result<protocol::create_topic_request> read_create_topic_request(wire::CreateTopicRequest::Reader in);
result<protocol::alter_topic_request> read_alter_topic_request(wire::AlterTopicRequest::Reader in);

} // namespace pessoa::node
