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

void faults::arrange_processes(const scenario& what) {
  if (auto* random = on(what, "kill"))
    repeat(*random, "kill", 6, [this, random] {
      auto& node = any_node(*random);
      if (node.life() == nullptr) return false;
      node.kill(false);
      return true;
    });
  if (auto* random = on(what, "power"))
    repeat(*random, "power", 4, [this, random] {
      auto& node = any_node(*random);
      if (!node.powered()) return false;
      node.kill(true);
      world_.time().after(between(*random, 10, 3000) * millisecond, [&node] { node.power_on(); });
      return true;
    });
  if (auto* random = on(what, "power_in_write"))
    repeat(*random, "power_in_write", 3, [this, random] {
      auto& node = any_node(*random);
      if (node.life() == nullptr) return false;
      node.disk().faults().cut_power_at(1 + random->below(20));
      world_.time().after(between(*random, 500, 3000) * millisecond, [&node] { node.power_on(); });
      return false; // not yet
    });
  if (auto* random = on(what, "restart"))
    repeat(*random, "restart", 3, [this, random] {
      auto& node = any_node(*random);
      if (node.life() == nullptr || (!node.ready() && random->below(3) > 0)) return false;
      if (!provoke || random->below(2) == 0) return node.stop(), true;
      provoke();                   // what is asked may reach the node in the middle of its stop
      if (random->below(2) == 0) { // which clients are not waited for as long as such a disk takes
        auto stuck = node.speed();
        stuck.stuck_until = world_.now() + between(*random, 200, 8000) * millisecond;
        node.set_speed(stuck);
      }
      world_.time().after(between(*random, 0, 5000) * microsecond, [&node] { node.stop(); });
      return true;
    });
  if (auto* random = on(what, "early_stop"))
    repeat(*random, "early_stop", 3, [this, random] {
      auto& node = any_node(*random);
      if (!node.powered() || node.disk().is_cut()) return false;
      node.kill(random->below(2) == 0);
      node.power_on();
      node.start();
      world_.time().after(between(*random, 0, 60'000) * microsecond, [&node] { node.stop(); });
      return true;
    });
  if (auto* random = on(what, "failed_open"))
    repeat(*random, "failed_open", 2, [this, random] {
      auto& node = any_node(*random);
      if (node.life() == nullptr || node.disk().is_cut()) return false;
      node.kill(true);
      node.power_on();
      node.disk().faults().inject(
          {disk_operation::read, disk_fault::error, 1 + random->below(30), 1, "/topics/"});
      node.start();
      return true;
    });
  if (auto* random = on(what, "second_start"))
    repeat(*random, "second_start", 2, [this, random] {
      auto& node = any_node(*random);
      if (node.life() == nullptr || node.disk().is_cut()) return false;
      auto changes = node.disk().faults().changes();
      auto why = node.start_twice();
      if (!why || why->code != ec::directory_in_use)
        world_.fail("one_owner", "a second process on one directory was not refused for it: "
                                     + (why ? to_string(*why) : "it started"));
      else if (node.disk().faults().changes() != changes)
        world_.fail("one_owner", "a process that was refused its directory has changed something there");
      return true;
    });
  if (auto* random = on(what, "pause"))
    repeat(*random, "pause", 4, [this, random] {
      auto& node = any_node(*random);
      if (node.life() == nullptr) return false;
      node.life()->pause_until(world_.now() + between(*random, 50, 4000) * millisecond);
      return true;
    });
  if (auto* random = on(what, "client_pause"))
    repeat(*random, "client_pause", 30, [this, random] {
      auto& programs = world_.programs();
      if (programs.empty()) return false;
      programs[random->below(programs.size())]->pause_until(world_.now()
                                                            + between(*random, 50, 4000) * millisecond);
      return true;
    });
  if (auto* random = on(what, "slow_cpu"))
    repeat(*random, "slow_cpu", 2, [this, random] {
      auto& node = any_node(*random);
      if (node.life() == nullptr) return false;
      node.life()->set_step_cost(between(*random, 20, 300) * microsecond);
      return true;
    });
}

// A rule of the disk's has its effect when an operation meets it, and counts then.
void faults::struck(disk_operation op, disk_fault fault, const std::string& path) {
  bool lies = fault == disk_fault::flip_bit || fault == disk_fault::lost_write
              || fault == disk_fault::misdirected_write;
  if (lies) on_damage_(path, fault == disk_fault::flip_bit ? damage::rot : damage::writing);
  switch (fault) {
  case disk_fault::flip_bit:
    return came("rot_on_read");
  case disk_fault::lost_write:
    return came("lost_write");
  case disk_fault::misdirected_write:
    return came("misdirected_write");
  case disk_fault::power_cut:
    return came("power_in_write");
  default:
    came(op == disk_operation::read     ? "read_error"
         : op == disk_operation::write  ? "write_error"
         : op == disk_operation::remove ? "remove_error"
                                        : "sync_error");
  }
}

void faults::arrange_disks(const scenario& what) {
  for (auto& node : world_.nodes())
    node.disk().faults().struck = [this](disk_operation op, disk_fault fault, const std::string& path) {
      struck(op, fault, path);
    };
  if (auto* random = on(what, "slow_disk"))
    repeat(*random, "slow_disk", 2, [this, random] {
      auto& node = any_node(*random);
      io_speed slow;
      slow.work_mean = between(*random, 1, 60) * millisecond;
      node.set_speed(slow);
      return true;
    });
  if (auto* random = on(what, "stuck_disk"))
    repeat(*random, "stuck_disk", 2, [this, random] {
      auto& node = any_node(*random);
      auto stuck = node.speed();
      stuck.stuck_until = world_.now() + between(*random, 200, 5000) * millisecond;
      node.set_speed(stuck);
      return true;
    });
  struct error_kind {
    const char* name;
    disk_operation operation;
  };
  for (auto& kind :
       {error_kind{"write_error", disk_operation::write}, error_kind{"sync_error", disk_operation::sync},
        error_kind{"remove_error", disk_operation::remove}, error_kind{"read_error", disk_operation::read}}) {
    auto* random = on(what, kind.name);
    if (random == nullptr) continue;
    repeat(*random, kind.name, 3, [this, random, kind] {
      // Of removals most are of files that nobody needs.
      fault_rule rule{kind.operation, disk_fault::error, 1 + random->below(10), 1,
                      kind.operation == disk_operation::remove ? "/topics/" : ""};
      any_node(*random).disk().faults().inject(rule);
      return false; // not yet
    });
  }
  if (auto* random = on(what, "full_disk"))
    repeat(*random, "full_disk", 2, [this, random] {
      auto& node = any_node(*random);
      // Room for much, for a little, for nothing.
      auto room = random->below(3);
      node.disk().set_capacity(node.disk().bytes_used()
                               + random->below(room == 0   ? 20'000'000
                                               : room == 1 ? 2000
                                                           : 1));
      // Now and then a start finds it so, with frames in doubt that it has no room to write again.
      if (random->below(3) == 0 && node.life() != nullptr) {
        node.disk().set_capacity(node.disk().bytes_used() + random->below(16'000));
        node.kill(false);
        node.start();
      }
      if (provoke) provoke();
      // Now and then for so long that it shows whether anything is still written, more often where there would be room.
      auto span = random->below(room == 0 ? 2 : 4) == 0 ? between(*random, 9000, 15'000)
                                                        : between(*random, 200, 4000);
      world_.time().after(span * millisecond,
                          [&node] { node.disk().set_capacity(sim_disk_options{}.capacity_bytes); });
      return true;
    });
}

// Only a node with other replicas could mend what is damaged; one alone must notice. The metadata log is left whole: with
// it damaged the node says so and does not start, and the seed would show nothing more.
void faults::arrange_damage(const scenario& what) {
  if (auto* random = on(what, "rot"))
    repeat(*random, "rot", 3, [this, random] { return rot(any_node(*random), *random); });
  struct lie {
    const char* name;
    disk_operation operation;
    disk_fault fault;
  };
  for (auto& kind : {lie{"rot_on_read", disk_operation::read, disk_fault::flip_bit},
                     lie{"lost_write", disk_operation::write, disk_fault::lost_write},
                     lie{"misdirected_write", disk_operation::write, disk_fault::misdirected_write}}) {
    auto* random = on(what, kind.name);
    if (random == nullptr) continue;
    repeat(*random, kind.name, 2, [this, random, kind] {
      any_node(*random).disk().faults().inject(
          {kind.operation, kind.fault, 1 + random->below(20), 1, "/topics/"});
      return false; // not yet
    });
  }
}

bool faults::rot(node_place& node, random_source& random) {
  auto& disk = node.disk();
  auto topics = node.settings().data + "/topics";
  auto logs = disk.names_in(topics);
  if (logs.empty()) return false;
  auto directory = topics + "/" + logs[random.below(logs.size())];
  auto names = disk.names_in(directory);
  if (names.empty()) return false;
  auto path = directory + "/" + names[random.below(names.size())];
  auto bytes = disk.content(path);
  if (!bytes || bytes->empty()) return false;
  on_damage_(path, damage::rot);
  disk.flip_bit(path, random.below(bytes->size() * 8));
  return true;
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

void faults::arrange_clocks(const scenario& what) {
  if (auto* random = on(what, "drift"))
    repeat(*random, "drift", 3, [this, random] {
      world_.any_machine(*random).set_drift(between(*random, -50'000, 50'000));
      return true;
    });
  if (auto* random = on(what, "wall_jump"))
    repeat(*random, "wall_jump", 3, [this, random] {
      world_.any_machine(*random).jump_wall(between(*random, -86'400, 86'400) * second);
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
