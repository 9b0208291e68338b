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
    at_ = at;
    auto wait = std::max(at - clock_.now(), duration{0});
    // The promise that is replaced may be the one that is running: let it go later.
    auto old = std::make_shared<kj::Maybe<kj::Promise<void>>>(kj::mv(waiting_));
    waiting_ = loop_.timer()
                   .afterDelay(wait.count() * kj::NANOSECONDS)
                   .then([this] {
                     at_.reset();
                     ring_();
                   })
                   .eagerlyEvaluate(nullptr);
    if (*old != nullptr) loop_.post([old] { *old = nullptr; });
  }
  void stop() {
    at_.reset();
    waiting_ = nullptr;
  }

private:
  io_loop& loop_;
  const clock& clock_;
  std::function<void()> ring_;
  std::optional<instant> at_;
  kj::Maybe<kj::Promise<void>> waiting_;
};

} // namespace pessoa::client
