// One life of a program in the world: what of it could run now, as a list that the world picks from.
//
// It has a KJ loop; a node has a CAF scheduler and pools beside it. Nothing of it runs by itself: the world runs one item
// at a time. A paused process has nothing to run, and its timers fire late, as after SIGSTOP.
#pragma once

#include "simulations/world/coordinator.hpp"
#include "simulations/world/process_loop.hpp"

#include <caf/actor_control_block.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pessoa::sim {

class process {
public:
  process(timeline& time, machine& on, std::string name);
  virtual ~process() = default;
  process(const process&) = delete;
  process& operator=(const process&) = delete;

  // What can run now, and what stands for it in priorities and traces.
  enum class kind : uint8_t { actor, posted, woken, io };
  struct item {
    process* of;
    kind what;
    size_t index;
    uint64_t identity; // of an actor its id; else the kind
  };
  void collect(std::vector<item>& into);
  void run(const item& chosen);

  // The actor whose message the last step was, if it lives on; null after any other step.
  [[nodiscard]] caf::abstract_actor* ran_actor() const;

  // When something of it is due next; nullopt: never. Paused: not before the end of the pause.
  [[nodiscard]] std::optional<world_time> next_deadline();
  // Fires what is due by now.
  void fire_timers();

  // The most messages that wait for one of its actors.
  [[nodiscard]] size_t longest_mailbox() const;
  // Timers of its actors.
  [[nodiscard]] size_t timers() const {
    return scheduler_ == nullptr ? 0 : scheduler_->clock().schedule().size();
  }

  void pause_until(world_time until) { paused_until_ = std::max(paused_until_, until); }
  [[nodiscard]] bool paused() const { return paused_until_ > time_.now(); }
  // Each step keeps it busy for so long: a slow processor.
  void set_step_cost(world_time cost) { step_cost_ = cost; }

  [[nodiscard]] const std::string& name() const { return name_; }
  // Stands for the name where it would be compared at every step; all lives of a program share it.
  [[nodiscard]] uint64_t label() const { return label_; }
  [[nodiscard]] machine& on() { return on_; }
  [[nodiscard]] process_loop& loop() { return *loop_; }
  [[nodiscard]] timeline& time() { return time_; }

protected:
  // Work of a pool, to be run as a step.
  void add_io(std::function<void()> work) { io_.push_back(std::move(work)); }
  void set_scheduler(coordinator* scheduler);
  [[nodiscard]] coordinator* scheduler() { return scheduler_; }
  void drop_io() { io_.clear(); }
  std::shared_ptr<process_loop> shared_loop() { return loop_; }

private:
  void sync_actors();

  timeline& time_;
  machine& on_;
  std::string name_;
  uint64_t label_;
  std::shared_ptr<process_loop> loop_;
  coordinator* scheduler_ = nullptr;
  std::vector<std::function<void()>> io_;
  caf::strong_actor_ptr ran_;
  world_time paused_until_ = 0, busy_until_ = 0, step_cost_ = 0;
};

} // namespace pessoa::sim
