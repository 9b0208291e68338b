// A client program in the world: the real engine of the C++ client on a process of its own. What it does is the workload's.
#pragma once

#include "client/rpc/engine.hpp"
#include "simulations/world/program.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace pessoa::sim {

class client_process final : public program {
public:
  // Requires: the settings are valid.
  client_process(world& of, machine& on, std::string name,
                 const std::map<std::string, std::string>& settings);
  ~client_process() override;

  // Begins to connect; begins again when it failed, until the process ends. `up` once, inside the loop.
  void connect(std::function<void()> up);

  [[nodiscard]] const std::shared_ptr<client::engine>& core() { return core_; }
  [[nodiscard]] const client::client_config& config() const { return config_; }

  // Ends the client in order: what still waits is answered, and nothing of the workload runs any more. To be called before
  // the workload goes.
  void end();

private:
  void try_connect();

  client::client_config config_;
  std::shared_ptr<client::engine> core_;
  std::function<void()> up_;
};

} // namespace pessoa::sim
