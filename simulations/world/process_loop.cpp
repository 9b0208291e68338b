#include "simulations/world/process_loop.hpp"

#include "schema/assert.hpp"

#include <algorithm>

namespace pessoa::sim {

process_loop::~process_loop() { PESSOA_ASSERT(!entered_); }

void process_loop::enter(const std::function<void()>& work) {
  if (entered_) return work(); // a destructor of the process that ends something of its own
  kj::WaitScope scope{events_};
  entered_ = true;
  auto leave = kj::defer([this] { entered_ = false; });
  auto now = kj::origin<kj::TimePoint>() + on_.now().time_since_epoch().count() * kj::NANOSECONDS;
  if (now >= timer_.now()) timer_.advanceTo(now); // also what is due at this very moment
  work();
  scope.poll();
}

void process_loop::run_posted() {
  PESSOA_ASSERT(!posted_.empty());
  auto next = std::move(posted_.front());
  posted_.pop_front();
  enter([&] {
    next.work();
    next.work = nullptr; // what it holds is let go of inside the loop
  });
}

void process_loop::run_woken(size_t index) {
  PESSOA_ASSERT(index < woken_.size());
  auto work = std::move(woken_[index]);
  woken_.erase(woken_.begin() + static_cast<ptrdiff_t>(index));
  enter([&] {
    work();
    work = nullptr;
  });
}

std::optional<int64_t> process_loop::next_timer() {
  KJ_IF_MAYBE (next, timer_.nextEvent()) return (*next - kj::origin<kj::TimePoint>()) / kj::NANOSECONDS;
  return std::nullopt;
}

void process_loop::drop(const void* of) {
  std::deque<task> theirs;
  for (auto& waiting : posted_)
    if (waiting.of == of) theirs.push_back(std::move(waiting));
  std::erase_if(posted_, [of](const task& t) { return t.of == of; });
  enter([&] { theirs.clear(); });
}

void process_loop::drop_all() {
  enter([this] {
    while (!posted_.empty() || !woken_.empty()) { // destructors may post
      auto posted = std::move(posted_);
      auto woken = std::move(woken_);
      posted_.clear();
      woken_.clear();
    }
  });
}

} // namespace pessoa::sim
