#include "simulations/run/faults.hpp"

#include "schema/crc32c.hpp"

#include <iterator>

namespace pessoa::sim {

const std::vector<fault_kind>& fault_kinds() {
  static const std::vector<fault_kind> kinds = {
      {"kill", "a node's process dies; it is started again"},
      {"power", "a machine loses its power, and what was not synced"},
      {"power_in_write", "the power goes in the middle of a change of the disk"},
      {"restart", "a node is stopped and started in order"},
      {"early_stop", "a node is told to stop while it still starts after a kill"},
      {"failed_open", "a start after a power cut finds a log that it cannot read"},
      {"second_start", "somebody starts a second process on a directory that is in use"},
      {"pause", "a node stands still, as after SIGSTOP"},
      {"client_pause", "a client stands still, as in a long garbage collection"},
      {"slow_cpu", "each step of a node takes long"},
      {"slow_disk", "input and output take long"},
      {"stuck_disk", "nothing that the disk was asked for ends for a while"},
      {"write_error", "writes fail now and then"},
      {"sync_error", "a sync fails once, and what it should have kept is forgotten"},
      {"remove_error", "files cannot be removed now and then"},
      {"read_error", "reads fail now and then"},
      {"full_disk", "there is no room for a while"},
      {"rot", "a bit of a log's files flips at rest", 20},
      {"rot_on_read", "a read of a log's files returns a wrong bit, once", 20},
      {"lost_write", "a write to a log's files is taken and does not happen", 10},
      {"misdirected_write", "a write to a log's files lands elsewhere in the file", 10},
      {"reset", "connections break"},
      {"silence", "connections go silent in one direction"},
      {"hold", "what is on its way on one connection comes late, and others overtake it"},
      {"cut", "nothing gets through in one or both directions for a while"},
      {"latency", "the network is slow, and hands on small pieces"},
      {"refuse", "connects are refused now and then"},
      {"drift", "a machine's clock runs too fast or too slow"},
      {"wall_jump", "a machine's wall clock jumps"},
  };
  return kinds;
}

namespace {

uint32_t default_percent(const std::string& kind) {
  for (auto& known : fault_kinds())
    if (kind == known.name) return known.percent;
  return 0;
}

} // namespace

faults::faults(world& of, const scenario& what, world_time begin, world_time end, damage_hook on_damage)
    : world_(of), begin_(begin), end_(end), on_damage_(std::move(on_damage)) {
  // One seed in twenty has none, to keep the baseline honest; who asks for certain faults gets them.
  if (world_.random().faults.below(20) == 0 && what.faults.empty()) return;
  arrange_processes(what);
  arrange_disks(what);
  arrange_damage(what);
  arrange_network(what);
  arrange_clocks(what);
}

uint64_t faults::total() const {
  uint64_t sum = 0;
  for (auto& [kind, count] : counts_)
    sum += count;
  return sum;
}

random_source* faults::on(const scenario& what, const std::string& kind) {
  auto own = world_.seed() ^ (uint64_t{crc32c(as_bytes(kind))} << 32);
  auto& random = streams_.try_emplace(kind, own).first->second;
  auto drawn = random.below(100);
  uint32_t percent = what.faults.empty() ? default_percent(kind) : 0;
  for (auto& choice : what.faults)
    if (choice.kind == kind) percent = choice.percent;
  return drawn < percent ? &random : nullptr;
}

// `strike` says whether it took effect.
void faults::repeat(random_source& random, const std::string& kind, int64_t times_max,
                    std::function<bool()> strike) {
  auto times = between(random, 1, times_max);
  for (int64_t i = 0; i < times; ++i) {
    auto when = between(random, begin_, end_);
    world_.time().at(when, [this, kind, strike] {
      if (!calm_ && strike()) came(kind);
    });
  }
}

node_place& faults::any_node(random_source& random) {
  auto& nodes = world_.nodes();
  return *std::next(nodes.begin(), static_cast<ptrdiff_t>(random.below(nodes.size())));
}

void faults::arrange_network(const scenario& what) {
  auto& net = world_.net();
  if (auto* random = on(what, "reset"))
    repeat(*random, "reset", 20, [&net, random] { return net.reset_one(*random); });
  if (auto* random = on(what, "silence"))
    repeat(*random, "silence", 4, [&net, random] { return net.silence_one(*random); });
  if (auto* random = on(what, "hold"))
    repeat(*random, "hold", 30, [this, &net, random] {
      return net.hold_one(*random, world_.now() + between(*random, 200, 8000) * millisecond);
    });
  if (auto* random = on(what, "cut"))
    repeat(*random, "cut", 5, [this, &net, random] {
      auto& from = any_node(*random).on().address();
      auto until = world_.now() + between(*random, 50, 3000) * millisecond;
      bool both = random->below(2) == 0, out = random->below(2) == 0;
      for (auto& to : world_.addresses()) {
        if (to == from) continue;
        if (both || out) net.block(from, to, until);
        if (both || !out) net.block(to, from, until);
      }
      return true;
    });
  if (auto* random = on(what, "latency"))
    repeat(*random, "latency", 2, [&net, random] {
      net.options().latency_mean = between(*random, 100, 50'000) * microsecond;
      net.options().fragment_bytes_max = between(*random, 1, 3000);
      return true;
    });
  if (auto* random = on(what, "refuse"))
    repeat(*random, "refuse", 1, [&net, random] {
      net.options().connect_refused_per_mille = static_cast<uint32_t>(between(*random, 10, 500));
      return true;
    });
}

void faults::calm() {
  calm_ = true;
  auto& net = world_.net();
  net.options() = net_options{};
  net.unblock_all();
  net.break_silent();
  for (auto& node : world_.nodes()) {
    node.disk().faults().clear();
    node.disk().set_capacity(sim_disk_options{}.capacity_bytes);
    node.set_speed({});
    if (node.life() != nullptr) node.life()->set_step_cost(0);
    node.power_on();
  }
  for (auto& machine : world_.machines())
    machine.set_drift(0);
}

} // namespace pessoa::sim
