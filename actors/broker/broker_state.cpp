#include "actors/broker/broker_state.hpp"

#include "actors/replica/replica.hpp"
#include "actors/type_ids.hpp"
#include "schema/plants.hpp"

#include <caf/send.hpp>

#include <algorithm>

namespace pessoa::actors {

using protocol::topic_state;

void broker_state::start(environment* env) {
  env_ = env;
  self->delayed_send(self, env_->upkeep_interval, upkeep_atom::value);
}

// -- metadata ---

void broker_state::committed(const metadata_committed& update) {
  // The logs are being closed: neither a new topic nor a deletion may begin anything. The next start reads them again.
  if (stopping_ && !PESSOA_PLANT("open_while_stopping")) return;
  auto index = update.last - static_cast<int64_t>(update.records.size()) + 1;
  for (auto& record : update.records) {
    apply(record, index);
    ++index;
  }
  for (auto& topic : std::set<topic_id>{dirty_})
    reconcile(topic);
  if (!std::exchange(caught_up_, true)) remove_deleted_leftovers();
  open_next();
  changed();
}

void broker_state::apply(const metadata_record& record, metadata_index index) {
  // A record that cannot be applied means that this node's view is not the log's: going on would be guessing (C11).
  if (auto applied = image_.apply(record, index); !applied)
    return env_->fatal("metadata record " + std::to_string(index.value()) + ": "
                       + to_string(applied.error()));
  // The first update is history: registrations in it are those of earlier lives. Ours raises the epochs that we lead.
  if (auto* r = std::get_if<node_registered>(&record); r != nullptr && r->node == env_->self && caught_up_)
    registered_ = true;
  if (auto* r = std::get_if<topic_created>(&record)) dirty_.insert(r->topic);
  if (auto* r = std::get_if<topic_config_changed>(&record)) dirty_.insert(r->topic);
  if (auto* r = std::get_if<partitions_added>(&record)) dirty_.insert(r->topic);
  if (auto* r = std::get_if<partition_changed>(&record)) dirty_.insert(r->topic);
  if (auto* r = std::get_if<topic_deleted>(&record)) {
    dirty_.insert(r->topic);
    deleted_.insert(r->topic);
  }
}

void broker_state::reconcile(const topic_id& id) {
  auto* topic = image_.find(id);
  if (topic != nullptr) {
    for (size_t i = 0; i < topic->partitions.size(); ++i)
      reconcile(*topic, partition_id{static_cast<int32_t>(i)});
    return;
  }
  auto first = hosted_.lower_bound(partition_key{id, partition_id{0}});
  for (auto it = first; it != hosted_.end() && it->first.topic == id; ++it)
    remove(it->first, it->second);
}

void broker_state::reconcile(const topic_state& topic, partition_id index) {
  auto& wanted = topic.partitions[static_cast<size_t>(index.value())];
  if (std::find(wanted.replicas.begin(), wanted.replicas.end(), env_->self) == wanted.replicas.end()) return;
  partition_key key{topic.id, index};
  auto [found, is_new] = hosted_.try_emplace(key);
  auto& entry = found->second;
  if (is_new) {
    entry.opening = true;
    to_open_.push_back(key);
    return;
  }
  if (entry.replica == nullptr || entry.removing) return;
  self->send(entry.replica, std::make_shared<settings_change>(settings_change{topic.settings}));
  bool may_lead = registered_ || PESSOA_PLANT("lead_unregistered");
  if (may_lead && wanted.leader == env_->self && wanted.epoch > entry.asked_epoch) {
    entry.asked_epoch = wanted.epoch;
    self->send(entry.replica, std::make_shared<lead_command>(lead_command{wanted.epoch}));
  }
}

// -- replicas ---

void broker_state::open_next() {
  while (!stopping_ && opening_ < env_->opens_in_parallel && !to_open_.empty()) {
    auto key = to_open_.front();
    to_open_.pop_front();
    auto found = hosted_.find(key);
    auto* topic = image_.find(key.topic);
    if (found == hosted_.end()) continue;
    if (topic == nullptr) { // deleted while it waited
      found->second.opening = false;
      remove(key, found->second);
      continue;
    }
    ++opening_;
    // What a failed attempt left behind was no clean stop.
    bool clean = env_->clean_stop && !found->second.again;
    env_->reads->post([env = env_, key, settings = env_->logs.with(topic->settings), clean,
                       me = broker_actor{self}] {
      persistence::recovery_report report;
      auto open_log = [&]() -> result<std::unique_ptr<persistence::partition_log>> {
        PESSOA_TRY(auto directory, env->create_partition(key));
        return persistence::partition_log::open(*env->disk, directory, key, settings, clean,
                                                env->commits->recovered(key), report);
      };
      auto log = open_log();
      if (!log) env->commits->recovered_in_vain(key);
      caf::anon_send(me, std::make_shared<log_opened>(log_opened{key, std::move(log), std::move(report)}));
    });
  }
}

void broker_state::opened(log_opened& message) {
  PESSOA_ASSERT(opening_ > 0);
  --opening_;
  auto found = hosted_.find(message.key);
  PESSOA_ASSERT(found != hosted_.end());
  auto& entry = found->second;
  entry.opening = false;
  if (message.report.loss)
    env_->log->fail("broker", to_string(message.key) + " has lost data: " + *message.report.loss);
  auto* topic = image_.find(message.key.topic);
  if (!message.log) {
    entry.failure = message.log.error();
    if (!std::exchange(entry.again, true)) {
      env_->counters->replicas_offline.fetch_add(1, std::memory_order_relaxed);
      env_->log->fail("broker", to_string(message.key) + " cannot be opened: " + to_string(*entry.failure));
    }
  } else {
    if (entry.failure) reopened(message.key, entry, message.report.loss.has_value());
    auto box = std::make_shared<std::unique_ptr<persistence::partition_log>>(std::move(*message.log));
    auto config = topic != nullptr ? topic->settings : topic_config{};
    entry.replica = self->spawn(replica, env_, broker_actor{self}, std::move(box), config);
  }
  if (topic == nullptr)
    remove(message.key, entry);
  else if (stopping_)
    stop_replica(message.key, entry, false);
  else
    reconcile(*topic, message.key.index);
  dirty_.insert(message.key.topic);
  open_next();
  changed();
  check_ready();
}

void broker_state::reopened(const partition_key& key, hosted& entry, bool lost) {
  PESSOA_PROBE("log_opened_late");
  entry.failure.reset();
  env_->counters->replicas_offline.fetch_sub(1, std::memory_order_relaxed);
  env_->log->info("broker", to_string(key) + " is open now");
  // The start kept the old journal for this log's sake; a loss may be seen by nothing else, and must be seen again.
  if (lost || stopping_ || opening_ > 0 || !to_open_.empty()) return;
  for (auto& each : hosted_)
    if (each.second.failure) return;
  env_->reads->post([env = env_] {
    if (auto removed = env->commits->recovery_complete(); !removed)
      env->log->warn("broker", "the old journal cannot be removed: " + to_string(removed.error()));
  });
}

void broker_state::remove(const partition_key& key, hosted& entry) {
  if (entry.removing) return;
  entry.partition = nullptr;
  if (entry.opening && entry.replica == nullptr
      && std::find(to_open_.begin(), to_open_.end(), key) == to_open_.end())
    return; // its log is being opened right now: opened() comes back here
  PESSOA_PROBE("topic_deleted");
  std::erase(to_open_, key);
  entry.opening = false;
  entry.removing = true;
  stop_replica(key, entry, true);
}

void broker_state::stop_replica(const partition_key& key, hosted& entry, bool remove) {
  PESSOA_ASSERT(!entry.ending, to_string(key));
  entry.ending = true;
  auto tell = [me = broker_actor{self}, key](std::optional<error> problem) {
    caf::anon_send(me, std::make_shared<replica_gone>(replica_gone{key, std::move(problem)}));
  };
  if (entry.replica != nullptr) {
    auto reply = make_responder<partition_key>([tell](const result<partition_key>& outcome) {
      tell(outcome ? std::nullopt : std::optional<error>{outcome.error()});
    });
    self->send(entry.replica, std::make_shared<replica_stop>(replica_stop{remove, std::move(reply)}));
    return;
  }
  if (!remove) return tell(entry.failure); // never opened: nothing to close
  env_->reads->post([env = env_, key, tell] {
    auto removed = env->delete_partition(key);
    tell(removed ? std::nullopt : std::optional<error>{removed.error()});
  });
}

void broker_state::leading(const partition_leading& message) {
  auto found = hosted_.find(message.key);
  if (found == hosted_.end() || found->second.removing || message.epoch <= found->second.leading_epoch)
    return;
  found->second.leading_epoch = message.epoch;
  found->second.partition = message.partition;
  dirty_.insert(message.key.topic);
  changed();
  check_ready();
}

void broker_state::failed(const replica_failed& message) {
  auto found = hosted_.find(message.key);
  if (found == hosted_.end()) return;
  found->second.failure = message.why;
  dirty_.insert(message.key.topic);
  changed();
  check_ready();
}

void broker_state::gone(const replica_gone& message) {
  if (message.problem) {
    env_->log->warn("broker", "closing " + to_string(message.key) + ": " + to_string(*message.problem));
    stop_clean_ = PESSOA_PLANT("clean_though_failed");
  }
  auto found = hosted_.find(message.key);
  PESSOA_ASSERT(found != hosted_.end(), to_string(message.key));
  // A replica takes itself off the count; one that never opened has nobody else to do it.
  if (found->second.failure && found->second.replica == nullptr)
    env_->counters->replicas_offline.fetch_sub(1, std::memory_order_relaxed);
  hosted_.erase(found);
  check_ready();
  check_stopped();
}

// What a delete that a crash interrupted left behind.
void broker_state::remove_deleted_leftovers() {
  leftovers_ = std::make_shared<std::atomic<bool>>(false);
  // However the job ends, we hear of it: nothing may touch the directory after the clean-stop mark.
  std::shared_ptr<void> ended{nullptr, [me = broker_actor{self}](void*) {
                                caf::anon_send(me, std::make_shared<leftovers_removed>());
                              }};
  env_->reads->post([env = env_, deleted = deleted_,
                     known = PESSOA_PLANT("delete_unknown_partitions") ? protocol::metadata_image{} : image_,
                     give_up = leftovers_, ended = std::move(ended)] {
    auto keys = env->list_partitions();
    if (!keys) return env->log->warn("broker", to_string(keys.error()));
    for (auto& key : *keys) {
      if (*give_up) return;
      bool remove = PESSOA_PLANT("delete_unknown_partitions") && known.find(key.topic) == nullptr;
      if (remove || deleted.count(key.topic) > 0) {
        PESSOA_PROBE("deletion_finished_by_a_start");
        if (auto gone = env->delete_partition(key); !gone) env->log->warn("broker", to_string(gone.error()));
      } else if (known.find(key.topic) == nullptr) {
        env->log->warn("broker", "no record of the metadata log explains the directory of partition "
                                     + to_string(key) + ": left as it is");
      }
    }
  });
}

void broker_state::leftovers_gone() {
  leftovers_ = nullptr;
  check_stopped();
}

// -- routes ---

void broker_state::changed() {
  if (std::exchange(publish_pending_, true)) return;
  // To ourselves, so that a burst of changes makes one snapshot.
  self->send(self, tick_atom::value);
}

std::shared_ptr<const topic_route> broker_state::route_of(const topic_state& topic) const {
  auto route = std::make_shared<topic_route>();
  route->id = topic.id;
  route->name = topic.name;
  route->wanted_replicas = topic.wanted_replicas;
  route->config = topic.settings;
  route->chosen = topic.config;
  route->partitions.reserve(topic.partitions.size());
  for (size_t i = 0; i < topic.partitions.size(); ++i) {
    auto& wanted = topic.partitions[i];
    partition_route partition{wanted.leader, wanted.epoch, wanted.replicas, wanted.isr, {}, {}};
    auto found = hosted_.find(partition_key{topic.id, partition_id{static_cast<int32_t>(i)}});
    if (found != hosted_.end()) {
      partition.offline = found->second.failure;
      // Only the epoch that the metadata names may be served.
      if (found->second.leading_epoch == wanted.epoch && wanted.leader == env_->self)
        partition.local = found->second.partition;
    }
    route->partitions.push_back(std::move(partition));
  }
  return route;
}

void broker_state::publish() {
  publish_pending_ = false;
  for (auto& id : dirty_) {
    if (auto* topic = image_.find(id))
      routes_[id] = route_of(*topic);
    else
      routes_.erase(id);
  }
  dirty_.clear();
  auto next = std::make_shared<routing_snapshot>();
  next->index = image_.last();
  next->cluster = image_.cluster();
  next->controller = env_->self;
  for (auto& [id, node] : image_.nodes())
    next->nodes[id] = node_route{node.registration, node.life};
  next->topics = routes_;
  for (auto& [id, route] : routes_)
    next->by_name[route->name] = id;
  env_->routes->publish(std::move(next));

  std::vector<ptr<index_wait>> still;
  for (auto& wait : index_waits_) {
    if (wait->index <= image_.last())
      wait->reply->answer(image_.last());
    else
      still.push_back(wait);
  }
  index_waits_ = std::move(still);
  check_ready();
}

void broker_state::wait_for(const ptr<index_wait>& wait) {
  constexpr size_t waits_max = 100'000;
  bool applied = wait->index <= image_.last();
  if (applied && !publish_pending_) return wait->reply->answer(image_.last());
  // Who waits for what may never come must not keep out those who are answered in a moment.
  if (!applied && index_waits_.size() >= waits_max)
    return wait->reply->answer(error{ec::overloaded, "too many requests wait for newer metadata"});
  index_waits_.push_back(wait);
}

void broker_state::wait_all_ready(const ptr<all_ready_wait>& wait) {
  constexpr size_t waits_max = 10'000; // a log that cannot be opened for its disk hangs would let them grow
  if (ready_waits_.size() >= waits_max)
    return wait->reply->answer(error{ec::overloaded, "too many requests wait for the replicas of this node"});
  ready_waits_.push_back(wait);
  check_ready();
}

void broker_state::check_ready() {
  // What a stop has left unopened is not ready: who heard so would remove the journal that holds its last records.
  if (stopping_ && !PESSOA_PLANT("ready_while_stopping")) return;
  // Who hears that all is ready goes by the routes: they must say so first (publish() comes back here).
  if (publish_pending_ || ready_waits_.empty() || !caught_up_ || opening_ > 0 || !to_open_.empty()) return;
  ready_replicas ready;
  for (auto& [key, entry] : hosted_) {
    if (!entry.failure && !entry.removing && entry.asked_epoch != entry.leading_epoch) return;
    ++ready.hosted;
    if (entry.failure && !PESSOA_PLANT("ready_without_all")) ++ready.failed;
  }
  for (auto& wait : std::exchange(ready_waits_, {}))
    wait->reply->answer(ready);
}

// -- life ---

void broker_state::upkeep() {
  if (stopping_) return;
  self->delayed_send(self, env_->upkeep_interval, upkeep_atom::value);
  env_->commits->look_at_space();
  bool room = !env_->commits->refusing();
  for (auto& [key, entry] : hosted_) {
    if (entry.replica != nullptr && !entry.removing) self->send(entry.replica, upkeep_atom::value);
    if (room && waits_for_room(entry)) {
      entry.opening = true;
      to_open_.push_back(key);
    }
  }
  open_next();
  auto now = env_->time->now();
  std::erase_if(index_waits_, [now](const ptr<index_wait>& wait) {
    if (wait->deadline > now) return false;
    wait->reply->answer(error{ec::timed_out, "the node has not applied metadata index "
                                                 + std::to_string(wait->index.value()) + " in time"});
    return true;
  });
}

void broker_state::stop(const ptr<broker_stop>& command) {
  PESSOA_ASSERT(!stopping_);
  stopping_ = command;
  if (leftovers_ != nullptr) *leftovers_ = true;
  if (!to_open_.empty()) PESSOA_PROBE("stopped_while_opening");
  // What was never opened is as the last life left it.
  if (!to_open_.empty() && !env_->clean_stop) stop_clean_ = false;
  for (auto& key : std::exchange(to_open_, {})) {
    if (hosted_.at(key).failure) stop_clean_ = false; // an attempt to open it left something behind
    hosted_.erase(key);
  }
  for (auto& [key, entry] : hosted_)
    if (!entry.opening && !entry.ending) stop_replica(key, entry, false);
  check_stopped();
}

void broker_state::check_stopped() {
  if (!stopping_ || !hosted_.empty() || leftovers_ != nullptr) return;
  stopping_->reply->answer(stop_clean_);
  self->quit();
}

} // namespace pessoa::actors
