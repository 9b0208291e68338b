// The world: machines with their disks, a network between them, nodes and clients that live and die on them, in one thread
// and virtual time, everything drawn from one seed. The same seed gives the same trace.
//
//   world w{seed};
//   auto& a = w.add_machine("10.0.0.1");
//   auto& n = w.add_node(a, settings);
//   n.start();
//   w.run_until(30 * second);
//
// It knows no workload and no checker: those hang on `after_step` and on the timeline.
#pragma once

#include "simulations/world/net.hpp"
#include "simulations/world/node_process.hpp"
#include "simulations/world/scheduling.hpp"

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pessoa::sim {

struct failure {
  std::string check; // the checker's name
  std::string why;
  world_time at = 0;
};

class world;

// A node's place: machine, disk and settings stay; lives come and go.
class node_place {
public:
  node_place(world& of, machine& on, node::node_settings settings, sim_disk_options disk);
  ~node_place();

  void start();          // no-op while it lives
  void stop();           // as SIGTERM; it is gone when it has stopped
  void kill(bool power); // no-op when nothing lives and the power stays
  // Somebody starts another process on this one's directory: why it would not, which is as it should be; null if it did.
  std::optional<error> start_twice();
  // Power came back. No-op when it is there.
  void power_on();

  [[nodiscard]] node_process* life() { return life_.get(); }
  [[nodiscard]] bool ready() const { return life_ && life_->ready(); }
  [[nodiscard]] bool powered() const { return powered_; }
  [[nodiscard]] machine& on() { return on_; }
  [[nodiscard]] sim_disk& disk() { return disk_; }
  [[nodiscard]] const node::node_settings& settings() const { return settings_; }
  [[nodiscard]] const io_speed& speed() const { return speed_; }
  void set_speed(const io_speed& speed) {
    speed_ = speed;
    if (life_) life_->speed() = speed;
  }
  [[nodiscard]] uint64_t lives() const { return lives_; }
  // How many lives ended because the process could not start or go on; why the last of them did.
  [[nodiscard]] uint64_t own_ends() const { return own_ends_; }
  // That the partitions of its lives have taken.
  [[nodiscard]] uint64_t batches() const { return batches_ + (life_ ? life_->batches() : 0); }
  [[nodiscard]] const std::optional<std::string>& last_end() const { return last_end_; }
  // How many operations its disk had failed in that life.
  [[nodiscard]] uint64_t last_end_troubles() const { return last_end_troubles_; }

private:
  friend class world;
  // Buries what has ended by itself; called between steps.
  void look_after();
  void end_life(bool power);
  void end_by_itself(const char* how, std::string why);

  world& world_;
  machine& on_;
  node::node_settings settings_;
  sim_disk disk_;
  io_speed speed_;
  std::unique_ptr<node_process> life_;
  bool powered_ = true;
  uint64_t lives_ = 0, own_ends_ = 0, batches_ = 0;
  uint64_t troubles_before_ = 0, last_end_troubles_ = 0; // of the disk: when the life began; in the last
  std::optional<std::string> last_end_;
};

class world {
public:
  explicit world(uint64_t seed);
  ~world();
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  machine& add_machine(std::string address);
  node_place& add_node(machine& on, node::node_settings settings, sim_disk_options disk = {});
  // A process of somebody else's (a client). It must be removed before it goes.
  void add(process& client) { others_.push_back(&client); }
  void remove(process& client);

  // Until then, or until something failed.
  void run_until(world_time end);
  // Until `done`, at the latest `limit`; whether it was done.
  bool run_while_not(const std::function<bool()>& done, world_time limit);

  // The first failure counts.
  void fail(std::string check, std::string why);
  [[nodiscard]] const std::optional<failure>& failed() const { return failure_; }
  void say(std::string line) { trace_.say(time_.now(), std::move(line)); }

  // Called after each step; `ran` says whose it was.
  std::vector<std::function<void(process& ran)>> after_step;

  [[nodiscard]] uint64_t seed() const { return seed_; }
  [[nodiscard]] timeline& time() { return time_; }
  [[nodiscard]] world_time now() const { return time_.now(); }
  [[nodiscard]] random_streams& random() { return random_; }
  [[nodiscard]] trace& tracing() { return trace_; }
  [[nodiscard]] sim_net& net() { return net_; }
  [[nodiscard]] std::list<node_place>& nodes() { return nodes_; }
  [[nodiscard]] std::list<machine>& machines() { return machines_; }
  [[nodiscard]] const std::vector<process*>& programs() const { return others_; } // that are no nodes
  [[nodiscard]] machine& any_machine(random_source& random);
  [[nodiscard]] std::vector<std::string> addresses() const;
  [[nodiscard]] uint64_t steps() const { return steps_; }
  // By the name of a process, its lives together.
  [[nodiscard]] std::map<std::string, uint64_t> steps_of() const;

private:
  friend class node_place;
  // Runs one step, or lets time pass to the next moment at which something can happen, not beyond `end`. False: it is `end`.
  bool step(world_time end);
  void count_step(const process& by);

  const uint64_t seed_;
  timeline time_;
  random_streams random_;
  trace trace_;
  scheduling scheduling_;
  std::list<machine> machines_;
  sim_net net_;
  std::list<node_place> nodes_;
  std::vector<process*> others_;
  std::vector<process::item> items_; // scratch
  std::optional<failure> failure_;
  uint64_t steps_ = 0;
  std::map<uint64_t, std::pair<std::string, uint64_t>> steps_of_; // by label
};

} // namespace pessoa::sim
