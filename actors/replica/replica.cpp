#include "actors/replica/replica.hpp"

#include "actors/supervision.hpp"
#include "actors/type_ids.hpp"

namespace pessoa::actors {

replica_actor::behavior_type replica(replica_actor::stateful_pointer<replica_state> self, environment* env,
                                     broker_actor broker, log_box log, topic_config config) {
  supervise(self, env, "replica");
  self->state.start(env, std::move(broker), std::move(*log), std::move(config));
  return {
    [self](const ptr<lead_command>& m) { self->state.lead(m->epoch); },
    [self](const ptr<status_query>& m) { self->state.status(m); },
    [self](const ptr<settings_change>& m) { self->state.apply(m->config); },
    [self](upkeep_atom) { self->state.upkeep(); },
    [self](const ptr<replica_stop>& m) { self->state.stop(m); },
    [self](const ptr<log_returned>& m) { self->state.log_back(*m); },
    [self](const ptr<epoch_failed>& m) { self->state.failed(m->why); },
    [self](const ptr<replica_closed>& m) { self->state.closed(*m); },
  };
}

} // namespace pessoa::actors
