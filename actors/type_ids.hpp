// CAF's type ids for our messages: one block, in the order of actors/messages.hpp. Messages stay inside the process, so
// the ids are no wire format and may change freely.
//
// Include this wherever messages are sent or actors are spawned (CAF_ENABLE_TYPE_ID_CHECKS makes forgetting an error).
#pragma once

#include "actors/interfaces.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/type_id.hpp>

#define PESSOA_MESSAGE(type) CAF_ADD_TYPE_ID(pessoa, (std::shared_ptr<pessoa::actors::type>))

CAF_BEGIN_TYPE_ID_BLOCK(pessoa, caf::first_custom_type_id)
PESSOA_MESSAGE(produce_command)
PESSOA_MESSAGE(fetch_command)
PESSOA_MESSAGE(fetch_abandoned)
PESSOA_MESSAGE(offset_query)
PESSOA_MESSAGE(epoch_query)
PESSOA_MESSAGE(status_query)
PESSOA_MESSAGE(delete_records_command)
PESSOA_MESSAGE(settings_change)
PESSOA_MESSAGE(commit_done)
PESSOA_MESSAGE(upkeep_done)
PESSOA_MESSAGE(lead_command)
PESSOA_MESSAGE(log_returned)
PESSOA_MESSAGE(epoch_failed)
PESSOA_MESSAGE(replica_stop)
PESSOA_MESSAGE(replica_closed)
PESSOA_MESSAGE(metadata_committed)
PESSOA_MESSAGE(log_opened)
PESSOA_MESSAGE(partition_leading)
PESSOA_MESSAGE(replica_failed)
PESSOA_MESSAGE(replica_gone)
PESSOA_MESSAGE(leftovers_removed)
PESSOA_MESSAGE(broker_stop)
PESSOA_MESSAGE(index_wait)
PESSOA_MESSAGE(all_ready_wait)
PESSOA_MESSAGE(create_topic_command)
PESSOA_MESSAGE(alter_topic_command)
PESSOA_MESSAGE(delete_topic_command)
PESSOA_MESSAGE(register_node_command)
PESSOA_MESSAGE(allocate_producer_ids_command)
PESSOA_MESSAGE(controller_stop)
PESSOA_MESSAGE(metadata_commit_done)
PESSOA_MESSAGE(producer_id_request)
PESSOA_MESSAGE(producer_ids_arrived)
CAF_ADD_TYPE_ID(pessoa, (pessoa::actors::broker_actor))
CAF_ADD_TYPE_ID(pessoa, (pessoa::actors::tick_atom))
CAF_ADD_TYPE_ID(pessoa, (pessoa::actors::retire_atom))
CAF_ADD_TYPE_ID(pessoa, (pessoa::actors::upkeep_atom))
CAF_END_TYPE_ID_BLOCK(pessoa)

#undef PESSOA_MESSAGE

namespace caf {
// Shared pointers to plain values never leave the process.
template <class T>
struct allowed_unsafe_message_type<std::shared_ptr<T>> : std::true_type {};
} // namespace caf
