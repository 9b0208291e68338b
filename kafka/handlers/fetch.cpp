// Fetch: record batches from where the client stands, as they lie in the log. How partitions share the bound and how they
// are waited for: fetch_reads.hpp.
//
// Sessions are not kept: every answer names session 0, which makes clients send all their partitions each time. There are
// no transactions: the last stable offset is the high watermark, and nothing was ever aborted.
#include "kafka/handlers/fetch_reads.hpp"
#include "kafka/handlers/handlers.hpp"
#include "schema/limits.hpp"

namespace pessoa::kafka {

namespace {

using partition_entry = fetch_response::topic::partition;

constexpr int8_t read_uncommitted = 0, read_committed = 1;
constexpr auto held_back_pause = std::chrono::milliseconds{100};

struct open_request {
  exchange x;
  fetch_request asked;
  std::unique_ptr<fetch_reads> reads;
};

// A full fetch begins with epoch 0 or -1. Anything else goes on with a session, and we have given none.
int16_t session_error(const fetch_request& asked) {
  if (asked.session_epoch == 0 || asked.session_epoch == -1) return 0;
  return asked.session_id == 0 || asked.session_epoch < 0 ? +number::invalid_fetch_session_epoch
                                                          : +number::fetch_session_id_not_found;
}

size_t bytes_of(int32_t asked, size_t most) {
  return std::min(static_cast<size_t>(std::max(asked, 0)), most);
}

partition_read read_of(const exchange& x, const fetch_request& asked,
                       const result<const actors::topic_route*>& topic,
                       const fetch_request::topic::partition& in) {
  partition_read out;
  out.partition = partition_id{in.partition};
  out.from = offset{in.fetch_offset};
  out.bytes_max = bytes_of(in.partition_max_bytes, fetch_bytes_max);
  if (in.current_leader_epoch >= 0) out.known_epoch = leader_epoch{in.current_leader_epoch};
  if (x.version >= 12 && in.last_fetched_epoch >= 0) out.last_epoch = leader_epoch{in.last_fetched_epoch};
  if (asked.replica_id >= 0)
    out.failed = error{ec::invalid_argument, "no node replicates through this protocol"};
  else if (!topic)
    out.failed = topic.error();
  else
    out.topic = (*topic)->id;
  return out;
}

// Who leads now, for a client that believes something else (12).
void tell_leader(const exchange& x, const partition_read& from, partition_entry& out) {
  auto code = from.failed->code;
  if (code != ec::not_leader && code != ec::fenced_leader_epoch) return;
  auto routes = x.to().routes();
  auto* topic = routes->find(from.topic);
  auto index = static_cast<size_t>(from.partition.value());
  if (topic == nullptr || from.partition.value() < 0 || index >= topic->partitions.size()) return;
  out.current_leader.leader_id = topic->partitions[index].leader.value();
  out.current_leader.leader_epoch = topic->partitions[index].epoch.value();
}

partition_entry entry_of(const open_request& r, const partition_read& from) {
  partition_entry out;
  out.partition_index = from.partition.value();
  out.records = payload{}; // not null: several clients want to see an empty one
  if (r.asked.isolation_level == read_committed) out.aborted_transactions.emplace();
  if (from.failed) {
    out.error_code = r.x.number_of(from.failed->code);
    out.high_watermark = -1;
    tell_leader(r.x, from, out);
    return out;
  }
  if (from.diverging) {
    out.diverging_epoch = {from.diverging->epoch.value(), from.diverging->end.value()};
    out.high_watermark = -1;
    return out;
  }
  out.high_watermark = out.last_stable_offset = from.got.high_watermark.value();
  out.log_start_offset = from.got.log_start.value();
  out.records = payload{from.got.batches};
  return out;
}

// How much of the records goes out from where the log was read to; the rest is small and was copied.
void count(counters& to, const std::vector<partition_read>& reads, const encoded& message) {
  uint64_t in_place = 0, all = 0;
  auto piece = message.pieces.begin();
  for (auto& read : reads) {
    all += read.got.batches.size();
    auto is_it = [&](const bytes& b) {
      return !read.got.batches.empty() && b.data() == read.got.batches.data();
    };
    auto found = std::find_if(piece, message.pieces.end(), is_it);
    if (found == message.pieces.end()) continue;
    in_place += found->size();
    piece = std::next(found);
  }
  to.fetched_bytes_in_place.fetch_add(in_place, std::memory_order_relaxed);
  to.fetched_bytes_moved.fetch_add(all - in_place, std::memory_order_relaxed);
}

answer finish(open_request& r) {
  fetch_response out;
  answer made;
  size_t i = 0;
  auto& reads = r.reads->all();
  for (auto& topic : r.asked.topics) {
    auto& entry = out.topics.emplace_back();
    entry.topic = topic.topic;
    for (size_t n = topic.partitions.size(); n > 0; --n)
      entry.partitions.push_back(entry_of(r, reads[i++]));
  }
  if (r.reads->held_back()) {
    out.throttle_time_ms = static_cast<int32_t>(held_back_pause.count());
    made.mute = held_back_pause;
  }
  auto sent = reply(r.x, out);
  made.message = std::move(sent.message);
  made.close = std::move(sent.close);
  if (made.message && r.x.options->counted != nullptr) count(*r.x.options->counted, reads, *made.message);
  for (auto& read : reads)
    if (read.got.charge) made.charges.push_back(std::move(read.got.charge));
  return made;
}

} // namespace

template <>
kj::Promise<answer> fetch_handler::handle(exchange x, fetch_request asked) {
  if (auto code = session_error(asked); code != 0) {
    fetch_response out;
    out.error_code = code;
    return reply(x, out);
  }
  if (asked.isolation_level != read_uncommitted && asked.isolation_level != read_committed)
    return closing({ec::malformed_message,
                    "isolation level " + std::to_string(asked.isolation_level) + " is neither 0 nor 1"});
  size_t count = 0;
  for (auto& topic : asked.topics)
    count += topic.partitions.size();
  if (auto checked = check_partition_count(count); !checked) return closing(checked.error());

  auto routes = x.to().routes();
  std::vector<partition_read> all;
  all.reserve(count);
  for (auto& topic : asked.topics) {
    auto found = topic_named(*routes, topic.topic);
    for (auto& partition : topic.partitions)
      all.push_back(read_of(x, asked, found, partition));
  }
  fetch_bounds bounds;
  bounds.bytes_max = bytes_of(asked.max_bytes, fetch_answer_bytes_max);
  bounds.bytes_min =
      std::min(bytes_of(asked.min_bytes, fetch_answer_bytes_max), std::max<size_t>(bounds.bytes_max, 1));
  bounds.deadline = x.deadline_in(asked.max_wait_ms);
  auto r = std::make_shared<open_request>(open_request{std::move(x), std::move(asked), nullptr});
  r->reads = std::make_unique<fetch_reads>(r->x.to(), std::move(all), bounds);
  return r->reads->gather().then([r] { return finish(*r); });
}

} // namespace pessoa::kafka
