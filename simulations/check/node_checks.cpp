#include "simulations/check/node_checks.hpp"

#include "actors/broker/broker_state.hpp"
#include "actors/controller/controller_state.hpp"
#include "actors/partition/partition_state.hpp"
#include "actors/type_ids.hpp"
#include "node/health.hpp"

#include <caf/actor_cast.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <utility>

namespace pessoa::sim {

namespace {

using partition_self = caf::stateful_actor<actors::partition_state, actors::partition_actor::base>;
using controller_self = caf::stateful_actor<actors::controller_state, actors::controller_actor::base>;
using broker_self = caf::stateful_actor<actors::broker_state, actors::broker_actor::base>;

// Between two looks at all partitions. A step that is due may wait for others for as long.
constexpr world_time looks_apart = 2 * second;
// A commit that was let in while there was room may take so long.
constexpr world_time commit_max = 8 * second;

} // namespace

node_checks::node_checks(world& of, node_place& node, std::function<damage(const partition_key&)> damaged)
    : world_(of), node_(node), damaged_(std::move(damaged)), durable_(node.disk(), node.settings().data) {
  of.after_step.push_back([this](process& ran) { look(ran); });
}

bool node_checks::all_online() const {
  auto* services = node_.life() != nullptr ? node_.life()->service() : nullptr;
  return services != nullptr && services->env != nullptr
         && node::judge_health(*services->env).leaderless == 0;
}

void node_checks::look(process& ran) {
  if (&ran != node_.life()) return;
  if (node_.lives() != life_) {
    life_ = node_.lives();
    durable_.forget();
    overdue_.clear();
    deletions_.clear();
    failed_.clear();
  }
  if (node_.disk().is_cut()) return; // dead in a moment
  if (node_.disk().free_bytes() >= node_.settings().disk_reserve_bytes)
    short_since_.reset();
  else if (!short_since_)
    short_since_ = world_.now();
  if (auto* actor = ran.ran_actor()) {
    look_at_partition(*actor);
    look_at_metadata(*actor);
  }
  look_at_stop();
  look_at_all();
}

void node_checks::look_at_partition(const caf::abstract_actor& actor) {
  auto* partition = dynamic_cast<const partition_self*>(&actor);
  auto* leader = partition != nullptr ? partition->state.leader() : nullptr;
  if (leader == nullptr) return;
  auto name = to_string(leader->key());
  if (auto broken = partition->state.check_invariants())
    return world_.fail("invariants", name + ": " + *broken);
  look_at_epoch(*leader, actor.id());
  look_at_turns(partition->state);
  if (partition->state.log_failed()) failed_.insert(leader->key());
  auto damaged = damaged_(leader->key());
  auto now = leader->high_watermark();
  auto lost = losses_.look(leader->key(), now, life_);
  if (lost && damaged == damage::rot) return world_.fail(loss_check::name, name + ": " + *lost);
  if (damaged != damage::none) return; // what the disk lied about binds nobody
  auto& shown = high_watermarks_[leader->key()];
  if (now < shown)
    return world_.fail("high_watermark_stays", name + " went back from " + std::to_string(shown.value())
                                                   + " to " + std::to_string(now.value()));
  if (now <= shown) return;
  shown = now;
  look_at_reserve(leader->key());
  if (auto why = durable_.look(leader->key(), now)) world_.fail(durability_check::name, name + ": " + *why);
}

void node_checks::look_at_metadata(const caf::abstract_actor& actor) {
  if (node_.life()->fatal()) return; // it ends for what it saw
  const protocol::metadata_image* image = nullptr;
  if (auto* controller = dynamic_cast<const controller_self*>(&actor)) {
    image = &controller->state.image();
    if (auto broken = controller->state.check_invariants())
      return world_.fail("invariants", "the controller: " + *broken);
  } else if (auto* broker = dynamic_cast<const broker_self*>(&actor)) {
    image = &broker->state.image();
    if (auto broken = image->check_invariants()) return world_.fail("invariants", "the broker: " + *broken);
  }
  if (image == nullptr || image->last() < metadata_index{0}) return;
  auto digest = image->digest();
  if (images_.try_emplace(image->last(), digest).first->second != digest)
    world_.fail("metadata_is_one", "after metadata record " + std::to_string(image->last().value())
                                       + " two of the node's actors, or of its lives, know different things");
}

void node_checks::look_at_epoch(const protocol::partition_leader& leader, caf::actor_id who) {
  auto& last = epochs_[leader.key()];
  if (last.epoch == leader.epoch() && last.life == life_ && last.by == who) return;
  if (leader.epoch() <= last.epoch)
    return world_.fail("epoch_is_served_once", to_string(leader.key()) + " is led in epoch "
                                                   + std::to_string(leader.epoch().value()) + " after epoch "
                                                   + std::to_string(last.epoch.value()));
  last = {leader.epoch(), life_, who};
}

void node_checks::look_at_turns(const actors::partition_state& partition) {
  auto& leader = *partition.leader();
  auto* waits = partition.next_deletion();
  auto& seen = deletions_[leader.key()];
  if (waits == nullptr || waits != seen.deletion) {
    seen = {waits, leader.high_watermark()};
  } else if (leader.high_watermark() > seen.since) {
    world_.fail("deletions_have_their_turn",
                to_string(leader.key()) + ": DeleteRecords still waits, although a commit has ended since");
  }
}

void node_checks::look_at_stop() {
  auto& stopped = node_.life()->stopped();
  if (!stopped || !stopped->ok()) return;
  auto there = node_.disk().names_in(node_.settings().data + "/topics");
  for (auto& key : failed_)
    if (std::find(there.begin(), there.end(), to_string(key))
        != there.end()) // its topic was not deleted since
      world_.fail("clean_means_closed", "a stop was clean, and the log of " + to_string(key) + " had failed");
}

// `key` has just shown that more is durable.
void node_checks::look_at_reserve(const partition_key& key) {
  if (!short_since_ || world_.now() - *short_since_ < commit_max) return;
  world_.fail("reserve_is_kept",
              to_string(key) + " took records, although for seconds less has been free than the reserve of "
                  + std::to_string(node_.settings().disk_reserve_bytes) + " bytes");
}

std::optional<std::string> node_checks::leftover() const {
  auto* services = node_.life() != nullptr ? node_.life()->service() : nullptr;
  if (services == nullptr || services->env == nullptr || !node_.ready()) return "the node is not ready";
  auto routes = services->env->routes->load();
  for (auto& name : node_.disk().names_in(node_.settings().data + "/topics")) {
    bool known = std::any_of(routes->topics.begin(), routes->topics.end(),
                             [&](auto& topic) { return name.starts_with(to_string(topic.first) + "-"); });
    if (!known) return name;
  }
  return std::nullopt;
}

offset node_checks::shown(const partition_key& key) const {
  auto found = high_watermarks_.find(key);
  return found == high_watermarks_.end() ? offset{0} : found->second;
}

void node_checks::look_at_all() {
  // Who stood still, as a paused process does, owes nothing for that while.
  if (world_.now() - std::exchange(last_step_, world_.now()) > looks_apart / 2) overdue_.clear();
  if (world_.now() - looked_ < looks_apart) return;
  looked_ = world_.now();
  look_for_overdue();
  look_at_offline();
}

void node_checks::look_at_offline() {
  auto* services = node_.life()->service();
  if (services == nullptr || services->env == nullptr) return;
  auto routes = services->env->routes->load();
  for (auto& [id, topic] : routes->topics)
    for (auto& partition : topic->partitions)
      if (partition.offline && partition.offline->code == ec::internal)
        return world_.fail("no_internal_error",
                           "a partition of " + topic->name + " is offline: " + partition.offline->message);
}

void node_checks::look_for_overdue() {
  std::map<partition_key, instant> overdue;
  for (auto& address : node_.life()->actors()) {
    auto actor = caf::actor_cast<caf::strong_actor_ptr>(address);
    auto* partition = actor ? dynamic_cast<const partition_self*>(actor->get()) : nullptr;
    auto* leader = partition != nullptr ? partition->state.leader() : nullptr;
    if (leader == nullptr) continue;
    auto due = leader->next_deadline();
    if (due && *due < node_.on().now()) overdue[leader->key()] = *due;
  }
  for (auto& [key, due] : overdue)
    if (auto before = overdue_.find(key); before != overdue_.end() && before->second == due)
      return world_.fail("nothing_overdue",
                         to_string(key) + " has not given an answer that was due two seconds ago");
  overdue_ = std::move(overdue);
}

} // namespace pessoa::sim
