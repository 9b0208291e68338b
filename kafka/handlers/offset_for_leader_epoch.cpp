// OffsetForLeaderEpoch: where an epoch ended, so that a consumer finds out whether what it has read is still what is there
// (KIP-320). The rule: protocol/partition/epoch_rules.hpp.
#include "kafka/handlers/handlers.hpp"

namespace pessoa::kafka {

namespace {

using partition_question = offset_for_leader_epoch_request::topic::partition;
using partition_entry = offset_for_leader_epoch_response::topic::partition;
using outcome = result<protocol::epoch_end>;

struct open_request {
  exchange x;
  offset_for_leader_epoch_request asked;
};

kj::Promise<outcome> ask(const open_request& r, const result<const actors::topic_route*>& topic,
                         const partition_question& in) {
  if (!topic) return outcome{topic.error()};
  if (r.asked.replica_id >= 0)
    return outcome{error{ec::invalid_argument, "no node replicates through this protocol"}};
  auto query = std::make_shared<actors::epoch_query>();
  query->epoch = leader_epoch{in.leader_epoch};
  if (in.current_leader_epoch >= 0) query->known_epoch = leader_epoch{in.current_leader_epoch};
  return r.x.to().find_epoch_end((*topic)->id, partition_id{in.partition}, std::move(query));
}

partition_entry entry_of(const exchange& x, const partition_question& in, const outcome& found) {
  partition_entry out;
  out.partition = in.partition;
  if (!found) {
    out.error_code = x.number_of(found.error().code);
    return out;
  }
  out.leader_epoch = found->epoch.value();
  out.end_offset = found->end.value();
  return out;
}

} // namespace

template <>
kj::Promise<answer> offset_for_leader_epoch_handler::handle(exchange x,
                                                            offset_for_leader_epoch_request asked) {
  size_t count = 0;
  for (auto& topic : asked.topics)
    count += topic.partitions.size();
  if (auto checked = check_partition_count(count); !checked) return closing(checked.error());
  auto r = std::make_shared<open_request>(open_request{std::move(x), std::move(asked)});
  auto routes = r->x.to().routes();
  auto all = kj::heapArrayBuilder<kj::Promise<outcome>>(count);
  for (auto& topic : r->asked.topics) {
    auto found = topic_named(*routes, topic.topic);
    for (auto& partition : topic.partitions)
      all.add(ask(*r, found, partition));
  }
  return kj::joinPromises(all.finish()).then([r](kj::Array<outcome> outcomes) {
    offset_for_leader_epoch_response out;
    size_t i = 0;
    for (auto& topic : r->asked.topics) {
      auto& entry = out.topics.emplace_back();
      entry.topic = topic.topic;
      for (auto& partition : topic.partitions)
        entry.partitions.push_back(entry_of(r->x, partition, outcomes[i++]));
    }
    return reply(r->x, out);
  });
}

} // namespace pessoa::kafka
