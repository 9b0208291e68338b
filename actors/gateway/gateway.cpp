#include "actors/gateway/gateway.hpp"

#include "actors/supervision.hpp"
#include "actors/type_ids.hpp"
#include "schema/plants.hpp"

#include <caf/send.hpp>

namespace pessoa::actors {

void gateway_state::start(environment* env, controller_actor controller) {
  env_ = env;
  controller_ = std::move(controller);
}

void gateway_state::producer_id(const ptr<producer_id_request>& request) {
  constexpr size_t waiting_max = 100'000;
  if (waiting_.size() >= waiting_max)
    return request->reply->answer(error{ec::overloaded, "too many producers wait for an id"});
  waiting_.push_back(request);
  hand_out();
}

void gateway_state::hand_out() {
  while (left_ > 0 && !waiting_.empty()) {
    auto request = std::move(waiting_.front());
    waiting_.pop_front();
    request->reply->answer(next_);
    if (!PESSOA_PLANT("give_an_id_twice") || left_ % 2 == 0) next_ = pessoa::producer_id{next_.value() + 1};
    --left_;
  }
  if (!waiting_.empty()) ask_for_block();
}

void gateway_state::ask_for_block() {
  if (std::exchange(asked_, true)) return;
  auto arrived = [me = gateway_actor{self}](result<protocol::producer_id_block> block) {
    caf::anon_send(me, std::make_shared<producer_ids_arrived>(producer_ids_arrived{std::move(block)}));
  };
  auto reply = make_responder<protocol::producer_id_block>(
      arrived, {ec::leader_not_available, "there is no controller"});
  self->send(controller_, std::make_shared<allocate_producer_ids_command>(
                              allocate_producer_ids_command{std::move(reply)}));
}

void gateway_state::ids_arrived(const producer_ids_arrived& message) {
  asked_ = false;
  if (!message.block) {
    for (auto& request : std::exchange(waiting_, {}))
      request->reply->answer(message.block.error());
    return;
  }
  next_ = message.block->first;
  left_ = message.block->count;
  hand_out();
}

gateway_actor::behavior_type gateway(gateway_actor::stateful_pointer<gateway_state> self, environment* env,
                                     controller_actor controller) {
  supervise(self, env, "gateway");
  self->state.start(env, std::move(controller));
  return {
      [self](const ptr<producer_id_request>& m) { self->state.producer_id(m); },
      [self](const ptr<producer_ids_arrived>& m) { self->state.ids_arrived(*m); },
  };
}

} // namespace pessoa::actors
