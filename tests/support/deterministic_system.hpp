// A CAF actor system in one thread and virtual time: messages run when a test says so, time moves when a test says so.
#pragma once

#include "schema/seams/clock.hpp"
#include "schema/seams/log_sink.hpp"
#include "schema/seams/thread_pool.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>

#include <deque>
#include <string>
#include <vector>

namespace pessoa::test {

// The seam's clock on the system's virtual time.
class virtual_clock final : public clock {
public:
  [[nodiscard]] instant now() const override { return instant{elapsed_}; }
  [[nodiscard]] timestamp wall() const override {
    return timestamp{1'700'000'000'000 + std::chrono::duration_cast<std::chrono::milliseconds>(elapsed_).count()};
  }
  void pass(duration time) { elapsed_ += time; }

private:
  duration elapsed_{std::chrono::hours{1}};
};

// Jobs wait until the test runs them.
class manual_pool final : public thread_pool {
public:
  void post(std::function<void()> job, std::function<void()> done) override {
    jobs_.push_back({std::move(job), std::move(done)});
  }
  // Runs what waits now; returns how many.
  size_t run() {
    size_t count = 0;
    for (; !jobs_.empty(); ++count) {
      auto next = std::move(jobs_.front());
      jobs_.pop_front();
      next.first();
      if (next.second) next.second();
    }
    return count;
  }
  [[nodiscard]] size_t waiting() const { return jobs_.size(); }

private:
  std::deque<std::pair<std::function<void()>, std::function<void()>>> jobs_;
};

class kept_log final : public log_sink {
public:
  void write(log_level level, std::string_view component, std::string_view line) override {
    lines.push_back(std::to_string(static_cast<int>(level)) + " " + std::string{component} + ": " + std::string{line});
  }
  std::vector<std::string> lines;
};

struct deterministic_config : caf::actor_system_config {
  deterministic_config() { set("scheduler.policy", caf::atom("testing")); }
};

struct deterministic_system {
  deterministic_config cfg;
  caf::actor_system sys{cfg};
  caf::scheduler::test_coordinator& sched = dynamic_cast<caf::scheduler::test_coordinator&>(sys.scheduler());
  virtual_clock time;
  manual_pool pool;
  kept_log log_lines;

  deterministic_system() { sys.await_actors_before_shutdown(false); }

  // Messages only: time stands still, jobs wait.
  size_t run() { return sched.run(); }
  // Messages and jobs until nothing is left.
  void settle() {
    while (run() + pool.run() > 0) {
    }
  }
  void pass(duration span) {
    time.pass(span);
    sched.advance_time(span);
    run();
  }
};

} // namespace pessoa::test
