// Threads that block, without threads: a job begins and ends at two drawn moments, and anything may happen between them.
//
// Not more jobs run side by side than the pool has threads. What the job does to disk and actors happens when it begins;
// when it ends its `done` runs and its thread takes the next.
#pragma once

#include "schema/seams/thread_pool.hpp"
#include "simulations/world/streams.hpp"
#include "simulations/world/timeline.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace pessoa::sim {

// How long I/O takes on a machine; may change at any moment.
struct io_speed {
  world_time wait_mean = 20 * microsecond; // until a thread has it
  world_time work_mean = 150 * microsecond;
  world_time stuck_until = 0; // nothing ends before
};

class io_pool final : public thread_pool {
public:
  // `run` executes a piece of the process's work as a step of the world, now or when the process may run again.
  using runner = std::function<void(std::function<void()>)>;
  io_pool(timeline& time, random_source& random, const io_speed& speed, size_t threads, runner run)
      : inside_(std::make_shared<inside>(inside{time, random, speed, threads, std::move(run), {}, 0, {}})) {}
  // What waits is dropped.
  ~io_pool() override { drop(*inside_); }
  // For the death of the process, which comes before the pool's owner goes: nothing of it runs any more.
  [[nodiscard]] std::function<void()> dropper() const {
    return [weak = std::weak_ptr<inside>{inside_}] {
      if (auto live = weak.lock()) drop(*live);
    };
  }

  void post(std::function<void()> job, std::function<void()> done) override {
    inside_->waiting.push_back({std::move(job), std::move(done)});
    // Dead: it goes with the next drop, not here. Who posts may hold a lock that the end of what is posted takes.
    if (inside_->run) inside_->begin_some(inside_);
  }

private:
  struct inside;
  struct work {
    std::function<void()> job, done;
  };
  struct inside {
    timeline& time;
    random_source& random;
    const io_speed& speed;
    size_t threads;
    runner run; // null: the pool has gone
    std::deque<work> waiting;
    size_t busy = 0;
    std::vector<std::shared_ptr<work>> held; // begun, not ended

    static void begin_some(const std::shared_ptr<inside>& self) {
      while (self->busy < self->threads && !self->waiting.empty()) {
        ++self->busy;
        auto next = std::make_shared<work>(std::move(self->waiting.front()));
        self->waiting.pop_front();
        // The event holds the work weakly from outside the process: who dies takes it along.
        self->held.push_back(next);
        self->time.after(around(self->random, self->speed.wait_mean),
                         [weak = std::weak_ptr<inside>{self}, next = std::weak_ptr<work>{next}] {
                           auto live = weak.lock();
                           if (live && live->run) begin(live, next);
                         });
      }
    }
    static void begin(const std::shared_ptr<inside>& self, const std::weak_ptr<work>& next) {
      self->run([weak = std::weak_ptr<inside>{self}, next] {
        auto job = next.lock();
        auto live = weak.lock();
        if (!job || !live) return;
        job->job();
        if (!live->run) return; // it was its process's last act
        auto ends =
            std::max(live->time.now() + around(live->random, live->speed.work_mean), live->speed.stuck_until);
        live->time.at(ends, [weak, next] {
          auto pool = weak.lock();
          if (pool && pool->run) end(pool, next);
        });
      });
    }
    static void end(const std::shared_ptr<inside>& self, const std::weak_ptr<work>& next) {
      self->run([weak = std::weak_ptr<inside>{self}, next] {
        auto job = next.lock();
        auto live = weak.lock();
        if (!job || !live) return;
        --live->busy;
        std::erase(live->held, job);
        if (job->done) job->done();
        job.reset(); // what it holds may post
        if (live->run) begin_some(live);
      });
    }
  };

  static void drop(inside& of) {
    of.run = nullptr;
    auto waiting = std::exchange(of.waiting, {});
    auto held = std::exchange(of.held, {});
  }

  std::shared_ptr<inside> inside_;
};

} // namespace pessoa::sim
