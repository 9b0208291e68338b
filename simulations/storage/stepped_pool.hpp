// A pool without threads: what to run next is drawn, and a job and its answer run at two drawn moments with
// anything in between. One process's pool: kill() drops what waits, as death does.
#pragma once

#include "schema/seams/random.hpp"
#include "schema/seams/thread_pool.hpp"

#include <functional>
#include <vector>

namespace pessoa::sim {

class stepped_pool final : public thread_pool {
public:
  explicit stepped_pool(random_source& random) : random_(random) {}

  void post(std::function<void()> job, std::function<void()> done) override {
    if (alive_) waiting_.push_back({std::move(job), std::move(done), false});
  }
  [[nodiscard]] bool idle() const { return waiting_.empty(); }
  // Runs one job or one answer. Requires: !idle().
  void step() {
    auto at = random_.below(waiting_.size());
    auto work = std::move(waiting_[at]);
    waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(at));
    if (work.ran) {
      work.done();
      return;
    }
    work.job();
    work.ran = true;
    if (work.done) waiting_.push_back(std::move(work));
  }
  void kill() {
    alive_ = false;
    auto dropped = std::move(waiting_);
    waiting_.clear();
  }

private:
  struct work {
    std::function<void()> job, done;
    bool ran;
  };
  random_source& random_;
  std::vector<work> waiting_;
  bool alive_ = true;
};

} // namespace pessoa::sim
