// Spawns the CONTROLLER role. The expected end is controller_stop.
#pragma once

#include "actors/controller/controller_state.hpp"

namespace pessoa::actors {

// `first` is committed when the log is empty: the cluster begins.
controller_actor::behavior_type controller(controller_actor::stateful_pointer<controller_state> self, environment* env,
                                           metadata_box opened, std::shared_ptr<cluster_created> first);

} // namespace pessoa::actors
