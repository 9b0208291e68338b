// The GATEWAY role: hands out producer ids from blocks that the controller commits before the first of them is used, so
// that no id is ever given twice (failures T8). What is left of a block dies with the process.
#pragma once

#include "actors/environment.hpp"
#include "actors/interfaces.hpp"

#include <deque>

namespace pessoa::actors {

struct gateway_state {
  static inline const char* name = "gateway";
  using pointer = gateway_actor::stateful_pointer<gateway_state>;

  explicit gateway_state(pointer self_pointer) : self(self_pointer) {}

  void start(environment* env, controller_actor controller);
  void producer_id(const ptr<producer_id_request>& request);
  void ids_arrived(const producer_ids_arrived& message);

private:
  void ask_for_block();
  void hand_out();

  pointer self;
  environment* env_ = nullptr;
  controller_actor controller_;
  pessoa::producer_id next_{0};
  int64_t left_ = 0;
  bool asked_ = false;
  std::deque<ptr<producer_id_request>> waiting_;
};

gateway_actor::behavior_type gateway(gateway_actor::stateful_pointer<gateway_state> self, environment* env,
                                     controller_actor controller);

} // namespace pessoa::actors
