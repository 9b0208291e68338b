// Spawns the BROKER role: one per node. The expected end is broker_stop.
#pragma once

#include "actors/broker/broker_state.hpp"

namespace pessoa::actors {

broker_actor::behavior_type broker(broker_actor::stateful_pointer<broker_state> self, environment* env);

} // namespace pessoa::actors
