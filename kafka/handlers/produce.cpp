// Produce: one batch to each partition, checked here, stored as it came. Record bytes are not copied: a batch goes to its
// partition where it lies in the request, and the request's memory lives until the last of them is on disk.
//
// Checks stand in Kafka's order (kafka-protocol.md 3): the topic, the batch's form, acks, then what the partition decides.
#include "kafka/handlers/handlers.hpp"
#include "schema/limits.hpp"

namespace pessoa::kafka {

namespace {

using protocol::acks;
using outcome = result<protocol::produced>;
using partition_entry = produce_response::topic::partition;

constexpr int16_t first_with_batch_v2 = 3, first_with_zstd = 7, first_with_record_errors = 8;
// acks=1 waits for this node's disk alone, and a client's timeout is about others: it gets at least this much.
constexpr int32_t own_disk_ms = 30'000;

struct open_request {
  exchange x;
  produce_request asked;
  instant deadline;
  std::map<size_t, int32_t> wrong_records; // by place in the request: which record was it
};

// What the batch says about itself, after every check that needs no partition. Errors: invalid_record,
// unsupported_compression, and those of validate_batch.
result<batch_facts> check(const exchange& x, const std::optional<payload>& records, int64_t message_bytes,
                          int32_t& wrong_record) {
  if (!records || records->empty()) return error{ec::invalid_record, "there is no record batch"};
  auto data = records->view();
  batch_limits limits;
  limits.batch_bytes_max = std::min(message_bytes_max, static_cast<size_t>(message_bytes));
  // Its form first, and the codec, which this version of the request may not know: then size, CRC and records.
  auto header = parse_batch_header(data);
  if (!header && header.error().code == ec::unsupported_version)
    return error{ec::invalid_record, "a record batch of version 2 is needed: " + header.error().message};
  if (header && header->size() < data.size())
    return error{ec::invalid_record, "more than one record batch for a partition, or bytes behind it"};
  if (header && header->codec() == compression::zstd && x.version < first_with_zstd)
    return error{ec::unsupported_compression, "zstd needs Produce version 7"};
  PESSOA_TRY(auto facts, validate_batch(data, limits, &wrong_record));
  if (facts.header.base_offset != offset{0})
    return error{ec::invalid_record, "a producer's batch begins at offset 0, this one at "
                                         + std::to_string(facts.header.base_offset.value())};
  if (facts.header.transactional())
    return error{ec::invalid_record, "the batch is transactional, and there are no transactions here yet"};
  return facts;
}

result<acks> read_acks(int16_t number) {
  if (number >= -1 && number <= 1) return static_cast<acks>(number);
  return error{ec::invalid_required_acks, "acks " + std::to_string(number) + " is none of -1 (all), 1 and 0"};
}

result<kj::Promise<outcome>> send(const open_request& r, const produce_request::topic& topic,
                                  const produce_request::topic::partition& in,
                                  const actors::routing_snapshot& routes, int32_t& wrong_record) {
  auto& x = r.x;
  PESSOA_TRY(auto* route, topic_named(routes, topic.name));
  PESSOA_TRY(auto facts, check(x, in.records, route->config.max_message_bytes, wrong_record));
  PESSOA_TRY(auto level, read_acks(r.asked.acks));
  auto command = std::make_shared<actors::produce_command>();
  auto* at = x.frame.data.get() + (in.records->view().data() - x.frame.data.get());
  command->facts = facts;
  command->batch = {x.frame.data, at};
  command->charge = x.frame.charge;
  command->level = level;
  command->deadline = r.deadline;
  if (auto* counted = x.options->counted)
    counted->produced_bytes_in_place.fetch_add(in.records->size(), std::memory_order_relaxed);
  return x.to().produce(route->id, partition_id{in.index}, std::move(command));
}

partition_entry entry_of(const exchange& x, int32_t index, const outcome& done) {
  partition_entry out;
  out.index = index;
  out.base_offset = -1;
  if (!done) {
    out.error_code = x.number_of(done.error().code);
    if (x.version >= first_with_record_errors) out.error_message = client_text(done.error());
    return out;
  }
  out.base_offset = done->base.value();
  out.log_append_time_ms = done->append_time.value();
  out.log_start_offset = done->log_start.value();
  return out;
}

partition_entry entry_of(const open_request& r, size_t place, int32_t index,
                         kj::ArrayPtr<const outcome> outcomes) {
  auto out = entry_of(r.x, index, outcomes[place]);
  auto wrong = r.wrong_records.find(place);
  if (wrong != r.wrong_records.end() && r.x.version >= first_with_record_errors)
    out.record_errors.push_back({wrong->second, outcomes[place].error().message});
  return out;
}

answer finish(const open_request& r, kj::ArrayPtr<const outcome> outcomes) {
  if (r.asked.acks == 0) {
    // Nobody waits for an answer; that something is wrong can be told only by the end of the connection.
    for (auto& done : outcomes)
      if (!done) return closing({done.error().code, "acks=0: " + done.error().message});
    return {};
  }
  produce_response out;
  size_t i = 0;
  for (auto& topic : r.asked.topics) {
    auto& entry = out.topics.emplace_back();
    entry.name = topic.name;
    for (auto& partition : topic.partitions)
      entry.partitions.push_back(entry_of(r, i++, partition.index, outcomes));
  }
  return reply(r.x, out);
}

// Formats of before 2017. Their versions are advertised and refused, which tells an old client more than a closed
// connection does.
answer refuse_old_format(const open_request& r) {
  error why{ec::unsupported_version,
            "Produce before version 3 carries message formats that are not stored here"};
  if (r.asked.acks == 0) return closing(why);
  produce_response out;
  for (auto& topic : r.asked.topics) {
    auto& entry = out.topics.emplace_back();
    entry.name = topic.name;
    for (auto& partition : topic.partitions) {
      auto& refused = entry.partitions.emplace_back();
      refused.index = partition.index;
      refused.error_code = +number::unsupported_for_message_format;
      refused.base_offset = -1;
    }
  }
  return reply(r.x, out);
}

// Only a coordinator gives out transactions, and there is none.
answer refuse_transaction(const open_request& r) {
  error why{ec::denied, "there are no transactions here yet"};
  if (r.asked.acks == 0) return closing(why);
  produce_response out;
  for (auto& topic : r.asked.topics) {
    auto& entry = out.topics.emplace_back();
    entry.name = topic.name;
    for (auto& partition : topic.partitions) {
      auto refused = entry_of(r.x, partition.index, why);
      refused.error_code = +number::transactional_id_authorization_failed;
      entry.partitions.push_back(std::move(refused));
    }
  }
  return reply(r.x, out);
}

} // namespace

template <>
kj::Promise<answer> produce_handler::handle(exchange x, produce_request asked) {
  size_t count = 0;
  for (auto& topic : asked.topics)
    count += topic.partitions.size();
  if (auto checked = check_partition_count(count); !checked) return closing(checked.error());
  auto r = std::make_shared<open_request>(open_request{std::move(x), std::move(asked), {}, {}});
  if (r->x.version < first_with_batch_v2) return refuse_old_format(*r);
  if (r->asked.transactional_id) return refuse_transaction(*r);
  auto timeout_ms = r->asked.acks == -1 ? r->asked.timeout_ms : std::max(r->asked.timeout_ms, own_disk_ms);
  r->deadline = r->x.deadline_in(timeout_ms);

  auto routes = r->x.to().routes();
  auto all = kj::heapArrayBuilder<kj::Promise<outcome>>(count);
  for (auto& topic : r->asked.topics) {
    for (auto& partition : topic.partitions) {
      int32_t wrong_record = -1;
      auto sent = send(*r, topic, partition, *routes, wrong_record);
      if (wrong_record >= 0) r->wrong_records.emplace(all.size(), wrong_record);
      all.add(sent ? kj::mv(*sent) : kj::Promise<outcome>{outcome{sent.error()}});
      partition.records.reset(); // the partition's now: it may be stamped on another thread
    }
  }
  r->x.frame = {};
  return kj::joinPromises(all.finish()).then([r](kj::Array<outcome> outcomes) {
    return finish(*r, outcomes);
  });
}

} // namespace pessoa::kafka
