#include "node/byte_budget.hpp"

#include "schema/assert.hpp"

#include <algorithm>

namespace pessoa::node {

// Somebody in the queue of one level. The fulfiller is touched on the loop only, the rest under the budget's
// mutex.
struct byte_budget::waiter {
  io_loop* loop;
  size_t bytes;
  kj::PromiseFulfiller<hold>* fulfiller; // null once the promise is gone
  bool granted = false, settled = false; // granted: counted; settled: handed to the promise, or given back
};

// One level's share, until all levels are had.
class byte_budget::hold {
public:
  hold(std::shared_ptr<byte_budget> budget, size_t bytes) : budget_(std::move(budget)), bytes_(bytes) {}
  hold(hold&& other) noexcept : budget_(std::move(other.budget_)), bytes_(other.bytes_) {}
  ~hold() {
    if (budget_) budget_->give_back(bytes_);
  }
  void become_part_of_a_ticket() { budget_ = nullptr; }

private:
  std::shared_ptr<byte_budget> budget_;
  size_t bytes_;
};

// The promise's side of a waiter: leaves the queue, or gives back an unused grant, when the promise goes.
class byte_budget::waiting {
public:
  waiting(kj::PromiseFulfiller<hold>& fulfiller, std::shared_ptr<byte_budget> budget, io_loop& loop,
          size_t bytes)
      : budget_(std::move(budget)),
        waiter_(std::make_shared<waiter>(waiter{&loop, bytes, &fulfiller, false, false})) {
    std::lock_guard guard{budget_->mutex_};
    budget_->queue_.push_back(waiter_);
    budget_->grant_locked();
  }
  ~waiting() {
    waiter_->fulfiller = nullptr;
    bool unused = false;
    {
      std::lock_guard guard{budget_->mutex_};
      unused = waiter_->granted && !std::exchange(waiter_->settled, true);
      if (!waiter_->granted) {
        auto& queue = budget_->queue_;
        queue.erase(std::remove(queue.begin(), queue.end(), waiter_), queue.end());
        waiter_->settled = true;
        // It may have been the first, and held the others back.
        budget_->grant_locked();
      }
    }
    if (unused) budget_->give_back(waiter_->bytes);
  }

private:
  std::shared_ptr<byte_budget> budget_;
  std::shared_ptr<waiter> waiter_;
};

std::shared_ptr<byte_budget> byte_budget::make(size_t limit, std::shared_ptr<byte_budget> parent) {
  PESSOA_ASSERT(limit > 0);
  return std::shared_ptr<byte_budget>{new byte_budget{limit, std::move(parent)}};
}

byte_budget::ticket byte_budget::take(size_t bytes) {
  for (auto* level = this; level; level = level->parent_.get())
    level->add(bytes);
  return {shared_from_this(), bytes};
}

std::optional<byte_budget::ticket> byte_budget::try_acquire(size_t bytes) {
  for (auto* level = this; level; level = level->parent_.get()) {
    if (level->try_add(bytes)) continue;
    for (auto* had = this; had != level; had = had->parent_.get())
      had->give_back(bytes);
    return std::nullopt;
  }
  return ticket{shared_from_this(), bytes};
}

kj::Promise<byte_budget::ticket> byte_budget::acquire(io_loop& loop, size_t bytes) {
  auto self = shared_from_this();
  return acquire_here(loop, bytes).then([self, &loop, bytes](hold here) -> kj::Promise<ticket> {
    if (!self->parent_) {
      here.become_part_of_a_ticket();
      return ticket{self, bytes};
    }
    return self->parent_->acquire(loop, bytes).then([self, here = kj::mv(here)](ticket above) mutable {
      here.become_part_of_a_ticket();
      // One ticket for the whole chain instead of two.
      above.budget_ = self;
      return kj::mv(above);
    });
  });
}

kj::Promise<byte_budget::hold> byte_budget::acquire_here(io_loop& loop, size_t bytes) {
  if (try_add(bytes)) return hold{shared_from_this(), bytes};
  return kj::newAdaptedPromise<hold, waiting>(shared_from_this(), loop, bytes);
}

// Under the mutex: whoever is granted is off the queue and counted. The loop is alive, because a promise that
// waits on it is, and its end (~waiting) needs this mutex.
void byte_budget::grant_locked() {
  while (!queue_.empty() && used_ < limit_) {
    auto next = std::move(queue_.front());
    queue_.pop_front();
    used_ += next->bytes;
    high_water_ = std::max(high_water_, used_);
    next->granted = true;
    next->loop->post([self = shared_from_this(), next] {
      if (!next->fulfiller) return; // gone meanwhile, and has given back itself
      {
        std::lock_guard guard{self->mutex_};
        next->settled = true;
      }
      next->fulfiller->fulfill(hold{self, next->bytes});
    });
  }
}

bool byte_budget::try_add(size_t bytes) {
  std::lock_guard guard{mutex_};
  if (!queue_.empty() || used_ >= limit_) return false;
  used_ += bytes;
  high_water_ = std::max(high_water_, used_);
  return true;
}

void byte_budget::add(size_t bytes) {
  std::lock_guard guard{mutex_};
  used_ += bytes;
  high_water_ = std::max(high_water_, used_);
}

void byte_budget::give_back(size_t bytes) {
  std::lock_guard guard{mutex_};
  PESSOA_ASSERT(used_ >= bytes, used_, bytes);
  used_ -= bytes;
  grant_locked();
}

int64_t byte_budget::available() const {
  int64_t out = INT64_MAX;
  for (auto* level = this; level; level = level->parent_.get()) {
    std::lock_guard guard{level->mutex_};
    out = std::min(out, static_cast<int64_t>(level->limit_) - static_cast<int64_t>(level->used_));
  }
  return out;
}

byte_budget::figures byte_budget::now() const {
  std::lock_guard guard{mutex_};
  return {limit_, used_, high_water_, queue_.size()};
}

byte_budget::ticket& byte_budget::ticket::operator=(ticket&& other) noexcept {
  if (this != &other) {
    release();
    budget_ = std::move(other.budget_);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

void byte_budget::ticket::release() {
  // The chain is kept by the first level.
  auto budget = std::exchange(budget_, nullptr);
  for (auto* level = budget.get(); level; level = level->parent_.get())
    level->give_back(bytes_);
  bytes_ = 0;
}

} // namespace pessoa::node
