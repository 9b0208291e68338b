#include "client/core/fetch_plan.hpp"

#include "schema/assert.hpp"
#include "schema/plants.hpp"

#include <algorithm>

namespace pessoa::client {

namespace {

// However many partitions share the budget, a fetch asks for this much.
constexpr size_t fetch_bytes_min = 64u << 10;

} // namespace

place_to_find fetch_plan::reset_place() const {
  if (settings_.reset == offset_reset::start) return at_start{};
  return at_end{}; // also with `none`, whose sense is only that out of range is an error
}

// -- what and where ---

void fetch_plan::assign(const std::vector<std::pair<topic_partition, topic_id>>& partitions) {
  std::map<topic_partition, part> next;
  for (auto& wanted : partitions) {
    auto at = parts_.find(wanted.first);
    if (at != parts_.end() && at->second.topic == wanted.second) {
      next.insert(parts_.extract(at));
      continue;
    }
    part fresh;
    fresh.topic = wanted.second;
    fresh.generation = next_generation_++;
    fresh.place = reset_place();
    if (settings_.reset == offset_reset::none) { // until a seek says where
      fresh.failure = error{ec::offset_out_of_range,
                            to_string(wanted.first) + " has no position, and auto.offset.reset is none"};
      fresh.dead = true;
    }
    next.emplace(wanted.first, std::move(fresh));
  }
  for (auto& entry : parts_)
    restart(entry.second); // gives back what it holds
  parts_.swap(next);
}

std::vector<topic_partition> fetch_plan::assignment() const {
  std::vector<topic_partition> all;
  for (auto& entry : parts_)
    all.push_back(entry.first);
  return all;
}

void fetch_plan::pause(const topic_partition& at, bool paused) {
  auto& p = parts_.at(at);
  if (p.paused == paused) return;
  p.paused = paused;
  // What a paused partition keeps does not stand in the way of the others.
  if (paused)
    buffered_ -= p.buffered;
  else
    buffered_ += p.buffered;
}

// Forgets what was fetched and asked: the partition begins anew.
void fetch_plan::restart(part& p) {
  p.generation = next_generation_++;
  if (!p.paused) buffered_ -= p.buffered;
  p.buffered = 0;
  p.chunks.clear();
  if (p.asked != 0) {
    asked_.erase(p.asked);
    if (!PESSOA_PLANT("forget_the_reserve")) reserved_ -= p.reserved;
    p.asked = 0;
    p.reserved = 0;
  }
  p.failure.reset();
  p.dead = false;
  p.failures = 0;
  p.empty = 0;
  p.not_before = {};
  p.fetch_epoch = -1;
}

// A node that has no place for another waiting fetch answers at once (`parked-fetches-max`), and so it does when
// it was not to wait. Asking again at once would keep both busy for nothing: an empty partition is asked as often
// as if the node had waited, after pauses that grow up to that.
void fetch_plan::nothing_new(part& p, instant now, random_source& random) {
  auto again =
      p.asked_at
      + std::max(std::min(settings_.backoff.pause(++p.empty, random), settings_.wait), backoff_policy::least);
  if (again > now) p.not_before = again;
}

void fetch_plan::settle_at(part& p, int64_t offset) {
  p.position = offset;
  p.fetch_next = offset;
}

void fetch_plan::seek(const topic_partition& at, int64_t offset) {
  auto& p = parts_.at(at);
  restart(p);
  p.resets = 0;
  settle_at(p, offset);
}

void fetch_plan::seek(const topic_partition& at, place_to_find place) {
  auto& p = parts_.at(at);
  restart(p);
  p.resets = 0;
  p.position.reset();
  p.place = place;
}

std::optional<int64_t> fetch_plan::position(const topic_partition& at) const {
  return parts_.at(at).position;
}
place_to_find fetch_plan::looked_for(const topic_partition& at) const { return parts_.at(at).place; }
uint64_t fetch_plan::generation(const topic_partition& at) const { return parts_.at(at).generation; }

// -- questions ---

std::vector<fetch_plan::question> fetch_plan::questions(instant now) {
  std::vector<question> out;
  if (parts_.empty()) return out;
  auto share = settings_.ahead_bytes_max / (2 * parts_.size());
  auto bytes_max = std::clamp(share, std::min(fetch_bytes_min, settings_.bytes_max), settings_.bytes_max);
  auto per_part = std::max(2 * bytes_max, settings_.ahead_bytes_max / parts_.size());
  bool in_turns = bytes_max > settings_.ahead_bytes_max / parts_.size();
  auto start = parts_.upper_bound(last_asked_);
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (start == parts_.end()) start = parts_.begin();
    auto& at = start->first;
    auto& p = start->second;
    ++start;
    if (p.asked != 0 || p.paused || p.dead || p.failure || now < p.not_before) continue;
    question q;
    q.at = at;
    q.topic = p.topic;
    if (!p.position) {
      q.what = p.place;
    } else {
      // One fetch may always go when nothing is held, or a large batch could never come.
      bool room = buffered_ + reserved_ + bytes_max <= settings_.ahead_bytes_max
                  && p.buffered + bytes_max <= per_part;
      if (!room && buffered_ + reserved_ > 0) continue;
      q.what = ask_fetch{p.fetch_next, p.fetch_epoch, bytes_max, in_turns ? duration{} : settings_.wait};
      p.reserved = bytes_max;
      reserved_ += bytes_max;
    }
    q.id = p.asked = next_id_++;
    p.asked_at = now;
    asked_.emplace(q.id, at);
    last_asked_ = at;
    out.push_back(std::move(q));
  }
  return out;
}

fetch_plan::part* fetch_plan::answering(uint64_t id) {
  auto at = asked_.find(id);
  if (at == asked_.end()) return nullptr; // from before a seek
  auto& p = parts_.at(at->second);
  asked_.erase(at);
  reserved_ -= p.reserved;
  p.reserved = 0;
  p.asked = 0;
  return &p;
}

fetch_plan::effect fetch_plan::fetch_answered(uint64_t id, const result<fetched>& answer, instant now,
                                              random_source& random) {
  auto found = asked_.find(id);
  if (found == asked_.end()) return {};
  auto at = found->second;
  auto& p = *answering(id);
  if (!answer.ok()) {
    if (answer.error().code == ec::offset_out_of_range) {
      if (settings_.reset == offset_reset::none || !p.chunks.empty()) {
        // What was fetched before is still good; the reset waits for its turn by being asked again.
        if (!p.chunks.empty()) {
          p.not_before = now + settings_.backoff.pause(1, random);
          return {};
        }
        p.failure = error{ec::offset_out_of_range, to_string(at) + ": " + answer.error().message};
        p.dead = true;
        return {false, true};
      }
      PESSOA_PROBE("reader_reset");
      troubles_.add(to_string(at) + ": " + to_string(answer.error()));
      auto place = reset_place();
      restart(p);
      p.position.reset();
      p.place = place;
      // Where a reset leads is out of range again only if the node contradicts itself, and it may for long.
      if (p.resets++ > 0) p.not_before = now + settings_.backoff.pause(p.resets, random);
      return {};
    }
    return failed(p, at, answer.error(), now, random);
  }
  p.failures = 0;
  troubles_.clear();
  bool forward = answer->next_offset > p.fetch_next;
  if (answer->batches.empty()) {
    if (forward) {
      // Nothing but gaps (compaction): go on behind them, but only after what lies before has been handed
      // out.
      if (p.chunks.empty() && *p.position == p.fetch_next) p.position = answer->next_offset;
      p.fetch_next = answer->next_offset;
    } else {
      nothing_new(p, now, random);
    }
    return {};
  }
  if (!forward) {
    return failed(p, at,
                  {ec::malformed_message,
                   "the node sent batches that do not lead on from offset " + std::to_string(p.fetch_next)},
                  now, random);
  }
  p.empty = p.resets = 0;
  chunk c{at, p.generation, p.fetch_next, answer->next_offset, answer->batches};
  p.fetch_next = answer->next_offset;
  p.fetch_epoch = answer->last_epoch;
  p.buffered += c.data.size();
  if (!p.paused) buffered_ += c.data.size();
  p.chunks.push_back(std::move(c));
  return {false, true};
}

fetch_plan::effect fetch_plan::place_answered(uint64_t id, const result<std::optional<int64_t>>& answer,
                                              instant now, random_source& random) {
  auto found = asked_.find(id);
  if (found == asked_.end()) return {};
  auto at = found->second;
  auto& p = *answering(id);
  if (!answer.ok()) return failed(p, at, answer.error(), now, random);
  p.failures = 0;
  if (*answer)
    settle_at(p, **answer);
  else
    p.place = at_end{}; // no record is that young
  return {false, true};
}

fetch_plan::effect fetch_plan::not_asked(uint64_t id, const error& why, instant now, random_source& random) {
  auto found = asked_.find(id);
  if (found == asked_.end()) return {};
  auto at = found->second;
  auto& p = *answering(id);
  troubles_.add(to_string(at) + ": " + to_string(why));
  p.not_before = now + settings_.backoff.pause(std::max(p.failures, 1u), random);
  return {};
}

fetch_plan::effect fetch_plan::failed(part& p, const topic_partition& at, const error& e, instant now,
                                      random_source& random) {
  troubles_.add(to_string(at) + ": " + to_string(e));
  auto step = judge(e);
  if (step == next_step::give_up || step == next_step::end) {
    p.failure = e;
    p.failure->message = to_string(at) + ": " + e.message;
    p.dead = true;
    return {false, true};
  }
  if (step == next_step::doubt && PESSOA_PLANT("skip_one_on_reconnect")) ++p.fetch_next;
  p.not_before = now + settings_.backoff.pause(++p.failures, random);
  return {step != next_step::repeat, false};
}

void fetch_plan::retry_now() {
  for (auto& entry : parts_)
    if (entry.second.failures == 0) entry.second.not_before = {};
}

void fetch_plan::lost(const topic_partition& at, const error& why) {
  auto found = parts_.find(at);
  if (found == parts_.end() || found->second.dead) return;
  restart(found->second);
  found->second.failure = why;
  found->second.dead = true;
}

std::optional<instant> fetch_plan::next_wakeup(instant now) const {
  std::optional<instant> at;
  for (auto& entry : parts_) {
    auto& p = entry.second;
    if (p.asked != 0 || p.paused || p.dead || p.not_before <= now) continue;
    if (!at || p.not_before < *at) at = p.not_before;
  }
  return at;
}

// -- what poll() takes ---

std::optional<chunk> fetch_plan::take() {
  auto start = parts_.upper_bound(last_taken_);
  for (size_t i = 0; i < parts_.size(); ++i, ++start) {
    if (start == parts_.end()) start = parts_.begin();
    auto& p = start->second;
    if (p.paused || p.chunks.empty()) continue;
    last_taken_ = start->first;
    auto taken = std::move(p.chunks.front());
    p.chunks.pop_front();
    p.buffered -= taken.data.size(); // `buffered_` keeps it until release()
    return taken;
  }
  return std::nullopt;
}

bool fetch_plan::advance(const chunk& taken, int64_t position) {
  auto found = parts_.find(taken.at);
  if (found == parts_.end() || found->second.generation != taken.generation) return false;
  auto& p = found->second;
  PESSOA_ASSERT(position >= *p.position, to_string(taken.at), position, *p.position);
  p.position = position;
  return true;
}

void fetch_plan::release(const chunk& taken) { buffered_ -= taken.data.size(); }

std::optional<error> fetch_plan::take_error() {
  for (auto& entry : parts_) {
    auto& p = entry.second;
    if (!p.failure || !p.chunks.empty() || p.paused) continue;
    auto e = std::move(p.failure);
    p.failure.reset();
    return e;
  }
  return std::nullopt;
}

} // namespace pessoa::client
