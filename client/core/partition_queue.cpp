#include "client/core/partition_queue.hpp"

#include "schema/assert.hpp"
#include "schema/plants.hpp"

#include <algorithm>

namespace pessoa::client {

namespace {

// With linger.ms = 0: as many unfilled batches may be on their way; the next one waits for an answer and
// fills.
constexpr size_t unfilled_in_flight_max = 2;

// Sequences run from 0 to 2^31-1 and begin again.
int32_t sequence_after(int32_t base, size_t count) {
  return static_cast<int32_t>((static_cast<int64_t>(base) + static_cast<int64_t>(count)) & 0x7fffffff);
}
bool sequence_is_later(int32_t a, int32_t b) {
  return a != b && ((static_cast<uint32_t>(a) - static_cast<uint32_t>(b)) & 0x7fffffffu) < 0x40000000u;
}

int64_t milliseconds(duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d).count(); }

} // namespace

partition_queue::partition_queue(std::string name, const queue_settings& settings)
    : name_(std::move(name)),
      settings_(settings), open_{batch_builder{settings.codec, settings.level}, {}, 0, {}} {
  PESSOA_ASSERT(settings.in_flight_max >= 1 && settings.in_flight_max <= 5, settings.in_flight_max);
}

// -- callers ---

partition_queue::wake partition_queue::append(const pessoa::record_view& record, size_t charged,
                                              delivery_callback done, instant now) {
  auto more = batch_builder::upper_bound(record);
  PESSOA_ASSERT(batch_header_size + more <= settings_.request_bytes_max, more, settings_.request_bytes_max);
  bool closed = false;
  bool full = open_.builder.size() + more > settings_.request_bytes_max
              || open_.builder.record_count() == batch_builder::records_max;
  if (full && !open_.records.empty()) {
    close_open();
    closed = true;
  }
  bool opened = open_.records.empty();
  if (opened) open_.created = now;
  open_.builder.add(record);
  open_.records.push_back({std::move(done), record.time.value()});
  open_.charged += charged;

  // Ripe, and it can leave at once: compress here, on the caller's time. Otherwise it goes on growing.
  if (open_.builder.size() >= settings_.batch_bytes && batches_.size() < window()) {
    close_open();
    return wake::yes;
  }
  if (closed || (opened && (settings_.linger > duration{0} || open_may_go(now)))) return wake::yes;
  return wake::no;
}

partition_queue::wake partition_queue::flush() {
  if (open_.records.empty()) return batches_.empty() ? wake::no : wake::yes;
  flushing_ = true;
  return wake::yes;
}

bool partition_queue::open_must_go(instant now) const {
  if (open_.records.empty()) return false;
  if (flushing_ || open_.builder.size() >= settings_.batch_bytes) return true;
  return settings_.linger > duration{0} && now >= open_.created + settings_.linger;
}

bool partition_queue::open_may_go(instant now) const {
  if (open_must_go(now)) return true;
  return !open_.records.empty() && settings_.linger == duration{0}
         && batches_.size() < unfilled_in_flight_max;
}

size_t partition_queue::window() const {
  return settings_.idempotent && !acknowledged_ ? 1 : settings_.in_flight_max;
}

void partition_queue::close_open() {
  auto closed = std::make_unique<batch>();
  if (identity_) {
    closed->identity = *identity_;
    closed->identity.base_sequence = predicted_;
    predicted_ = sequence_after(predicted_, open_.records.size());
  }
  closed->data = std::make_shared<std::vector<uint8_t>>(open_.builder.finish(closed->identity));
  auto count = open_.records.size();
  closed->records = std::move(open_.records);
  closed->count = count;
  closed->charged = open_.charged;
  closed->created = open_.created;
  batches_.push_back(std::move(closed));
  open_.records = {};
  open_.records.reserve(count);
  open_.charged = 0;
  flushing_ = false;
}

// -- the loop ---

partition_queue::actions partition_queue::advance(instant now, const std::optional<error>& hindrance,
                                                  way towards_node) {
  actions out;
  if (ended_) end_all(*ended_);
  if (hindrance) {
    for (auto& b : batches_)
      if (!b->outcome && b->in_flight == 0) {
        b->causes.add(*hindrance);
        break;
      }
  }
  expire(now, hindrance, out);
  settle();
  if (!hindrance) send_what_may(now, towards_node, out);
  collect(out);
  return out;
}

void partition_queue::expire(instant now, const std::optional<error>& hindrance, actions& out) {
  if (!open_.records.empty() && now >= open_.created + settings_.delivery_timeout) close_open();
  collect(out);
  for (auto& b : batches_) {
    if (b->told) continue;
    if (b->outcome || now < b->created + settings_.delivery_timeout) break; // in order of creation
    if (hindrance && b->in_flight == 0) b->causes.add(*hindrance);
    if (b->in_flight != 0) b->causes.add("attempt " + std::to_string(b->attempts) + " has no answer yet");
    bool doubt = (b->floated || b->in_flight != 0) && !PESSOA_PLANT("late_means_not_stored");
    error why{ec::timed_out, name_ + ": " + std::to_string(b->count)
                                 + " records were not acknowledged within "
                                 + std::to_string(milliseconds(settings_.delivery_timeout)) + " ms"
                                 + (doubt ? " and may have been stored" : "; they were not stored")};
    why.category = doubt ? error_category::unknown : error_category::retriable;
    why.hint = doubt ? "check whether they are there before sending them again, or raise delivery.timeout.ms"
                     : "send them again when the cause is gone, or raise delivery.timeout.ms";
    if (doubt && settings_.idempotent)
      tell(*b, with_causes(*b, std::move(why)), out);
    else
      fail(*b, std::move(why));
    tell_in_order(out);
  }
  collect(out);
}

// While a hole is in the sequence: when everything that carries a number has a certain answer, what was
// refused becomes new again and is numbered behind the last stored batch.
void partition_queue::settle() {
  if (!settling_) return;
  bool copies = false;
  for (auto& b : batches_) {
    if (b->outcome || !b->attempted) continue;
    if ((b->in_flight != 0 || b->in_doubt) && !PESSOA_PLANT("renumber_in_flight")) return;
    copies = copies || b->floated;
  }
  for (auto& b : batches_) {
    if (b->outcome) continue;
    if (b->told || (b->floated && hole_floats_)) {
      b->outcome = with_causes(
          *b, {ec::unknown_result, name_ + ": " + std::to_string(b->count)
                                       + " records may have been stored: one before them was lost"});
      continue;
    }
    b->attempted = b->after_earlier = b->floated = false;
  }
  PESSOA_PROBE("sequences_settled");
  if ((copies || hole_floats_) && !PESSOA_PLANT("keep_id_with_copies")) {
    PESSOA_PROBE("producer_id_given_up");
    identity_.reset();
    acknowledged_ = false;
  } else {
    identity_->base_sequence = predicted_ = stored_end_;
  }
  settling_ = hole_floats_ = false;
}

void partition_queue::send_what_may(instant now, way towards_node, actions& out) {
  if (now < not_before_ || empty()) return;
  if (settings_.idempotent && !identity_) {
    out.want_identity = true;
    return;
  }
  bool earlier = false; // one without an answer
  for (size_t i = 0; i < window(); ++i) {
    if (i == batches_.size()) {
      if (!open_may_go(now) || settling_) break;
      if (towards_node == way::busy && !open_must_go(now)) {
        out.held_back = true;
        break;
      }
      close_open();
    }
    auto& b = *batches_[i];
    if (b.outcome) continue;
    bool first = !earlier;
    earlier = true;
    if (b.in_flight != 0) continue;
    if (settling_ && !(b.attempted && b.in_doubt)) continue;
    if (b.after_earlier && !first) break;
    if (settings_.idempotent && !b.attempted) {
      stamp(b, *identity_);
      identity_->base_sequence = sequence_after(identity_->base_sequence, b.count);
    }
    b.attempted = true;
    b.after_earlier = false;
    b.behind = !first;
    b.in_flight = next_attempt_++;
    ++b.attempts;
    out.sends.push_back({b.in_flight, b.data, b.data->size(), b.attempts});
  }
}

void partition_queue::stamp(batch& b, const batch_identity& identity) {
  auto same = [&] {
    return b.identity.producer == identity.producer && b.identity.epoch == identity.epoch
           && b.identity.base_sequence == identity.base_sequence;
  };
  if (same()) return;
  // Messages of earlier attempts may still refer to the bytes.
  if (b.attempts > 0) b.data = std::make_shared<std::vector<uint8_t>>(*b.data);
  auto header = parse_batch_header(*b.data).value();
  header.producer = identity.producer;
  header.pepoch = identity.epoch;
  header.base_sequence = identity.base_sequence;
  write_batch_header(b.data->data(), header);
  seal_batch(*b.data);
  b.identity = identity;
}

partition_queue::actions partition_queue::answered(uint64_t attempt, const result<stored>& answer,
                                                   bool maybe_done, instant now, random_source& random) {
  actions out;
  auto at = std::find_if(batches_.begin(), batches_.end(), [&](const auto& b) {
    if (PESSOA_PLANT("answer_to_the_wrong_request")) return b->in_flight != 0;
    return attempt != 0 && b->in_flight == attempt;
  });
  if (at == batches_.end()) return out;
  (*at)->in_flight = 0;
  if (answer.ok())
    accept(**at, *answer);
  else
    refuse(**at, answer.error(), maybe_done, now, random, out);
  collect(out);
  return out;
}

void partition_queue::accept(batch& b, const stored& at) {
  if (b.attempts > 1) PESSOA_PROBE("retry_acknowledged");
  failures_ = 0;
  b.outcome = at;
  if (!settings_.idempotent) return;
  auto end = sequence_after(b.identity.base_sequence, b.count);
  if (!acknowledged_ || sequence_is_later(end, stored_end_)) stored_end_ = end;
  acknowledged_ = true;
}

void partition_queue::refuse(batch& b, const error& e, bool maybe_done, instant now, random_source& random,
                             actions& out) {
  b.causes.add(e);
  if (settings_.idempotent && e.code == ec::out_of_order_sequence && (b.behind || settling_)) {
    b.in_doubt = false; // had it been written before, it would have been known as a duplicate
    b.after_earlier = true;
    return;
  }
  auto step = judge(e);
  if (step == next_step::doubt && !maybe_done) step = next_step::refresh;
  switch (step) {
  case next_step::doubt:
    PESSOA_PROBE("connection_lost_with_requests");
    if (!settings_.idempotent) {
      b.floated = true;
      error why{ec::unknown_result,
                name_ + ": " + std::to_string(b.count) + " records may have been stored: " + to_string(e)};
      fail(b, std::move(why));
      return;
    }
    b.in_doubt = b.floated = true;
    if (PESSOA_PLANT("retry_as_new")) b.attempted = false;
    [[fallthrough]];
  case next_step::refresh:
    out.want_metadata = true;
    [[fallthrough]];
  case next_step::repeat:
    pause(now, random);
    return;
  case next_step::give_up:
    if (!b.floated || PESSOA_PLANT("forget_the_doubt"))
      fail(b, e);
    else
      fail(b, {ec::unknown_result,
               name_ + ": " + std::to_string(b.count)
                   + " records were refused, but may have been stored before: " + to_string(e)});
    return;
  case next_step::end:
    end_all(e);
    return;
  }
}

void partition_queue::pause(instant now, random_source& random) {
  if (now < not_before_) return; // several failures of one moment are one
  ++failures_;
  not_before_ = now + settings_.backoff.pause(failures_, random);
}

error partition_queue::with_causes(const batch& b, error why) {
  why.attempts = b.attempts;
  auto causes = b.causes.list();
  if (causes.size() > 1 || (causes.size() == 1 && causes.front() != to_string(why)))
    why.last_causes = std::move(causes);
  return why;
}

void partition_queue::fail(batch& b, error why) {
  if (settings_.idempotent && b.attempted) {
    settling_ = true;
    hole_floats_ = hole_floats_ || b.floated || b.in_flight != 0;
  }
  b.in_flight = 0;
  b.outcome = with_causes(b, std::move(why));
}

void partition_queue::end_all(const error& why) {
  if (!ended_) ended_ = why;
  if (!open_.records.empty()) close_open();
  for (auto& b : batches_) {
    if (b->outcome) continue;
    if (!b->floated && b->in_flight == 0) {
      fail(*b, why);
      continue;
    }
    b->causes.add(why);
    fail(*b, {ec::unknown_result, name_ + ": " + std::to_string(b->count)
                                      + " records were sent and not answered: " + to_string(why)});
  }
}

partition_queue::actions partition_queue::abort(const error& definite) {
  actions out;
  end_all(definite);
  collect(out);
  return out;
}

void partition_queue::tell(batch& b, result<stored> outcome, actions& out) {
  b.told = true;
  out.ends.push_back({std::move(b.records), b.attempts, std::move(outcome)});
}

// Of those that have an outcome, as long as none before them waits for its own.
void partition_queue::tell_in_order(actions& out) {
  for (auto& b : batches_) {
    if (b->told) continue;
    if (!b->outcome) break;
    tell(*b, *b->outcome, out);
  }
}

void partition_queue::collect(actions& out) {
  tell_in_order(out);
  while (!batches_.empty() && batches_.front()->told && batches_.front()->outcome) {
    out.released += batches_.front()->charged;
    batches_.pop_front();
  }
}

void partition_queue::set_identity(producer_id id, producer_epoch epoch) {
  PESSOA_ASSERT(settings_.idempotent && !identity_, name_);
  identity_ = batch_identity{id, epoch, 0};
  stored_end_ = predicted_ = 0;
  acknowledged_ = false;
}

// -- facts ---

std::optional<instant> partition_queue::next_wakeup(instant now) const {
  if (empty()) return std::nullopt;
  auto first = std::find_if(batches_.begin(), batches_.end(), [](const auto& b) { return !b->told; });
  std::optional<instant> at;
  auto by = [&](instant when) { at = at ? std::min(*at, when) : when; };
  if (first != batches_.end())
    by((*first)->created + settings_.delivery_timeout);
  else if (!open_.records.empty())
    by(open_.created + settings_.delivery_timeout);
  // A moment that has passed was looked at by advance(); what still waits then, waits for an answer.
  if (not_before_ > now) by(not_before_);
  auto lingered = open_.created + settings_.linger;
  if (!open_.records.empty() && settings_.linger > duration{0} && lingered > now) by(lingered);
  return at;
}

size_t partition_queue::record_count() const {
  size_t count = open_.records.size();
  for (auto& b : batches_)
    if (!b->told) count += b->count;
  return count;
}

size_t partition_queue::in_flight() const {
  return static_cast<size_t>(
      std::count_if(batches_.begin(), batches_.end(), [](const auto& b) { return b->in_flight != 0; }));
}

std::optional<std::string> partition_queue::check_invariants() const {
  if (in_flight() > settings_.in_flight_max) return name_ + ": more in flight than allowed";
  if (!batches_.empty() && batches_.front()->outcome) return name_ + ": a decided batch was not told";
  if (batches_.size() > 1 && settling_ && !settings_.idempotent) return name_ + ": settles without need";
  const batch* before = nullptr;
  for (size_t i = 0; i < batches_.size(); ++i) {
    auto& b = *batches_[i];
    if (b.in_flight != 0 && i >= settings_.in_flight_max) return name_ + ": in flight outside the window";
    if (b.in_flight != 0 && !b.attempted) return name_ + ": in flight, but its sequence is not in use";
    if (b.in_doubt && !b.attempted && !b.outcome) return name_ + ": in doubt, but its sequence is not in use";
    if (!settings_.idempotent || !b.attempted) continue;
    if (b.outcome && !b.outcome->ok()) { // what it leaves is a hole until order is settled
      before = nullptr;
      continue;
    }
    if (before && !settling_ && before->identity.producer == b.identity.producer
        && sequence_after(before->identity.base_sequence, before->count) != b.identity.base_sequence)
      return name_ + ": sequences of batches without an answer do not follow each other";
    before = &b;
  }
  return std::nullopt;
}

} // namespace pessoa::client
