#include "node/rpc/requests.hpp"

#include "schema/limits.hpp"
#include "schema/record_batch.hpp"
#include "schema/wire/convert.hpp"

#include <capnp/any.h>

#include <algorithm>

namespace pessoa::node {

namespace {

constexpr size_t client_id_bytes_max = 249;
constexpr unsigned settings_max = 100; // of one topic; there are far fewer keys

template <class Request>
result<produce_target> read_target(Request in) {
  produce_target to;
  to.topic = wire::read<topic_id>(in.getTopic());
  to.partition = partition_id{in.getPartition()};
  to.acks = in.getAcks();
  to.timeout_ms = in.getTimeoutMs();
  if (to.acks < -1 || to.acks > 1)
    return error{ec::invalid_required_acks,
                 "acks " + std::to_string(to.acks) + " is none of -1 (all), 1 and 0"};
  return to;
}

byte_view view_of(capnp::Data::Reader in) { return {in.begin(), in.size()}; }

// An entry without a byte in the message costs its sender nothing, and us a record: such a list may claim any number. (A
// sum over the message would not do: parts that are pointed to twice count twice.)
template <class List>
result<void> check_entries(List list) {
  if (list.size() == 0) return {};
  capnp::AnyStruct::Reader first{list[0]};
  if (first.getDataSection().size() > 0 || first.getPointerSection().size() > 0) return {};
  return error{ec::malformed_message, "a list claims " + std::to_string(list.size())
                                          + " entries, of which none has a byte in the message"};
}

result<record_view> read_record(wire::Record::Reader in, timestamp now) {
  record_view view;
  view.time = in.getTimestamp() < 0 ? now : timestamp{in.getTimestamp()};
  if (auto key = in.getKey(); key.isSome()) view.key = view_of(key.getSome());
  if (auto value = in.getValue(); value.isSome()) view.value = view_of(value.getSome());
  auto headers = in.getHeaders();
  if (headers.size() > headers_per_record_max)
    return error{ec::message_too_large, "a record has " + std::to_string(headers.size())
                                            + " headers, at most " + std::to_string(headers_per_record_max)
                                            + " are possible"};
  PESSOA_CHECK(check_entries(headers));
  for (auto header : headers) {
    header_view out{{header.getKey().cStr(), header.getKey().size()}, std::nullopt};
    if (auto value = header.getValue(); value.isSome()) out.value = view_of(value.getSome());
    view.headers.push_back(out);
  }
  return view;
}

result<std::vector<uint8_t>> build_batch(wire::ProduceRecordsRequest::Reader in, timestamp now) {
  auto records = in.getRecords();
  if (records.size() == 0) return error{ec::invalid_argument, "no record was sent"};
  if (records.size() > static_cast<size_t>(batch_builder::records_max))
    return error{ec::message_too_large, std::to_string(records.size()) + " records were sent, at most "
                                            + std::to_string(batch_builder::records_max) + " make one batch"};
  PESSOA_CHECK(check_entries(records));
  batch_builder builder;
  for (auto record : records) {
    PESSOA_TRY(auto view, read_record(record, now));
    if (builder.size() + batch_builder::upper_bound(view) > message_bytes_max)
      return error{ec::message_too_large,
                   "the records make a batch above " + std::to_string(message_bytes_max) + " bytes"};
    builder.add(view);
  }
  return builder.finish();
}

result<std::map<std::string, std::string>> read_settings(capnp::List<wire::Setting>::Reader in) {
  if (in.size() > settings_max)
    return error{ec::invalid_config, std::to_string(in.size()) + " settings were sent, more than "
                                         + std::to_string(settings_max)};
  std::map<std::string, std::string> settings;
  for (auto setting : in)
    settings[text_of(setting.getKey())] = text_of(setting.getValue());
  return settings;
}

} // namespace

capnp::ReaderOptions rpc_reader_options() {
  capnp::ReaderOptions out;
  out.traversalLimitInWords = 4 * rpc_message_bytes_max / sizeof(capnp::word);
  out.nestingLimit = 16;
  return out;
}
static_assert(4 * rpc_message_bytes_max >= 2 * rpc_message_bytes_max,
              "the filter's largest message can be read");

result<hello> read_hello(wire::Hello::Reader in) {
  if (in.getProtocol() == 0) return error{ec::unsupported_version, "protocol 0 does not exist"};
  auto client = in.getClientId();
  if (client.size() > client_id_bytes_max)
    return error{ec::invalid_argument, "the client id has more than 249 bytes"};
  if (!in.getCredentials().isNone())
    return error{ec::denied, "this node knows no credentials: connect without"};
  hello out;
  out.client_id = text_of(client);
  if (auto pinned = wire::read<cluster_id>(in.getClusterId()); !pinned.is_nil()) out.cluster = pinned;
  return out;
}

result<metadata_request> read_metadata_request(wire::MetadataRequest::Reader in) {
  constexpr size_t entry_bytes_min = 64; // of an answer to one name
  metadata_request out;
  out.all = in.getAll();
  out.create = in.getCreate() && !out.all;
  out.at_least = metadata_index{in.getAtLeast()};
  out.timeout_ms = in.getTimeoutMs();
  if (out.all) return out;
  size_t bytes = 0;
  for (auto name : in.getTopics()) {
    bytes += entry_bytes_min + name.size();
    if (bytes > rpc_message_bytes_max)
      return error{ec::message_too_large, "the metadata asked for takes more than "
                                              + std::to_string(rpc_message_bytes_max)
                                              + " bytes: ask for fewer topics at a time"};
    out.topics.push_back(text_of(name));
  }
  return out;
}

result<produce_request> read_produce_request(wire::ProduceRequest::Reader in) {
  PESSOA_TRY(auto to, read_target(in));
  if (in.getEpoch() >= 0) to.epoch = leader_epoch{in.getEpoch()};
  return produce_request{to, view_of(in.getBatch())};
}

result<produce_records_request> read_produce_records_request(wire::ProduceRecordsRequest::Reader in,
                                                             timestamp now) {
  PESSOA_TRY(auto to, read_target(in));
  PESSOA_TRY(auto batch, build_batch(in, now));
  return produce_records_request{to, std::move(batch)};
}

result<fetch_request> read_fetch_request(wire::FetchRequest::Reader in) {
  auto position = in.getPosition();
  if (position.getLineage() != 0)
    return error{ec::unsupported_version,
                 "the position belongs to a partition lineage this node cannot read"};
  fetch_request out;
  out.topic = wire::read<topic_id>(position.getTopic());
  out.partition = partition_id{position.getPartition()};
  out.from = offset{position.getOffset()};
  out.bytes_min = in.getBytesMin();
  out.bytes_max = std::min<size_t>(in.getBytesMax(), fetch_bytes_max);
  out.wait_ms = in.getWaitMs();
  return out;
}

result<offset_request> read_offset_request(wire::OffsetRequest::Reader in) {
  offset_request out;
  out.topic = wire::read<topic_id>(in.getTopic());
  out.partition = partition_id{in.getPartition()};
  auto at = in.getAt();
  switch (at.which()) {
  case wire::OffsetRequest::At::START:
    out.at = offset_request::place::start;
    return out;
  case wire::OffsetRequest::At::END:
    out.at = offset_request::place::end;
    return out;
  case wire::OffsetRequest::At::TIME:
    out.at = offset_request::place::time;
    out.time = timestamp{at.getTime()};
    return out;
  }
  return error{ec::unsupported_version, "this node knows start, end and time"};
}

result<protocol::create_topic_request> read_create_topic_request(wire::CreateTopicRequest::Reader in) {
  protocol::create_topic_request out;
  out.name = text_of(in.getName());
  out.partitions = in.getPartitions();
  out.replicas = in.getReplicas();
  PESSOA_TRY(out.config, read_settings(in.getConfig()));
  return out;
}

result<protocol::alter_topic_request> read_alter_topic_request(wire::AlterTopicRequest::Reader in) {
  protocol::alter_topic_request out;
  out.name = text_of(in.getName());
  out.partitions = in.getPartitions();
  PESSOA_TRY(out.config, read_settings(in.getConfig()));
  return out;
}

} // namespace pessoa::node
