#include "actors/partition/partition.hpp"

#include "actors/supervision.hpp"
#include "actors/type_ids.hpp"

namespace pessoa::actors {

partition_actor::behavior_type partition(partition_actor::stateful_pointer<partition_state> self,
                                         partition_options options) {
  supervise(self, options.env, "partition");
  self->state.start(std::move(options));
  return {
    [self](const ptr<produce_command>& m) { self->state.produce(m); },
    [self](const ptr<fetch_command>& m) { self->state.fetch(m); },
    [self](const ptr<fetch_abandoned>& m) { self->state.abandon(m->command); },
    [self](const ptr<offset_query>& m) { self->state.query(m); },
    [self](const ptr<epoch_query>& m) { self->state.query(m); },
    [self](const ptr<status_query>& m) { self->state.status(m); },
    [self](const ptr<delete_records_command>& m) { self->state.delete_records(m); },
    [self](const ptr<settings_change>& m) { self->state.apply(m->config); },
    [self](upkeep_atom) { self->state.upkeep(); },
    [self](retire_atom) { self->state.retire(); },
    [self](const ptr<commit_done>& m) { self->state.commit_finished(*m); },
    [self](const ptr<upkeep_done>& m) { self->state.upkeep_finished(*m); },
    [self](tick_atom) { self->state.tick(); },
  };
}

} // namespace pessoa::actors
