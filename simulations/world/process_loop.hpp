// The KJ side of one process: an event loop that is entered for a moment and left, its timer, and what was posted to it.
//
// KJ knows one current loop per thread; here many take turns. Whatever touches a KJ object of the process runs inside
// enter(). All io_loops that a process makes are names for this one.
//
// Two kinds of work wait for the scheduler: posted tasks, in their order (per io_loop), and wake-ups by the network, in
// any order.
#pragma once

#include "schema/seams/io_loop.hpp"
#include "simulations/world/machine.hpp"

#include <kj/async.h>
#include <kj/debug.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace pessoa::sim {

class process_loop {
public:
  explicit process_loop(const machine& on)
      : on_(on), timer_(kj::origin<kj::TimePoint>() + on.now().time_since_epoch().count() * kj::NANOSECONDS) {
  }
  ~process_loop();

  // Runs `work` inside the loop, and then all events that are ready. Timers that are due come first.
  void enter(const std::function<void()>& work);

  // -- what waits; the world picks ---
  void post(const void* of, std::function<void()> task) { posted_.push_back({of, std::move(task)}); }
  void wake(std::function<void()> task) { woken_.push_back(std::move(task)); }
  [[nodiscard]] size_t posted() const { return posted_.size(); }
  [[nodiscard]] size_t woken() const { return woken_.size(); }
  void run_posted();
  void run_woken(size_t index);
  void run_timers() {
    enter([] {});
  }
  // In the machine's time; nullopt: none is set.
  [[nodiscard]] std::optional<int64_t> next_timer();

  // An io_loop went: what was posted to it is destroyed unrun.
  void drop(const void* of);
  // The process dies: nothing that waits is run.
  void drop_all();

  kj::Timer& timer() { return timer_; }
  [[nodiscard]] const machine& on() const { return on_; }
  // Whether code of this process runs at the moment.
  [[nodiscard]] bool entered() const { return entered_; }

private:
  struct port final : kj::EventPort {
    bool wait() override { KJ_FAIL_ASSERT("somebody blocks in the simulation"); }
    bool poll() override { return false; }
    void setRunnable(bool) override {}
    void wake() const override {}
  };
  struct task {
    const void* of;
    std::function<void()> work;
  };

  const machine& on_;
  port port_;
  kj::EventLoop events_{port_};
  kj::TimerImpl timer_;
  std::deque<task> posted_;
  std::vector<std::function<void()>> woken_;
  bool entered_ = false;
};

} // namespace pessoa::sim
