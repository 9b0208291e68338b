#include "simulations/workload/kafka_reader.hpp"

#include <algorithm>
#include <utility>

namespace pessoa::sim {

namespace {

constexpr int64_t the_start = -2, the_end = -1; // ListOffsets' words
constexpr int16_t offset_out_of_range = 1, corrupt_message = 2;
constexpr int starts_refused_max = 10;
constexpr int16_t first_with_epochs = 9, first_with_last_epoch = 12;

// The node or the partition is not there now; a client looks for it and asks again.
bool comes_again(int16_t code) {
  switch (code) {
  case 3:  // unknown topic or partition
  case 5:  // leader not available
  case 6:  // not leader
  case 7:  // request timed out
  case 56: // storage error
  case 74: // fenced leader epoch
  case 75: // unknown leader epoch
    return true;
  default:
    return false;
  }
}

template <class Topics>
auto& topic_in(Topics& topics, const std::string& name, std::string Topics::value_type::*field) {
  if (topics.empty() || topics.back().*field != name) topics.emplace_back().*field = name;
  return topics.back();
}

} // namespace

kafka_reader::kafka_reader(program& in, history& past, kafka_reader_options options)
    : in_(in), past_(past), options_(std::move(options)), session_(in, past, options_.session) {
  session_.on_up = [this] {
    for (auto& [name, topic] : session_.topics())
      for (size_t i = 0; i < topic.partitions.size(); ++i)
        positions_.try_emplace({name, static_cast<int32_t>(i)});
    if (!asking_) ask_next();
  };
}

void kafka_reader::start() { session_.begin(); }

void kafka_reader::catch_up() {
  catching_up_ = true;
  for (auto& [at, from] : positions_)
    from.at_end = false;
}

std::optional<std::string> kafka_reader::behind() const {
  if (positions_.empty()) return in_.name() + " never heard of a topic";
  for (auto& [at, from] : positions_)
    if (!from.at_end && !dropped(at))
      return in_.name() + " is at offset " + std::to_string(from.next) + " of " + at.topic + "["
             + std::to_string(at.partition) + "]" + (session_.up() ? "" : ", without a connection");
  return std::nullopt;
}

void kafka_reader::fail(const char* check, const place& at, const std::string& what) {
  in_.of().fail(check, in_.name() + ", " + at.topic + "[" + std::to_string(at.partition) + "]: " + what);
}

// -- one question after the other ---

void kafka_reader::ask_next() {
  asking_ = session_.up();
  if (!asking_) return; // on_up goes on
  bool lost = std::any_of(positions_.begin(), positions_.end(),
                          [this](auto& entry) { return entry.second.next < 0 && !dropped(entry.first); });
  auto found =
      lost ? find(the_start).then([this] { return find(the_end); }) : kj::Promise<void>{kj::READY_NOW};
  in_.run(found.then([this] { return fetch(); }).then([this] {
    rest(around(session_.random(), catching_up_ ? millisecond : options_.pause_mean));
  }));
}

void kafka_reader::rest(world_time span) {
  in_.after(span, [this] {
    if (!catching_up_ && session_.random().below(1000) < options_.rewind_per_mille)
      for (auto& [at, from] : positions_)
        from.next = from.epoch = -1;
    ask_next();
  });
}

// -- where partitions begin and end ---

kj::Promise<void> kafka_reader::find(int64_t timestamp) {
  if (!session_.up()) return kj::READY_NOW;
  kafka::list_offsets_request asked;
  asked.isolation_level =
      session_.version<kafka::list_offsets_request>() >= 2 ? options_.isolation : int8_t{0};
  for (auto& [at, from] : positions_) {
    if (dropped(at) || session_.leader_of(at) == nullptr) continue;
    auto& topic = topic_in(asked.topics, at.topic, &kafka::list_offsets_request::topic::name);
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = at.partition;
    partition.timestamp = timestamp;
    from.floor = past_.start_of(at);
  }
  if (asked.topics.empty()) {
    session_.refresh();
    return kj::READY_NOW;
  }
  return session_.ask(asked).then([this, timestamp](result<kafka::list_offsets_response> got) {
    if (got) take_offsets(*got, timestamp);
  });
}

void kafka_reader::take_offsets(const kafka::list_offsets_response& got, int64_t timestamp) {
  for (auto& topic : got.topics)
    for (auto& told : topic.partitions) {
      auto found = positions_.find({topic.name, told.partition_index});
      if (found == positions_.end())
        return session_.wrong("ListOffsets tells of a partition that nobody asked for");
      auto& [at, from] = *found;
      if (told.error_code != 0) {
        take_error(at, from, told.error_code);
        continue;
      }
      if (timestamp == the_start) {
        past_.start_told(at, told.offset, from.floor);
        if (from.next < 0) from.next = told.offset;
        if (std::exchange(from.start, told.offset) != told.offset) from.refused_there = 0;
      }
      if (timestamp == the_end && told.offset < from.furthest && !dropped(at))
        fail("high_watermark_stays", at,
             "it ends at " + std::to_string(told.offset) + ", and a reader was at "
                 + std::to_string(from.furthest));
    }
}

// -- fetching ---

kafka::fetch_request kafka_reader::question(size_t& partitions) {
  kafka::fetch_request out;
  auto version = session_.version<kafka::fetch_request>();
  out.max_wait_ms = options_.max_wait_ms;
  out.min_bytes = 1;
  out.max_bytes = options_.bytes_max;
  out.isolation_level = options_.isolation;
  out.session_epoch = chance(session_.random(), 50) ? 0 : -1; // a new session, or none: it is not given one
  for (auto& [at, from] : positions_) {
    auto* leader = session_.leader_of(at);
    if (dropped(at) || leader == nullptr || from.next < 0) {
      if (leader == nullptr) session_.refresh();
      continue;
    }
    auto& topic = topic_in(out.topics, at.topic, &kafka::fetch_request::topic::topic);
    auto& partition = topic.partitions.emplace_back();
    partition.partition = at.partition;
    partition.fetch_offset = from.next;
    partition.partition_max_bytes = options_.partition_bytes_max;
    from.floor = past_.start_of(at);
    if (version >= first_with_epochs) partition.current_leader_epoch = leader->epoch;
    if (version >= first_with_last_epoch) partition.last_fetched_epoch = from.epoch;
    ++partitions;
  }
  return out;
}

kj::Promise<void> kafka_reader::fetch() {
  if (!session_.up()) return kj::READY_NOW;
  size_t partitions = 0;
  auto asked = question(partitions);
  if (partitions == 0) return kj::READY_NOW;
  return session_.ask(asked, options_.max_wait_ms * millisecond)
      .then([this, partitions](result<kafka::fetch_response> got) {
        if (got) take_fetched(*got, partitions);
      });
}

void kafka_reader::take_fetched(const kafka::fetch_response& got, size_t partitions) {
  if (got.error_code != 0 || got.session_id != 0)
    return session_.wrong("Fetch is answered with error " + std::to_string(got.error_code) + " and session "
                          + std::to_string(got.session_id));
  size_t told = 0;
  for (auto& topic : got.topics)
    for (auto& partition : topic.partitions) {
      auto found = positions_.find({topic.topic, partition.partition_index});
      if (found == positions_.end())
        return session_.wrong("Fetch tells of a partition that nobody asked for");
      ++told;
      take_partition(found->first, found->second, partition);
    }
  if (told != partitions)
    session_.wrong("Fetch tells of " + std::to_string(told) + " partitions, and was asked for "
                   + std::to_string(partitions));
}

void kafka_reader::take_partition(const place& at, position& from,
                                  const kafka::fetch_response::topic::partition& got) {
  if (dropped(at)) return;
  if (got.error_code != 0) return take_error(at, from, got.error_code);
  // One node: what a reader was given is durable there, and its log parts from nobody's.
  if (got.diverging_epoch.epoch >= 0)
    return fail("offsets_hold", at, "a reader is told that what it read is not in the log");
  if (got.high_watermark < from.furthest)
    return fail("high_watermark_stays", at,
                "the high watermark is " + std::to_string(got.high_watermark) + ", and a reader was at "
                    + std::to_string(from.furthest));
  auto rest = got.records ? got.records->view() : byte_view{};
  while (!rest.empty()) {
    auto header = parse_batch_header(rest);
    if (!header || header->size() > rest.size())
      return fail("no_wrong_bytes", at, "an answer ends inside a batch");
    take_batch(at, from, rest.first(header->size()), got.high_watermark);
    if (in_.of().failed()) return;
    rest = rest.subspan(header->size());
  }
  from.at_end = from.at_end || from.next >= got.high_watermark;
  from.refused_there = 0;
  if (got.log_start_offset >= 0) past_.start_told(at, got.log_start_offset, from.floor);
}

void kafka_reader::take_batch(const place& at, position& from, byte_view batch, int64_t high_watermark) {
  if (!batch_crc_matches(batch)) return fail("no_wrong_bytes", at, "a batch contradicts its checksum");
  auto opened = batch_reader::open(batch);
  if (!opened) return fail("no_wrong_bytes", at, to_string(opened.error()));
  auto& header = opened->header();
  if (header.next_offset().value() > high_watermark)
    return fail("reads_are_committed", at,
                "a batch up to " + std::to_string(header.last_offset().value())
                    + " lies above the high watermark " + std::to_string(high_watermark));
  for (;;) {
    auto next = opened->next();
    if (!next) return fail("no_wrong_bytes", at, to_string(next.error()));
    if (!*next) break;
    if ((*next)->at.value() >= from.next) take_record(at, from, (*next)->at.value(), (*next)->record);
  }
  from.epoch = header.epoch.value();
}

void kafka_reader::take_record(const place& at, position& from, int64_t offset, const record_view& record) {
  if (offset > from.next && !past_.may_begin_at(at, offset))
    fail("no_gap", at, "offset " + std::to_string(offset) + " comes after " + std::to_string(from.next - 1));
  from.next = offset + 1;
  from.furthest = std::max(from.furthest, from.next);
  past_.read(at, offset, std::string{as_text(record.value.value_or(byte_view{}))});
}

void kafka_reader::take_error(const place& at, position& from, int16_t code) {
  if (dropped(at)) return;
  if (comes_again(code)) return session_.refresh();
  if (code == offset_out_of_range && past_.may_begin_at(at, from.next + 1)) {
    // It may have moved between the two answers; not again and again to the same place.
    if (from.next == from.start && ++from.refused_there == starts_refused_max)
      fail("readers_find_the_start", at,
           "it is told to begin at " + std::to_string(from.start) + ", which is out of range each time");
    from.next = from.epoch = -1;
    return;
  }
  auto what = "a reader at " + std::to_string(from.next) + " is answered with error " + std::to_string(code);
  if (code == offset_out_of_range) return fail("acknowledged_is_there", at, what);
  fail(code == corrupt_message ? "no_wrong_bytes" : "kafka_is_spoken_right", at, what);
}

} // namespace pessoa::sim
