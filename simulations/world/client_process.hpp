// A client program in the world: the real engine of the C++ client on a process of its own. What it does is the workload's.
#pragma once

#include "client/rpc/engine.hpp"
#include "simulations/world/world.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace pessoa::sim {

class client_process final : public process {
public:
  // Requires: the settings are valid. It is in the world as long as it lives.
  client_process(world& of, machine& on, std::string name,
                 const std::map<std::string, std::string>& settings);
  ~client_process() override;

  // Begins to connect; begins again when it failed, until the process ends. `up` once, inside the loop.
  void connect(std::function<void()> up);

  [[nodiscard]] world& of() { return world_; }
  [[nodiscard]] const std::shared_ptr<client::engine>& core() { return core_; }
  [[nodiscard]] const client::client_config& config() const { return config_; }
  // Runs `work` inside the loop after a span of this machine's time; not after the process has ended.
  void after(world_time span, std::function<void()> work);
  void run(kj::Promise<void> task) { tasks_->add(kj::mv(task)); }

  // Ends the client in order: what still waits is answered.
  void end();

private:
  struct errors final : kj::TaskSet::ErrorHandler {
    explicit errors(client_process& of) : of(of) {}
    void taskFailed(kj::Exception&& e) override;
    client_process& of;
  };
  void try_connect();

  world& world_;
  client::client_config config_;
  std::unique_ptr<network> network_;
  std::shared_ptr<io_loop> io_;
  std::shared_ptr<client::engine> core_;
  errors errors_{*this};
  std::unique_ptr<kj::TaskSet> tasks_;
  std::function<void()> up_;
};

} // namespace pessoa::sim
