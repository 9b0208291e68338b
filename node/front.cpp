#include "node/front.hpp"

#include "actors/type_ids.hpp"
#include "node/bridge.hpp"

#include <caf/send.hpp>

namespace pessoa::node {

using actors::committed_change;
using actors::partition_actor;
using actors::partition_status;

namespace {

const error leader_ended{ec::not_leader, "the partition's leader has ended"};
const error node_stops{ec::shutting_down, "the node is stopping"};

} // namespace

std::shared_ptr<void> front::reserve_reply(size_t bytes) {
  auto ticket = replies_->try_acquire(bytes);
  if (!ticket) return nullptr;
  return std::make_shared<byte_budget::ticket>(std::move(*ticket));
}

// -- one partition ---

result<partition_actor> front::local_leader(const topic_id& topic, partition_id index) const {
  auto routes = node_.env->routes->load();
  auto* route = routes->find(topic);
  if (route == nullptr)
    return error{ec::unknown_topic_id, "there is no topic with the id " + to_string(topic)};
  if (index.value() < 0 || static_cast<size_t>(index.value()) >= route->partitions.size())
    return error{ec::unknown_partition,
                 "topic '" + route->name + "' has " + std::to_string(route->partitions.size())
                     + " partitions, not one with the index " + std::to_string(index.value())};
  auto& partition = route->partitions[static_cast<size_t>(index.value())];
  auto name = route->name + "[" + std::to_string(index.value()) + "]";
  if (partition.offline)
    return error{partition.offline->code, name + " is offline: " + partition.offline->message};
  if (partition.local == nullptr) return error{ec::leader_not_available, name + " has no leader here yet"};
  return partition.local;
}

kj::Promise<result<protocol::produced>> front::produce(const topic_id& topic, partition_id partition,
                                                       std::shared_ptr<actors::produce_command> command) {
  auto leader = local_leader(topic, partition);
  if (!leader) return result<protocol::produced>{leader.error()};
  auto made = bridge<protocol::produced>(loop_, leader_ended);
  command->reply = made.reply;
  caf::anon_send(*leader, std::move(command));
  return kj::mv(made.promise);
}

kj::Promise<result<actors::fetched>> front::fetch(const topic_id& topic, partition_id partition,
                                                  std::shared_ptr<actors::fetch_command> command) {
  auto leader = local_leader(topic, partition);
  if (!leader) return result<actors::fetched>{leader.error()};
  // Parked fetches cost nothing; what they read when they wake is counted before it is in memory.
  command->reserve = [replies = replies_](size_t bytes) -> std::shared_ptr<void> {
    auto ticket = replies->try_acquire(bytes);
    if (!ticket) return nullptr;
    return std::make_shared<byte_budget::ticket>(std::move(*ticket));
  };
  auto made = bridge<actors::fetched>(loop_, leader_ended);
  command->reply = made.reply;
  // When the caller goes away the parked fetch need not wait for its deadline. This must not hold the command: the responder
  // in it answers when its last owner, the leader, goes.
  auto answered = std::make_shared<bool>(false);
  auto watch = kj::defer([leader = *leader, sent = std::weak_ptr<actors::fetch_command>{command}, answered] {
    if (auto open = sent.lock(); open && !*answered)
      caf::anon_send(leader,
                     std::make_shared<actors::fetch_abandoned>(actors::fetch_abandoned{std::move(open)}));
  });
  caf::anon_send(*leader, std::move(command));
  return kj::mv(made.promise)
      .then([answered](result<actors::fetched> outcome) {
        *answered = true;
        return outcome;
      })
      .attach(kj::mv(watch));
}

kj::Promise<result<actors::offset_answer>> front::find_offset(const topic_id& topic, partition_id partition,
                                                              std::shared_ptr<actors::offset_query> query) {
  auto leader = local_leader(topic, partition);
  if (!leader) return result<actors::offset_answer>{leader.error()};
  auto made = bridge<actors::offset_answer>(loop_, leader_ended);
  query->reply = made.reply;
  caf::anon_send(*leader, std::move(query));
  return kj::mv(made.promise);
}

kj::Promise<result<protocol::epoch_end>> front::find_epoch_end(const topic_id& topic, partition_id partition,
                                                               std::shared_ptr<actors::epoch_query> query) {
  auto leader = local_leader(topic, partition);
  if (!leader) return result<protocol::epoch_end>{leader.error()};
  auto made = bridge<protocol::epoch_end>(loop_, leader_ended);
  query->reply = made.reply;
  caf::anon_send(*leader, std::move(query));
  return kj::mv(made.promise);
}

kj::Promise<result<offset>> front::delete_records(const topic_id& topic, partition_id partition,
                                                  offset before) {
  auto leader = local_leader(topic, partition);
  if (!leader) return result<offset>{leader.error()};
  auto made = bridge<offset>(loop_, leader_ended);
  caf::anon_send(*leader, std::make_shared<actors::delete_records_command>(
                              actors::delete_records_command{before, made.reply}));
  return kj::mv(made.promise);
}

kj::Promise<result<partition_status>> front::status(const actors::partition_route& route) {
  if (route.local == nullptr) {
    auto why = route.offline.value_or(error{ec::leader_not_available, "it has no leader here yet"});
    return result<partition_status>{std::move(why)};
  }
  auto made = bridge<partition_status>(loop_, leader_ended);
  caf::anon_send(route.local, std::make_shared<actors::status_query>(actors::status_query{made.reply}));
  return kj::mv(made.promise);
}

// -- changes of the metadata ---

template <class Command>
kj::Promise<result<committed_change>> front::change(std::shared_ptr<Command> command) {
  auto made =
      bridge<committed_change>(loop_, {ec::unknown_result, "the controller ended before it answered"});
  command->reply = made.reply;
  caf::anon_send(node_.controller, std::move(command));
  return kj::mv(made.promise)
      .then([self = *this](result<committed_change> done) mutable -> kj::Promise<result<committed_change>> {
        if (!done) return kj::mv(done);
        return self.applied(done->index, wait_ms_max)
            .then([done = *done](result<metadata_index> index) -> result<committed_change> {
              if (!index)
                return error{ec::unknown_result,
                             "it was decided, but not yet applied: " + index.error().message};
              return done;
            });
      });
}

kj::Promise<result<metadata_index>> front::applied(metadata_index index, uint32_t timeout_ms) {
  auto made = bridge<metadata_index>(loop_, node_stops);
  auto wait = std::make_shared<actors::index_wait>();
  wait->index = index;
  wait->deadline = deadline_in(timeout_ms);
  wait->reply = made.reply;
  caf::anon_send(node_.broker, std::move(wait));
  auto late = loop_.timer()
                  .afterDelay(std::min(timeout_ms, wait_ms_max) * kj::MILLISECONDS)
                  .then([index]() -> result<metadata_index> {
                    return error{ec::timed_out,
                                 "this node has not reached metadata index " + std::to_string(index.value())};
                  });
  return kj::mv(made.promise).exclusiveJoin(kj::mv(late));
}

kj::Promise<result<committed_change>> front::create_topic(protocol::create_topic_request request) {
  auto command = std::make_shared<actors::create_topic_command>();
  if (request.partitions == -1) request.partitions = node_.default_partitions;
  command->request = std::move(request);
  return change(std::move(command));
}

kj::Promise<result<committed_change>> front::alter_topic(protocol::alter_topic_request request) {
  auto command = std::make_shared<actors::alter_topic_command>();
  command->request = std::move(request);
  return change(std::move(command));
}

kj::Promise<result<committed_change>> front::delete_topic(std::string name) {
  auto command = std::make_shared<actors::delete_topic_command>();
  command->name = std::move(name);
  return change(std::move(command));
}

kj::Promise<result<committed_change>> front::delete_topic(topic_id id) {
  auto command = std::make_shared<actors::delete_topic_command>();
  command->id = id;
  return change(std::move(command));
}

kj::Promise<void> front::all_ready() {
  constexpr auto patience = 5 * kj::SECONDS;
  auto made = bridge<actors::ready_replicas>(loop_, node_stops);
  caf::anon_send(node_.broker, std::make_shared<actors::all_ready_wait>(actors::all_ready_wait{made.reply}));
  return kj::mv(made.promise).ignoreResult().exclusiveJoin(loop_.timer().afterDelay(patience));
}

// -- topics that come into being because somebody is about to write to them ---

namespace {

struct creation {
  front to;
  std::set<std::string> names;
  instant deadline;
  creation_errors failed;
};

// One at a time: a request with thousands of names must not fill the controller's queue for everybody else.
kj::Promise<void> create_next(std::shared_ptr<creation> state) {
  if (state->names.empty()) return kj::READY_NOW;
  if (state->to.time().now() >= state->deadline) {
    for (auto& name : state->names)
      state->failed.emplace(
          name, error{ec::timed_out, "topic '" + name + "' was not created: its turn did not come in time"});
    return kj::READY_NOW;
  }
  protocol::create_topic_request request;
  request.name = *state->names.begin();
  state->names.erase(state->names.begin());
  auto name = request.name;
  return state->to.create_topic(std::move(request))
      .then([state, name](result<committed_change> done) -> kj::Promise<void> {
        if (!done && done.error().code != ec::topic_exists) state->failed.emplace(name, done.error());
        return create_next(state);
      });
}

} // namespace

kj::Promise<creation_errors> front::create_topics(std::set<std::string> names, instant deadline) {
  auto state = std::make_shared<creation>(creation{*this, std::move(names), deadline, {}});
  return create_next(state).then([state] { return state->to.all_ready(); }).then([state] {
    return std::move(state->failed);
  });
}

kj::Promise<result<producer_id>> front::new_producer_id() {
  auto made = bridge<producer_id>(loop_, {ec::leader_not_available, "the node is stopping"});
  caf::anon_send(node_.gateway,
                 std::make_shared<actors::producer_id_request>(actors::producer_id_request{made.reply}));
  return kj::mv(made.promise);
}

} // namespace pessoa::node
