// One wake-up on the loop's timer, moved earlier at will. Lives on the loop.
#pragma once

#include "schema/seams/clock.hpp"
#include "schema/seams/io_loop.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

namespace pessoa::client {

class alarm {
public:
  alarm(io_loop& loop, const clock& time, std::function<void()> ring)
      : loop_(loop), clock_(time), ring_(std::move(ring)) {}

  // Rings once at `at` or a little later; an earlier wish replaces a later one. May be called while it rings.
  void set(instant at) {
    if (at_ && *at_ <= at) return;
    let_go();
    at_ = at;
    live_ = std::make_shared<bool>(true);
    auto wait = std::max(at - clock_.now(), duration{0});
    waiting_ = loop_.timer()
                   .afterDelay(wait.count() * kj::NANOSECONDS)
                   .then([this, live = live_] {
                     if (!*live) return;
                     at_.reset();
                     ring_();
                   })
                   .eagerlyEvaluate(nullptr);
  }
  void stop() {
    at_.reset();
    let_go();
  }

private:
  // The promise may be the one that is running, so it is destroyed later; until then it must not ring.
  void let_go() {
    KJ_IF_MAYBE (promise, waiting_) {
      auto old = std::make_shared<kj::Promise<void>>(kj::mv(*promise));
      waiting_ = nullptr;
      *live_ = false;
      loop_.post([old]() mutable { *old = kj::NEVER_DONE; });
    }
  }

  io_loop& loop_;
  const clock& clock_;
  std::function<void()> ring_;
  std::optional<instant> at_;
  std::shared_ptr<bool> live_; // of the promise that waits
  kj::Maybe<kj::Promise<void>> waiting_;
};

} // namespace pessoa::client
