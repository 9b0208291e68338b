// Spawns the REPLICA role. Supervised by the broker: the expected end is replica_stop.
#pragma once

#include "actors/replica/replica_state.hpp"

namespace pessoa::actors {

// Copyable carrier of the log, because CAF copies spawn arguments.
using log_box = std::shared_ptr<std::unique_ptr<persistence::partition_log>>;

replica_actor::behavior_type replica(replica_actor::stateful_pointer<replica_state> self, environment* env,
                                     broker_actor broker, log_box log, topic_config config);

} // namespace pessoa::actors
