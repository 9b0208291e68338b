#include "node/rpc/auto_create.hpp"

#include "node/rpc/change.hpp"

namespace pessoa::node {

namespace {

struct creation {
  std::shared_ptr<rpc_caller> caller;
  std::set<std::string> names;
  instant deadline;
  creation_errors failed;
};

// One at a time: a request with thousands of names must not fill the controller's queue for everybody else.
kj::Promise<void> create_next(std::shared_ptr<creation> state) {
  if (state->names.empty()) return kj::READY_NOW;
  if (state->caller->node.env->time->now() >= state->deadline) {
    for (auto& name : state->names)
      state->failed.emplace(
          name, error{ec::timed_out, "topic '" + name + "' was not created: its turn did not come in time"});
    return kj::READY_NOW;
  }
  auto command = std::make_shared<actors::create_topic_command>();
  command->request.name = *state->names.begin();
  state->names.erase(state->names.begin());
  auto name = command->request.name;
  return change(state->caller, std::move(command))
      .then([state, name](result<actors::committed_change> done) -> kj::Promise<void> {
        if (!done && done.error().code != ec::topic_exists) state->failed.emplace(name, done.error());
        return create_next(state);
      });
}

} // namespace

kj::Promise<creation_errors> create_topics(std::shared_ptr<rpc_caller> caller, std::set<std::string> names,
                                           instant deadline) {
  auto state = std::make_shared<creation>(creation{std::move(caller), std::move(names), deadline, {}});
  return create_next(state).then([state] { return all_ready(*state->caller); }).then([state] {
    return std::move(state->failed);
  });
}

} // namespace pessoa::node
