#include "simulations/check/node_checks.hpp"

#include "actors/partition/partition_state.hpp"
#include "actors/type_ids.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace pessoa::sim {

namespace {

using partition_self = caf::stateful_actor<actors::partition_state, actors::partition_actor::base>;

} // namespace

node_checks::node_checks(world& of, node_place& node)
    : world_(of), node_(node), durable_(node.disk(), node.settings().data) {
  of.after_step.push_back([this](process& ran) { look(ran); });
}

void node_checks::look(process& ran) {
  if (&ran != node_.life()) return;
  if (node_.lives() != life_) {
    life_ = node_.lives();
    durable_.forget();
  }
  if (node_.disk().is_cut()) return; // dead in a moment
  if (auto* actor = ran.ran_actor()) look_at_partition(*actor);
}

void node_checks::look_at_partition(const caf::abstract_actor& actor) {
  auto* partition = dynamic_cast<const partition_self*>(&actor);
  auto* leader = partition != nullptr ? partition->state.leader() : nullptr;
  if (leader == nullptr) return;
  auto name = to_string(leader->key());
  if (auto broken = leader->check_invariants()) return world_.fail("invariants", name + ": " + *broken);
  auto& shown = high_watermarks_[leader->key()];
  auto now = leader->high_watermark();
  if (now < shown)
    return world_.fail("high_watermark_stays", name + " went back from " + std::to_string(shown.value())
                                                   + " to " + std::to_string(now.value()));
  if (now <= shown) return;
  shown = now;
  if (auto why = durable_.look(leader->key(), now))
    world_.fail(durability_check::name, name + ": " + *why);
}

} // namespace pessoa::sim
