#include "protocol/partition/partition_leader.hpp"

#include "protocol/partition/append_checks.hpp"
#include "schema/plants.hpp"

#include <algorithm>
#include <limits>
#include <sstream>

namespace pessoa::protocol {

namespace {

// Producers are looked through for expired ones at most this often: it takes a pass over all of them.
constexpr duration expiry_interval = std::chrono::minutes{10};

template <class... Ts>
std::string text(const Ts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

} // namespace

partition_leader::partition_leader(leader_start start)
    : key_(start.key), epoch_(start.epoch), begin_(start.log_end), log_start_(start.log_start),
      log_end_(start.log_end), high_watermark_(start.log_end), durable_end_(start.log_end),
      producers_(std::move(start.producers)), settings_(std::move(start.settings)), appended_(start.log_end),
      acknowledged_end_(start.log_start) {
  PESSOA_ASSERT(offset{0} <= log_start_ && log_start_ <= log_end_, log_start_, log_end_);
  PESSOA_ASSERT(epoch_ >= leader_epoch{0}, epoch_);
  producers_.crop(settings_.producers_max);
}

// -- clients ---

result<void> partition_leader::check_epoch(const std::optional<leader_epoch>& known) const {
  if (ended_) {
    return {ec::not_leader,
            text("this node's leadership of ", to_string(key_), " in epoch ", epoch_, " is over")};
  }
  if (!known || *known == epoch_) return {};
  if (PESSOA_PLANT("skip_epoch_check")) return {};
  if (*known < epoch_) {
    PESSOA_PROBE("stale_epoch_refused");
    return {ec::fenced_leader_epoch,
            text("leader epoch ", *known, " of ", to_string(key_), " is over; it is ", epoch_)};
  }
  return {ec::unknown_leader_epoch,
          text("leader epoch ", *known, " of ", to_string(key_), " is ahead of ", epoch_)};
}

result<void> partition_leader::check_room(size_t bytes) const {
  // Whatever the bound, one batch may always wait: else a low bound would refuse it for ever.
  if (waiting_.empty() || waiting_.bytes() + bytes <= settings_.waiting_bytes_max) return {};
  PESSOA_PROBE("overloaded");
  return {ec::overloaded, text(waiting_.bytes(), " bytes wait for the disk in ", to_string(key_),
                               ", at most ", settings_.waiting_bytes_max, " may")};
}

effects partition_leader::produce(const produce_input& input, instant now, timestamp wall) {
  now_ = now;
  expire_producers(now, wall);
  auto refuse = [&](const error& why) { return effects{answer_produce{input.id, why}}; };

  auto& header = input.facts.header;
  PESSOA_ASSERT(header.record_count > 0 && header.last_offset_delta == header.record_count - 1,
                header.record_count, header.last_offset_delta);
  if (auto checked = check_epoch(input.known_epoch); !checked.ok()) return refuse(checked.error());
  if (failure_) return refuse(*failure_);
  // Before the topic's checks, unlike Kafka: what is in the log is in the log, also when the settings have
  // changed since.
  if (auto* original = find_duplicate(producers_, header); original && !PESSOA_PLANT("no_dedup"))
    return repeat(input, *original);
  if (auto checked = check_append(input.facts, settings_.config, wall); !checked.ok())
    return refuse(checked.error());
  if (auto checked = refused_.check(header, now); !checked.ok() && !PESSOA_PLANT("accept_sequence_gaps")) {
    PESSOA_PROBE("held_behind_a_refusal");
    return refuse(checked.error());
  }
  if (auto checked = admit(producers_, header); !checked.ok() && !PESSOA_PLANT("accept_sequence_gaps")) {
    PESSOA_PROBE("out_of_order_refused");
    return refuse(checked.error());
  }
  if (auto checked = check_room(waiting_produce::bookkeeping_bytes + header.size()); !checked.ok()) {
    if (input.level != acks::none) refused_.note(header, ec::overloaded, now, settings_.producers_max);
    return refuse(checked.error());
  }
  if (header.idempotent()) producers_used_ = now;
  return append(input, wall);
}

effects partition_leader::append(const produce_input& input, timestamp wall) {
  auto stamp = stamping_for(input.facts, settings_.config);
  auto header = input.facts.header;
  PESSOA_ASSERT(log_end_.value() <= std::numeric_limits<int64_t>::max() - header.record_count, log_end_);
  header.base_offset = log_end_;
  header.epoch = epoch_;
  header.attributes =
      static_cast<int16_t>(stamp.append_time ? header.attributes | 0x08 : header.attributes & ~0x08);
  header.max_timestamp = stamp.append_time ? wall : input.facts.max_timestamp;

  producers_.apply(header, wall);
  refused_.admitted(header);
  auto base = log_end_;
  log_end_ = header.next_offset();
  appended_.append(log_end_, header.size(), high_watermark_);
  auto append_time = stamp.append_time ? wall : no_timestamp;
  auto alone = waiting_.empty();
  waiting_.add(
      {input.id, input.level, header, append_time, input.deadline, false, input.level == acks::none});
  if (alone) waiting_bytes_allowed_ = waiting_.bytes();

  effects out;
  if (input.level == acks::none)
    out.push_back(answer_produce{input.id, produced{no_offset, append_time, log_start_}});
  out.push_back(append_batch{input.id, base, epoch_, wall, stamp.append_time, stamp.max_timestamp});
  return out;
}

effects partition_leader::repeat(const produce_input& input, const producer_batch& original) {
  PESSOA_PROBE("dedup_hit");
  if (original.last_offset < begin_) PESSOA_PROBE("dedup_hit_after_restart");
  if (original.last_offset < high_watermark_) {
    return {answer_produce{input.id, produced{original.first_offset, original.time, log_start_, true}}};
  }
  if (input.level == acks::none)
    return {answer_produce{input.id, produced{no_offset, original.time, log_start_, true}}};
  if (auto checked = check_room(waiting_produce::bookkeeping_bytes); !checked.ok()) {
    return {answer_produce{input.id, checked.error()}};
  }
  PESSOA_PROBE("dedup_hit_waits");
  auto header = input.facts.header;
  header.base_offset = original.first_offset;
  waiting_.add({input.id, input.level, header, original.time, input.deadline, true, false});
  return {};
}

void partition_leader::answer(effects& out, const waiting_produce& item) {
  PESSOA_ASSERT(item.end() <= high_watermark_, item.end(), high_watermark_);
  auto base = PESSOA_PLANT("answer_where_the_last_ended") ? acknowledged_end_ : item.base();
  acknowledged_end_ = std::max(acknowledged_end_, item.end());
  out.push_back(answer_produce{item.id, produced{base, item.append_time, log_start_, item.duplicate}});
}

error partition_leader::out_of_range(offset from) const {
  return {ec::offset_out_of_range, text("offset ", from, " is outside ", to_string(key_),
                                        ", which goes from ", log_start_, " to ", high_watermark_)};
}

void partition_leader::read_or_nothing(effects& out, request_id id, offset from, size_t bytes_max) const {
  if (from < high_watermark_) {
    auto limit = PESSOA_PLANT("read_above_high_watermark") ? log_end_ : high_watermark_;
    out.push_back(read_log{id, from, limit, bytes_max, high_watermark_, log_start_});
  } else {
    out.push_back(answer_fetch{id, fetch_nothing{high_watermark_, log_start_}});
  }
}

effects partition_leader::fetch(const fetch_input& input, instant now) {
  effects out;
  auto checked = check_epoch(input.known_epoch);
  if (!checked.ok()) {
    out.push_back(answer_fetch{input.id, checked.error()});
    return out;
  }
  if (input.from < log_start_ || input.from > log_end_) {
    PESSOA_PROBE("fetch_out_of_range");
    out.push_back(answer_fetch{input.id, out_of_range(input.from)});
    return out;
  }
  auto position = appended_.position(input.from);
  auto due = position ? *position + std::min(input.bytes_min, input.bytes_max) : 0;
  bool enough = due <= committed_position_;
  if (enough || input.deadline <= now || parked_.size() >= settings_.parked_fetches_max) {
    read_or_nothing(out, input.id, input.from, input.bytes_max);
    return out;
  }
  parked_.park({input.id, input.from, input.bytes_max, due, input.deadline});
  return out;
}

void partition_leader::forget_fetch(request_id id) { parked_.forget(id); }

// -- the log ---

effects partition_leader::committed(offset durable_end) {
  PESSOA_ASSERT(durable_end <= log_end_, durable_end, log_end_);
  durable_end_ = std::max(durable_end_, durable_end);
  effects out;
  advance(out);
  return out;
}

// With one replica the in-sync set is this node. What other members report is the other input: the smallest
// durable end over the union of the committed and the proposed in-sync set, while it has at least min.insync
// members (rules.md 2).
offset partition_leader::in_sync_durable_end() const {
  return PESSOA_PLANT("high_watermark_ahead") ? log_end_ : durable_end_;
}

void partition_leader::advance(effects& out) {
  auto reached = in_sync_durable_end();
  if (reached <= high_watermark_) return;
  high_watermark_ = reached;
  auto position = appended_.position(high_watermark_);
  PESSOA_ASSERT(position, high_watermark_, log_end_);
  committed_position_ = *position;
  // acks=1 asks for this node's own sync only. While the in-sync set is this node that is the same moment.
  for (auto& item : waiting_.take_committed(high_watermark_)) {
    if (!item.answered) answer(out, item);
  }
  for (auto& fetch : parked_.take_due(committed_position_)) {
    PESSOA_ASSERT(fetch.from < high_watermark_, fetch.from, high_watermark_);
    PESSOA_PROBE("parked_fetch_answered");
    if (PESSOA_PLANT("woken_fetch_unanswered")) continue;
    read_or_nothing(out, fetch.id, fetch.from, fetch.bytes_max);
  }
}

effects partition_leader::refused(const error& why, offset log_end, producer_table producers) {
  PESSOA_ASSERT(high_watermark_ <= log_end && log_end <= log_end_, high_watermark_, log_end, log_end_);
  effects out;
  PESSOA_PROBE("decided_batches_undone");
  for (auto& item : waiting_.take_undone(log_end)) {
    // Who asked for no answer does not hear of the refusal and will not send the batch again.
    if (item.level != acks::none) refused_.note(item.header, why.code, now_, settings_.producers_max);
    if (!item.answered) out.push_back(answer_produce{item.id, why});
  }
  log_end_ = log_end;
  appended_.undo(log_end);
  producers_ = std::move(producers);
  producers_.crop(settings_.producers_max);
  if (ended_) return out;
  for (auto& fetch : parked_.take_outside(log_start_, log_end_)) {
    out.push_back(answer_fetch{fetch.id, out_of_range(fetch.from)});
  }
  return out;
}

effects partition_leader::failed(const error& why) {
  effects out;
  for (auto& item : waiting_.take_all()) {
    if (item.answered) continue;
    PESSOA_PROBE("answered_unknown");
    auto code = PESSOA_PLANT("failure_means_no") ? ec::storage_failed : ec::unknown_result;
    out.push_back(answer_produce{item.id, error{code, text("the log failed before offset ", item.base(),
                                                           " was known to be on disk (", why.message, ")")}});
  }
  if (!failure_) failure_ = why;
  return out;
}

effects partition_leader::start_moved(offset log_start) {
  PESSOA_ASSERT(log_start <= high_watermark_, log_start, high_watermark_);
  effects out;
  if (log_start <= log_start_) return out;
  PESSOA_PROBE("log_start_moved");
  log_start_ = log_start;
  for (auto& fetch : parked_.take_outside(log_start_, log_end_)) {
    out.push_back(answer_fetch{fetch.id, out_of_range(fetch.from)});
  }
  return out;
}

// -- time ---

effects partition_leader::tick(instant now, timestamp wall) {
  now_ = now;
  expire_producers(now, wall);
  effects out;
  for (auto& item : waiting_.expire(now)) {
    PESSOA_PROBE("produce_timed_out");
    auto code = PESSOA_PLANT("timeout_means_no") ? ec::overloaded : ec::timed_out;
    out.push_back(answer_produce{
        item.id, error{code, text("offset ", item.base(), " of ", to_string(key_),
                                  " was not known to be on disk in time; it may still be written")}});
  }
  for (auto& fetch : parked_.take_expired(now)) {
    PESSOA_PROBE("fetch_timed_out");
    read_or_nothing(out, fetch.id, fetch.from, fetch.bytes_max);
  }
  return out;
}

std::optional<instant> partition_leader::next_deadline() const {
  auto produce = waiting_.next_deadline(), fetch = parked_.next_deadline();
  if (produce && fetch) return std::min(*produce, *fetch);
  return produce ? produce : fetch;
}

void partition_leader::expire_producers(instant now, timestamp wall) {
  if (!next_expiry_) next_expiry_ = now + expiry_interval;
  if (!producers_used_) producers_used_ = now;
  bool crowded = producers_.size() >= producers_with_slack();
  if (!crowded && now < *next_expiry_) return;
  next_expiry_ = now + expiry_interval;
  auto ms = [](auto span) { return std::chrono::duration_cast<std::chrono::milliseconds>(span).count(); };
  auto limits = producer_expiry::after(ms(settings_.producer_expiry), ms(now - *producers_used_));
  if (producers_.expire(wall, limits, settings_.producers_max) > 0) PESSOA_PROBE("producer_expired");
  refused_.expire(now);
}

// -- the end of the epoch ---

effects partition_leader::end() {
  effects out;
  if (ended_) return out;
  ended_ = true;
  for (auto& item : waiting_.take_all()) {
    if (item.answered) continue;
    out.push_back(answer_produce{
        item.id, error{ec::unknown_result, text("leader epoch ", epoch_, " ended before offset ", item.base(),
                                                " was known to be on disk")}});
  }
  auto over = check_epoch(std::nullopt).error();
  for (auto& fetch : parked_.take_all())
    out.push_back(answer_fetch{fetch.id, over});
  return out;
}

void partition_leader::apply(const leader_settings& settings) {
  settings_ = settings;
  producers_.crop(settings_.producers_max);
  waiting_bytes_allowed_ = waiting_.bytes();
  parked_fetches_allowed_ = parked_.size();
}

} // namespace pessoa::protocol
