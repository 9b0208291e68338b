#include "actors/broker/broker.hpp"

#include "actors/supervision.hpp"
#include "actors/type_ids.hpp"

namespace pessoa::actors {

broker_actor::behavior_type broker(broker_actor::stateful_pointer<broker_state> self, environment* env) {
  supervise(self, env, "broker");
  self->state.start(env);
  return {
    [self](const ptr<metadata_committed>& m) { self->state.committed(*m); },
    [self](const ptr<index_wait>& m) { self->state.wait_for(m); },
    [self](const ptr<all_ready_wait>& m) { self->state.wait_all_ready(m); },
    [self](const ptr<partition_leading>& m) { self->state.leading(*m); },
    [self](const ptr<replica_failed>& m) { self->state.failed(*m); },
    [self](const ptr<broker_stop>& m) { self->state.stop(m); },
    [self](const ptr<log_opened>& m) { self->state.opened(*m); },
    [self](const ptr<replica_gone>& m) { self->state.gone(*m); },
    [self](const ptr<leftovers_removed>&) { self->state.leftovers_gone(); },
    [self](upkeep_atom) { self->state.upkeep(); },
    [self](tick_atom) { self->state.publish(); },
  };
}

} // namespace pessoa::actors
