// A change of the metadata for a caller: decided by the controller, and answered when this node has applied it.
#pragma once

#include "actors/type_ids.hpp"
#include "node/rpc/caller.hpp"

#include <caf/send.hpp>

namespace pessoa::node {

// Sends the command to the controller and waits until this node has applied what was committed. Errors: the controller's;
// unknown_result when it was, or may have been, decided and is not applied here.
template <class Command>
kj::Promise<result<actors::committed_change>> change(std::shared_ptr<rpc_caller> caller,
                                                     std::shared_ptr<Command> command) {
  using actors::committed_change;
  auto made = bridge<committed_change>(caller->loop(),
                                       {ec::unknown_result, "the controller ended before it answered"});
  command->reply = made.reply;
  caf::anon_send(caller->node.controller, std::move(command));
  return kj::mv(made.promise)
      .then([caller =
                 std::move(caller)](result<committed_change> done) -> kj::Promise<result<committed_change>> {
        if (!done) return kj::mv(done);
        auto applied = bridge<metadata_index>(caller->loop(), {ec::shutting_down, "the node is stopping"});
        auto wait = std::make_shared<actors::index_wait>();
        wait->index = done->index;
        wait->deadline = deadline_in(*caller, wait_ms_max);
        wait->reply = applied.reply;
        caf::anon_send(caller->node.broker, std::move(wait));
        return kj::mv(applied.promise)
            .then([done = *done](result<metadata_index> index) -> result<committed_change> {
              if (!index)
                return error{ec::unknown_result,
                             "it was decided, but not yet applied: " + index.error().message};
              return done;
            });
      });
}

// Until what this node should lead is led and published, but not for long: a log that is being recovered keeps nobody.
inline kj::Promise<void> all_ready(const rpc_caller& caller) {
  using actors::ready_replicas;
  constexpr auto patience = 5 * kj::SECONDS;
  auto made = bridge<ready_replicas>(caller.loop(), {ec::shutting_down, "the node is stopping"});
  caf::anon_send(caller.node.broker,
                 std::make_shared<actors::all_ready_wait>(actors::all_ready_wait{made.reply}));
  return kj::mv(made.promise).ignoreResult().exclusiveJoin(caller.loop().timer().afterDelay(patience));
}

} // namespace pessoa::node
