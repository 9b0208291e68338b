// How much one connection carries at once, and who waits for room.
//
// With linger.ms = 0 a batch leaves as soon as it can. Over a thousand partitions that makes a thousand requests of a
// few records, each of which costs what a large one costs. So while `limit` requests are on their way, batches that are
// not full stay and grow, and leave in the order in which they began to wait. At low rates nothing waits.
//
// Not thread-safe. Holds what waits; whoever waits twice waits once.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <set>

namespace pessoa::client {

template <class Waiter>
class send_gate {
public:
  explicit send_gate(size_t limit) : limit_(limit) {}

  [[nodiscard]] bool busy() const { return on_their_way_ >= limit_; }
  [[nodiscard]] bool unused() const { return on_their_way_ == 0 && queue_.empty(); }
  void sent() { ++on_their_way_; }
  // Requires: called once per sent().
  void answered() { --on_their_way_; }

  void wait(const Waiter& who) {
    if (waiting_.insert(who).second) queue_.push_back(who);
  }
  // Who has waited longest, if there is room.
  std::optional<Waiter> next() {
    if (busy() || queue_.empty()) return std::nullopt;
    auto who = queue_.front();
    queue_.pop_front();
    waiting_.erase(who);
    return who;
  }

private:
  size_t limit_;
  size_t on_their_way_ = 0;
  std::deque<Waiter> queue_;
  std::set<Waiter> waiting_;
};

} // namespace pessoa::client
