// One life of a node: the production node of node/wiring.hpp with the world's seams, on a machine and its disk.
#pragma once

#include "node/wiring.hpp"
#include "schema/seams/log_sink.hpp"
#include "simulations/disk/sim_disk.hpp"
#include "simulations/world/io_pool.hpp"
#include "simulations/world/net.hpp"
#include "simulations/world/process.hpp"

#include <caf/actor_addr.hpp>

#include <deque>

namespace pessoa::sim {

class node_process final : public process, private log_sink {
public:
  struct options {
    node::node_settings settings;
    io_speed speed;
  };
  node_process(timeline& time, machine& on, sim_net& net, sim_disk& disk, random_streams& random,
               options options);
  // Requires: it has ended (stop, or die()).
  ~node_process() override;

  // Begins to start; what it says of itself comes by and by.
  void begin();
  // SIGTERM. No-op when it was told already, or is not up.
  void stop();
  // The process dies now: no code of it reaches the disk or a peer's ear afterwards. With `power` so does its machine.
  void die(bool power);

  [[nodiscard]] bool ready() const { return ready_.has_value() && ready_->ok(); }
  // Why it could not start; why it cannot go on (it will have to be started again); how a stop went.
  [[nodiscard]] std::optional<error> failed_start() const;
  [[nodiscard]] const std::optional<std::string>& fatal() const { return fatal_; }
  [[nodiscard]] const std::optional<result<void>>& stopped() const { return stopped_; }
  [[nodiscard]] io_speed& speed() { return options_.speed; }

  [[nodiscard]] const node::services* service() const { return node_ ? &node_->service() : nullptr; }
  [[nodiscard]] uint64_t batches() const; // that its partitions have taken
  [[nodiscard]] const std::vector<caf::actor_addr>& actors() const { return actors_; }
  [[nodiscard]] const std::deque<std::string>& log() const { return log_; }

private:
  void write(log_level level, std::string_view component, std::string_view line) override;
  void kill_actors();

  sim_net& net_;
  sim_disk& disk_;
  random_streams& random_;
  options options_;
  std::unique_ptr<network> network_;
  std::unique_ptr<node::running_node> node_;
  std::vector<caf::actor_addr> actors_; // all that began
  std::vector<std::function<void()>> drop_pools_;
  std::optional<result<void>> ready_, stopped_;
  std::optional<std::string> fatal_;
  bool stopping_ = false;
  std::deque<std::string> log_; // its last lines
};

} // namespace pessoa::sim
