// What a disk does: slow, stuck, full, failing, lying.
#include "simulations/run/faults.hpp"

namespace pessoa::sim {

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

} // namespace pessoa::sim
