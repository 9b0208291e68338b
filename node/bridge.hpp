// From a KJ promise to an actor and back: a responder whose answer fulfils a promise on the loop it was made on.
//
// The fulfiller is a KJ object: it lives and dies on its loop. The responder may be answered, or die, on any thread; it
// posts. Under load many answers ride on one wake-up of the loop (io_loop::post).
#pragma once

#include "actors/responder.hpp"
#include "schema/seams/io_loop.hpp"

#include <kj/async.h>

#include <memory>

namespace pessoa::node {

template <class T>
struct bridged {
  kj::Promise<result<T>> promise;
  actors::responder_ptr<T> reply;
};

// Requires: called on `loop`, which outlives every actor that may hold the reply.
template <class T>
bridged<T> bridge(io_loop& loop, error if_dropped) {
  auto made = kj::newPromiseAndFulfiller<result<T>>();
  auto fulfiller = std::make_shared<kj::Own<kj::PromiseFulfiller<result<T>>>>(kj::mv(made.fulfiller));
  auto on_answer = [&loop, fulfiller = std::move(fulfiller)](result<T> outcome) mutable {
    // The only reference moves into the task, so that it is let go of on the loop.
    loop.post([fulfiller = std::move(fulfiller), outcome = std::move(outcome)]() mutable {
      (*fulfiller)->fulfill(std::move(outcome));
      fulfiller.reset();
    });
  };
  return {kj::mv(made.promise), actors::make_responder<T>(std::move(on_answer), std::move(if_dropped))};
}

} // namespace pessoa::node
