// Spawns the PARTITION role. Supervised by its replica: the expected end is retire (the epoch is over).
#pragma once

#include "actors/partition/partition_state.hpp"

namespace pessoa::actors {

partition_actor::behavior_type partition(partition_actor::stateful_pointer<partition_state> self,
                                         partition_options options);

} // namespace pessoa::actors
