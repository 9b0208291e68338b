#include "simulations/world/process.hpp"

#include "schema/assert.hpp"

#include <caf/abstract_actor.hpp>
#include <caf/scheduled_actor.hpp>

#include <algorithm>

namespace pessoa::sim {

namespace {

using caf_time = caf::actor_clock::time_point;

caf_time caf_now(const machine& on) {
  return caf_time{} + std::chrono::duration_cast<caf_time::duration>(on.now().time_since_epoch());
}

uint64_t actor_of(caf::resumable* job) {
  auto* actor = dynamic_cast<caf::abstract_actor*>(job);
  return actor != nullptr ? actor->id() : 0;
}

// FNV-1a: the same everywhere.
uint64_t label_of(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (auto c : name)
    hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3ull;
  return hash;
}

} // namespace

process::process(timeline& time, machine& on, std::string name)
    : time_(time), on_(on), name_(std::move(name)), label_(label_of(name_)),
      loop_(std::make_shared<process_loop>(on)) {}

void process::set_scheduler(coordinator* scheduler) {
  ran_ = nullptr;
  scheduler_ = scheduler;
  if (scheduler_ != nullptr) scheduler_->clock().current_time = caf_now(on_);
}

void process::collect(std::vector<item>& into) {
  if (std::max(paused_until_, busy_until_) > time_.now()) return;
  if (scheduler_ != nullptr)
    for (size_t i = 0; i < scheduler_->jobs.size(); ++i)
      into.push_back({this, kind::actor, i, 16 + actor_of(scheduler_->jobs[i])});
  if (loop_->posted() > 0) into.push_back({this, kind::posted, 0, 1});
  for (size_t i = 0; i < loop_->woken(); ++i)
    into.push_back({this, kind::woken, i, 2});
  for (size_t i = 0; i < io_.size(); ++i)
    into.push_back({this, kind::io, i, 3});
}

void process::run(const item& chosen) {
  PESSOA_ASSERT(chosen.of == this);
  sync_actors();
  ran_ = nullptr;
  if (step_cost_ > 0) busy_until_ = time_.now() + step_cost_;
  switch (chosen.what) {
  case kind::actor: {
    auto& jobs = scheduler_->jobs;
    PESSOA_ASSERT(chosen.index < jobs.size());
    std::swap(jobs[0], jobs[chosen.index]);
    if (auto* actor = dynamic_cast<caf::abstract_actor*>(jobs[0]))
      ran_ = caf::strong_actor_ptr{actor->ctrl()};
    scheduler_->try_run_once();
    return;
  }
  case kind::posted:
    return loop_->run_posted();
  case kind::woken:
    return loop_->run_woken(chosen.index);
  case kind::io: {
    PESSOA_ASSERT(chosen.index < io_.size());
    auto work = std::move(io_[chosen.index]);
    io_.erase(io_.begin() + static_cast<ptrdiff_t>(chosen.index));
    work();
    return;
  }
  }
}

// Counting takes an actor's messages out of its inbox, which to an actor that sleeps means that it is awake, and nobody would
// wake it any more (CAF 0.17.6). Who waits in the scheduler's list is awake; whoever sleeps has no messages.
size_t process::longest_mailbox() const {
  size_t longest = 0;
  if (scheduler_ == nullptr) return longest;
  for (auto* job : scheduler_->jobs)
    if (auto* actor = dynamic_cast<caf::scheduled_actor*>(job))
      longest = std::max(longest, actor->mailbox().count());
  return longest;
}

caf::abstract_actor* process::ran_actor() const {
  auto* actor = ran_ ? ran_->get() : nullptr;
  return actor != nullptr && !actor->getf(caf::abstract_actor::is_terminated_flag) ? actor : nullptr;
}

std::optional<world_time> process::next_deadline() {
  std::optional<world_time> next;
  auto take = [&](int64_t local) {
    auto when = on_.world_when(local);
    if (!next || when < *next) next = when;
  };
  if (auto timer = loop_->next_timer()) take(*timer);
  if (scheduler_ != nullptr && !scheduler_->clock().schedule().empty()) {
    auto due = scheduler_->clock().schedule().begin()->first.time_since_epoch();
    take(std::chrono::duration_cast<duration>(due).count());
  }
  auto free = std::max(paused_until_, busy_until_);
  if (free > time_.now()) {
    bool waits = (scheduler_ != nullptr && !scheduler_->jobs.empty()) || loop_->posted() > 0
                 || loop_->woken() > 0 || !io_.empty();
    if (waits && (!next || free < *next)) next = free;
    if (next) next = std::max(*next, free);
  }
  return next;
}

void process::sync_actors() {
  if (scheduler_ == nullptr) return;
  auto now = caf_now(on_);
  auto& clock = scheduler_->clock();
  bool due = !clock.schedule().empty() && clock.schedule().begin()->first <= now;
  if (now > clock.current_time || due)
    scheduler_->advance_time(std::max(now - clock.current_time, caf::timespan{0}));
}

void process::fire_timers() {
  if (std::max(paused_until_, busy_until_) > time_.now()) return;
  auto now = on_.now().time_since_epoch().count();
  if (auto timer = loop_->next_timer(); timer && *timer <= now) loop_->run_timers();
  if (scheduler_ != nullptr && !scheduler_->clock().schedule().empty()) sync_actors();
}

} // namespace pessoa::sim
