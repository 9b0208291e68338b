// The map of the system: every role of a node and every message it takes. Read this first.
//
// Conventions: requests are plain sends that carry a responder (actors/responder.hpp), so no interface answers by
// message and nothing is lost with a dead actor. A message's type is its name. INTERNAL marks what a role sends to
// itself or hears from the services it uses (commit service, storage pool).
#pragma once

#include "actors/messages.hpp"

#include <caf/atom.hpp>
#include <caf/fwd.hpp>
#include <caf/typed_actor.hpp>

#include <memory>

namespace pessoa::actors {

template <class T>
using ptr = std::shared_ptr<T>;

using tick_atom = caf::atom_constant<caf::atom("tick")>;       // INTERNAL: a deadline may have come
using retire_atom = caf::atom_constant<caf::atom("retire")>;   // the epoch is over
using upkeep_atom = caf::atom_constant<caf::atom("upkeep")>;   // retention, idle files, producers: now and then

/// The PARTITION: leads one partition for one epoch, on a borrowed log. Its life is the epoch (architecture, idea 1).
using partition_actor = caf::typed_actor<
  // Appends a batch; answered when its acks level is reached.
  caf::reacts_to<ptr<produce_command>>,
  // Reads from an offset on; answered with data, or empty at its deadline.
  caf::reacts_to<ptr<fetch_command>>,
  caf::reacts_to<ptr<fetch_abandoned>>,
  // Where start, end or a time lies.
  caf::reacts_to<ptr<offset_query>>,
  // Where an epoch ended.
  caf::reacts_to<ptr<epoch_query>>,
  caf::reacts_to<ptr<status_query>>,
  // Raises the log start; answered with the new one.
  caf::reacts_to<ptr<delete_records_command>>,
  caf::reacts_to<ptr<settings_change>>,
  caf::reacts_to<upkeep_atom>,
  // Answers what waits, lets go of the log and ends.
  caf::reacts_to<retire_atom>,
  // INTERNAL
  caf::reacts_to<ptr<commit_done>>,
  caf::reacts_to<ptr<upkeep_done>>,
  caf::reacts_to<tick_atom>>;

/// The REPLICA: owns one copy of a partition's log for as long as this node hosts it; lends it to the leading epoch.
using replica_actor = caf::typed_actor<
  // This node leads the partition from epoch e on. A running older epoch is retired first.
  caf::reacts_to<ptr<lead_command>>,
  caf::reacts_to<ptr<status_query>>,
  caf::reacts_to<ptr<settings_change>>,
  caf::reacts_to<upkeep_atom>,
  // Closes (or deletes) the copy and ends. Once.
  caf::reacts_to<ptr<replica_stop>>,
  // From the partition and the loan.
  caf::reacts_to<ptr<log_returned>>,
  caf::reacts_to<ptr<epoch_failed>>,
  // INTERNAL
  caf::reacts_to<ptr<replica_closed>>>;

/// The BROKER: follows the metadata log; starts and stops replicas to match it; publishes the routing snapshot.
using broker_actor = caf::typed_actor<
  caf::reacts_to<ptr<metadata_committed>>,
  // Answered when an index has been applied and published.
  caf::reacts_to<ptr<index_wait>>,
  // Answered when every replica of this node is open, or known to have failed.
  caf::reacts_to<ptr<all_ready_wait>>,
  // From a replica: the epoch's partition is up; its log failed.
  caf::reacts_to<ptr<struct partition_leading>>,
  caf::reacts_to<ptr<replica_failed>>,
  // Stops all replicas, then ends. What is committed from now on waits for the next start. Once.
  caf::reacts_to<ptr<broker_stop>>,
  // INTERNAL
  caf::reacts_to<ptr<log_opened>>,
  caf::reacts_to<ptr<replica_gone>>,
  caf::reacts_to<ptr<leftovers_removed>>,
  caf::reacts_to<upkeep_atom>,
  caf::reacts_to<tick_atom>>;

/// A replica's word to its broker: epoch e of the partition is served by this actor now.
struct partition_leading {
  partition_key key;
  leader_epoch epoch{0};
  partition_actor partition;
};

/// The CONTROLLER: owns the metadata log; decides, commits, and tells brokers what was committed. One voter for now;
/// Raft comes behind the same interface.
using controller_actor = caf::typed_actor<
  caf::reacts_to<ptr<create_topic_command>>,
  caf::reacts_to<ptr<alter_topic_command>>,
  caf::reacts_to<ptr<delete_topic_command>>,
  // A node enters or comes back: its incarnation is the index of this record.
  caf::reacts_to<ptr<register_node_command>>,
  caf::reacts_to<ptr<allocate_producer_ids_command>>,
  // From now on this broker hears every committed record, beginning with the first.
  caf::reacts_to<broker_actor>,
  // Commits what waits, closes the log, ends.
  caf::reacts_to<ptr<controller_stop>>,
  // INTERNAL
  caf::reacts_to<ptr<metadata_commit_done>>>;

/// The GATEWAY: what a request needs beyond the routing snapshot: producer ids, later remote hops.
using gateway_actor = caf::typed_actor<
  caf::reacts_to<ptr<producer_id_request>>,
  // INTERNAL: the next block of ids arrived.
  caf::reacts_to<ptr<producer_ids_arrived>>>;

} // namespace pessoa::actors
