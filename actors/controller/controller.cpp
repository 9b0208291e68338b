#include "actors/controller/controller.hpp"

#include "actors/supervision.hpp"
#include "actors/type_ids.hpp"

namespace pessoa::actors {

controller_actor::behavior_type controller(controller_actor::stateful_pointer<controller_state> self, environment* env,
                                           metadata_box opened, std::shared_ptr<cluster_created> first) {
  supervise(self, env, "controller");
  self->state.start(env, std::move(*opened), *first);
  return {
    [self](const ptr<create_topic_command>& m) { self->state.enqueue(m); },
    [self](const ptr<alter_topic_command>& m) { self->state.enqueue(m); },
    [self](const ptr<delete_topic_command>& m) { self->state.enqueue(m); },
    [self](const ptr<register_node_command>& m) { self->state.enqueue(m); },
    [self](const ptr<allocate_producer_ids_command>& m) { self->state.enqueue(m); },
    [self](const broker_actor& broker) { self->state.subscribe(broker); },
    [self](const ptr<controller_stop>& m) { self->state.stop(m); },
    [self](const ptr<metadata_commit_done>& m) { self->state.commit_finished(*m); },
  };
}

} // namespace pessoa::actors
