// What the handlers ask of the node they run in; node/front.hpp is the production side of it. They speak to nothing else.
//
// One per connection, on the connection's loop: every promise resolves there. What is asked is sent before a function
// returns, so two calls in a row reach a partition in this order. No promise rejects for an outcome; errors are values.
// Dropping a promise lets go of what waits for it and undoes nothing.
#pragma once

#include "actors/messages.hpp"
#include "actors/routing.hpp"

#include <kj/async.h>

#include <map>
#include <memory>
#include <set>
#include <string>

namespace pessoa::kafka {

// Why topics could not be created, by name.
using creation_errors = std::map<std::string, error>;

class gateway {
public:
  virtual ~gateway() noexcept(false) = default;

  // -- facts, at once ---
  // Topics, leaders, nodes as this node knows them now. Keep it for as long as you look at it.
  [[nodiscard]] virtual std::shared_ptr<const actors::routing_snapshot> routes() const = 0;
  [[nodiscard]] virtual const clock& time() const = 0;
  [[nodiscard]] virtual node_id self() const = 0;
  // Whether a topic comes into being when somebody asks for it to write to it.
  [[nodiscard]] virtual bool auto_create() const = 0;
  // Of a topic that is created without a number.
  [[nodiscard]] virtual int32_t default_partitions() const = 0;
  // A place for so many bytes in the node's memory for answers; null when it is full.
  [[nodiscard]] virtual std::shared_ptr<void> reserve_reply(size_t bytes) = 0;
  virtual kj::Promise<void> after(duration span) = 0;

  // -- one partition. All may answer unknown_topic_id, unknown_partition, not_leader, leader_not_available,
  //    storage_failed; `reply` of the command is set here ---
  // Requires: the batch was validated (schema's validate_batch).
  virtual kj::Promise<result<protocol::produced>>
  produce(const topic_id& topic, partition_id partition,
          std::shared_ptr<actors::produce_command> command) = 0;
  // Dropping it abandons a parked fetch.
  virtual kj::Promise<result<actors::fetched>> fetch(const topic_id& topic, partition_id partition,
                                                     std::shared_ptr<actors::fetch_command> command) = 0;
  virtual kj::Promise<result<actors::offset_answer>>
  find_offset(const topic_id& topic, partition_id partition, std::shared_ptr<actors::offset_query> query) = 0;
  // Where an epoch of the partition ended (protocol/partition/epoch_rules.hpp).
  virtual kj::Promise<result<protocol::epoch_end>>
  find_epoch_end(const topic_id& topic, partition_id partition,
                 std::shared_ptr<actors::epoch_query> query) = 0;

  // -- the cluster ---
  // Decided by the controller and applied on this node. Errors: the controller's; unknown_result when it was, or may have
  // been, decided and is not applied here.
  virtual kj::Promise<result<actors::committed_change>>
  create_topic(protocol::create_topic_request request) = 0;
  virtual kj::Promise<result<actors::committed_change>> delete_topic(std::string name) = 0;
  virtual kj::Promise<result<actors::committed_change>> delete_topic(topic_id id) = 0;
  // Creates the topics with the cluster's defaults, one after the other, and waits until this node leads them as far as
  // it should. Who was faster is as good: a topic that exists already is no error. What has not had its turn by the
  // deadline is not created, and says so.
  virtual kj::Promise<creation_errors> create_topics(std::set<std::string> names, instant deadline) = 0;
  // Until what this node should lead is led and published, but not for long: a log that is being recovered keeps nobody.
  virtual kj::Promise<void> all_ready() = 0;
  // Never given twice.
  virtual kj::Promise<result<producer_id>> new_producer_id() = 0;
};

} // namespace pessoa::kafka
