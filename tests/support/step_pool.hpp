// A pool without threads: a test runs jobs one at a time, in the order it wants, and answers apart from jobs.
#pragma once

#include "schema/seams/clock.hpp"
#include "schema/seams/thread_pool.hpp"

#include <deque>
#include <functional>
#include <vector>

namespace pessoa::tests {

class step_pool final : public thread_pool {
public:
  void post(std::function<void()> job, std::function<void()> done) override {
    waiting_.push_back({std::move(job), std::move(done)});
  }
  // Job `index` of those that wait; its answer then waits, too.
  void run_job(size_t index = 0) {
    auto work = std::move(waiting_[index]);
    waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(index));
    work.job();
    if (work.done) answers_.push_back({std::move(work.job), std::move(work.done)});
  }
  void run_answer(size_t index = 0) {
    auto work = std::move(answers_[index]);
    answers_.erase(answers_.begin() + static_cast<ptrdiff_t>(index));
    work.done();
  }
  [[nodiscard]] size_t jobs() const { return waiting_.size(); }
  [[nodiscard]] size_t answers() const { return answers_.size(); }
  // Until nothing waits.
  void run() {
    for (int i = 0; i < 100'000 && (!waiting_.empty() || !answers_.empty()); ++i) {
      if (!waiting_.empty())
        run_job();
      else
        run_answer();
    }
  }
  // As a process that dies: nothing of it runs.
  void drop() {
    auto jobs = std::move(waiting_);
    auto answers = std::move(answers_);
    waiting_.clear();
    answers_.clear();
  }

private:
  struct work {
    std::function<void()> job, done;
  };
  std::deque<work> waiting_;
  std::deque<work> answers_;
};

class manual_clock final : public clock {
public:
  [[nodiscard]] instant now() const override { return now_; }
  [[nodiscard]] timestamp wall() const override {
    return timestamp{1'700'000'000'000 + now_.time_since_epoch().count() / 1'000'000};
  }
  void pass(duration d) { now_ += d; }

private:
  instant now_{};
};

} // namespace pessoa::tests
