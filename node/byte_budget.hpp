// Bytes that may be held at one time, for a connection, for everybody before login, for the node. What a
// listener admits is decided here: when a budget is empty, nobody reads on.
//
// A budget may have a parent (connection -> node); what is taken counts at every level until its ticket goes.
// `acquire` waits, first come first served, until every level has room, and then takes all of it: a budget is
// overdrawn by at most one message. `take` never waits; it is for bytes that are in memory already.
//
// Thread-safe. Tickets may be released on any thread, and outlive whoever made the budget. A waiter is woken
// through its loop, and never inside release().
#pragma once

#include "schema/seams/io_loop.hpp"

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace pessoa::node {

class byte_budget : public std::enable_shared_from_this<byte_budget> {
public:
  // What was taken, at every level; gives it back when it goes.
  class ticket {
  public:
    ticket() = default;
    ticket(ticket&& other) noexcept
        : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}
    ticket& operator=(ticket&& other) noexcept;
    ~ticket() { release(); }
    void release();
    [[nodiscard]] size_t bytes() const { return bytes_; }

  private:
    friend class byte_budget;
    ticket(std::shared_ptr<byte_budget> budget, size_t bytes) : budget_(std::move(budget)), bytes_(bytes) {}
    std::shared_ptr<byte_budget> budget_;
    size_t bytes_ = 0;
  };

  struct figures {
    size_t limit = 0, used = 0, high_water = 0, waiting = 0;
  };

  // Requires: limit > 0.
  static std::shared_ptr<byte_budget> make(size_t limit, std::shared_ptr<byte_budget> parent = nullptr);

  // Takes at once, and may overdraw.
  [[nodiscard]] ticket take(size_t bytes);

  // Takes if `acquire` would not have to wait.
  [[nodiscard]] std::optional<ticket> try_acquire(size_t bytes);

  // Takes when every level has room left (available() > 0) and those who asked earlier have theirs. Only on
  // `loop`, which must outlive the promise; dropping the promise gives back what it had.
  [[nodiscard]] kj::Promise<ticket> acquire(io_loop& loop, size_t bytes);

  // What is left at the tightest level; not above zero when overdrawn.
  [[nodiscard]] int64_t available() const;
  [[nodiscard]] figures now() const;

private:
  struct waiter;
  class waiting;
  class hold;

  byte_budget(size_t limit, std::shared_ptr<byte_budget> parent)
      : limit_(limit), parent_(std::move(parent)) {}
  bool try_add(size_t bytes);   // this level
  void add(size_t bytes);       // this level
  void give_back(size_t bytes); // this level; wakes
  void grant_locked();
  kj::Promise<hold> acquire_here(io_loop& loop, size_t bytes);

  const size_t limit_;
  const std::shared_ptr<byte_budget> parent_;
  mutable std::mutex mutex_;
  size_t used_ = 0, high_water_ = 0;
  std::deque<std::shared_ptr<waiter>> queue_;
};

} // namespace pessoa::node
