// A program of the world that is no node: a process with its loop, its view of the network, and tasks. What it does is its
// owner's; a client_process has the C++ client's engine on it, the Kafka clients of the workload have nothing but this.
#pragma once

#include "simulations/world/world.hpp"

#include <functional>
#include <memory>
#include <string>

namespace pessoa::sim {

class program : public process {
public:
  // It is in the world as long as it lives.
  program(world& of, machine& on, std::string name);
  // Who made KJ objects on its loop has let go of them, inside the loop.
  ~program() override;

  [[nodiscard]] world& of() { return world_; }
  [[nodiscard]] io_loop& io() { return *io_; }
  [[nodiscard]] network& net() { return *network_; }

  // A task that nobody waits for; one that ends in an exception fails the world.
  void run(kj::Promise<void> task) { tasks_->add(kj::mv(task)); }
  [[nodiscard]] kj::Promise<void> sleep(world_time span);
  // Runs `work` inside the loop after a span of this machine's time; not after drop_tasks().
  void after(world_time span, std::function<void()> work);
  // Gives up all that was given to run() and after(). Inside the loop, and not from a task.
  void drop_tasks();
  // An exception of KJ's that is not a lost connection fails the world.
  void expect_lost(const kj::Exception& e);

private:
  struct errors final : kj::TaskSet::ErrorHandler {
    explicit errors(program& of) : of(of) {}
    void taskFailed(kj::Exception&& e) override;
    program& of;
  };

  world& world_;
  std::unique_ptr<network> network_;
  std::shared_ptr<io_loop> io_;
  errors errors_{*this};
  std::unique_ptr<kj::TaskSet> tasks_;
};

} // namespace pessoa::sim
