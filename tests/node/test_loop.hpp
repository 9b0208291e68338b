// An io_loop in the test's own thread, whose time stands still until the test lets it pass.
#pragma once

#include "schema/assert.hpp"
#include "schema/seams/io_loop.hpp"

#include <kj/async.h>

#include <deque>

namespace pessoa::node {

class test_loop final : public io_loop {
public:
  ~test_loop() noexcept override {}

  void post(std::function<void()> task) override { tasks_.push_back(std::move(task)); }
  kj::Timer& timer() override { return timer_; }
  kj::Own<acceptor> accept_from(std::shared_ptr<listening_socket>) override { PESSOA_ASSERT(false); }
  kj::Promise<kj::Own<kj::AsyncIoStream>> connect(std::string, uint16_t, duration) override {
    PESSOA_ASSERT(false);
  }

  // Until nothing is left to do at this moment.
  void run() {
    scope_.poll();
    while (!tasks_.empty()) {
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
      scope_.poll();
    }
  }
  // Event by event.
  void pass(duration d) {
    auto end = timer_.now() + d.count() * kj::NANOSECONDS;
    for (;;) {
      run();
      auto next = end;
      KJ_IF_MAYBE (event, timer_.nextEvent()) next = *event < end ? *event : end;
      timer_.advanceTo(next);
      run();
      if (next >= end) return;
    }
  }
  kj::WaitScope& scope() { return scope_; }

private:
  kj::EventLoop loop_;
  kj::WaitScope scope_{loop_};
  kj::TimerImpl timer_{kj::origin<kj::TimePoint>() + 1 * kj::DAYS};
  std::deque<std::function<void()>> tasks_;
};

} // namespace pessoa::node
