// Answers cannot get lost: a request carries a responder, a shared object whose destructor answers.
//
// In CAF 0.17.6 a request parked in an actor that dies is never answered (docs/decisions/0001-dependencies.md). So
// requests are plain sends that carry one of these; whoever lets go of it last, by answering or by dying, ends the wait.
#pragma once

#include "schema/result.hpp"

#include <functional>
#include <memory>
#include <utility>

namespace pessoa::actors {

// One owner at a time, handed on by message; not for use from two threads at once.
template <class T>
class responder {
public:
  using handler = std::function<void(result<T>)>;

  // `if_dropped` is what the caller hears when nobody answers: definite ("not_leader") as long as nothing was done.
  responder(handler on_answer, error if_dropped) : handler_(std::move(on_answer)), if_dropped_(std::move(if_dropped)) {}
  responder(const responder&) = delete;
  responder& operator=(const responder&) = delete;
  ~responder() {
    if (handler_) answer(if_dropped_);
  }

  // The first answer counts; later ones are ignored.
  void answer(result<T> outcome) {
    if (auto handler = std::exchange(handler_, nullptr)) handler(std::move(outcome));
  }
  // From now on the request may have been done: being dropped means unknown.
  void mark_begun() { if_dropped_ = error{ec::unknown_result, "the request was begun when its leader went away"}; }
  [[nodiscard]] bool answered() const { return !handler_; }

private:
  handler handler_;
  error if_dropped_;
};

template <class T>
using responder_ptr = std::shared_ptr<responder<T>>;

template <class T>
responder_ptr<T> make_responder(typename responder<T>::handler on_answer,
                                error if_dropped = {ec::not_leader, "the partition's leader has ended"}) {
  return std::make_shared<responder<T>>(std::move(on_answer), std::move(if_dropped));
}

} // namespace pessoa::actors
