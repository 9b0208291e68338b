// ListOffsets: where a partition begins (-2), where it ends for readers (-1), and the first record that is not older than a
// time. There are no transactions, so both levels of isolation end at the high watermark.
#include "kafka/handlers/handlers.hpp"

namespace pessoa::kafka {

namespace {

constexpr int64_t latest = -1, earliest = -2;

using partition_question = list_offsets_request::topic::partition;
using partition_entry = list_offsets_response::topic::partition;
using pending = kj::Promise<result<actors::offset_answer>>;

struct open_request {
  exchange x;
  list_offsets_request asked;
};

result<std::shared_ptr<actors::offset_query>> read(const partition_question& in) {
  auto query = std::make_shared<actors::offset_query>();
  if (in.current_leader_epoch >= 0) query->known_epoch = leader_epoch{in.current_leader_epoch};
  using place = actors::offset_query::place;
  if (in.timestamp == latest) {
    query->at = place::end;
  } else if (in.timestamp == earliest) {
    query->at = place::start;
  } else if (in.timestamp >= 0) {
    query->at = place::time;
    query->time = timestamp{in.timestamp};
  } else {
    return error{ec::unsupported_version,
                 "timestamp " + std::to_string(in.timestamp) + " means nothing in this version"};
  }
  return query;
}

pending ask(const open_request& r, const result<const actors::topic_route*>& topic,
            const partition_question& in) {
  using outcome = result<actors::offset_answer>;
  if (!topic) return outcome{topic.error()};
  if (r.asked.replica_id >= 0)
    return outcome{error{ec::invalid_argument, "no node replicates through this protocol"}};
  auto query = read(in);
  if (!query) return outcome{query.error()};
  return r.x.to().find_offset((*topic)->id, partition_id{in.partition_index}, std::move(*query));
}

partition_entry entry_of(const exchange& x, const partition_question& in,
                         const result<actors::offset_answer>& outcome) {
  partition_entry out;
  out.partition_index = in.partition_index;
  if (!outcome) {
    out.error_code = x.number_of(outcome.error().code);
    return out;
  }
  out.offset = outcome->at.value();
  out.leader_epoch = outcome->epoch.value();
  if (in.timestamp >= 0) out.timestamp = outcome->time.value();
  return out;
}

} // namespace

template <>
kj::Promise<answer> list_offsets_handler::handle(exchange x, list_offsets_request asked) {
  size_t count = 0;
  for (auto& topic : asked.topics)
    count += topic.partitions.size();
  if (auto checked = check_partition_count(count); !checked) return closing(checked.error());
  auto r = std::make_shared<open_request>(open_request{std::move(x), std::move(asked)});
  auto routes = r->x.to().routes();
  auto all = kj::heapArrayBuilder<pending>(count);
  for (auto& topic : r->asked.topics) {
    auto found = topic_named(*routes, topic.name);
    for (auto& partition : topic.partitions)
      all.add(ask(*r, found, partition));
  }
  return kj::joinPromises(all.finish()).then([r](kj::Array<result<actors::offset_answer>> outcomes) {
    list_offsets_response out;
    size_t i = 0;
    for (auto& topic : r->asked.topics) {
      auto& entry = out.topics.emplace_back();
      entry.name = topic.name;
      for (auto& partition : topic.partitions)
        entry.partitions.push_back(entry_of(r->x, partition, outcomes[i++]));
    }
    return reply(r->x, out);
  });
}

} // namespace pessoa::kafka
