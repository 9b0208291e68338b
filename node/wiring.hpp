// A node, put together: which object is given to which, and in what order they begin and end. Reads like a diagram.
//
// Everything that varies comes in through node_seams, so that the simulator runs this very code. Starting and stopping
// are continuations, not waits: the simulator has one thread.
//
// Order of the end: listeners, actors, pending answers, then the loops (KJ objects outlive nobody who may answer them).
#pragma once

#include "actors/environment.hpp"
#include "actors/routing.hpp"
#include "kafka/server.hpp"
#include "node/byte_budget.hpp"
#include "node/node_metrics.hpp"
#include "node/services.hpp"
#include "node/settings.hpp"
#include "node/storage_metrics.hpp"
#include "persistence/data_directory.hpp"
#include "schema/seams/io_loop.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace pessoa::node {

class http_server;
class rpc_listener;
class stream_listener;

struct node_seams {
  clock* time = nullptr;
  random_source* random = nullptr;
  persistence::storage_env* disk = nullptr;
  network* net = nullptr;
  log_sink* log = nullptr;
  std::function<std::unique_ptr<thread_pool>(size_t threads, std::string name)> make_pool;
  // The last word on the actor system's configuration (the simulator brings its own scheduler). May be empty.
  std::function<void(caf::actor_system_config&)> configure_actors;
  // Hears of every actor (actors/environment.hpp). May be empty.
  std::function<void(const caf::actor_addr&)> born;
  // Something that cannot be. Must not return in production.
  std::function<void(const std::string&)> fatal;
};

class running_node {
public:
  // Opens the data directory, recovers the logs, registers the node and then serves. What can fail before the first actor
  // runs fails here; `on_ready` hears, once and on any thread, when it serves or why it cannot.
  // Errors: those of data_directory::open, address_in_use, invalid_argument (an empty directory with neither new nor
  // join), storage_failed, disk_full, corrupt_data.
  static result<std::unique_ptr<running_node>> start(const node_settings& settings, node_seams seams,
                                                     std::function<void(result<void>)> on_ready);
  // Requires: stop() has finished, or nothing runs any more that could call into the node (a simulated crash). Not on one
  // of the node's own threads.
  ~running_node();

  // Stops serving, closes every log, marks the stop as clean. `on_stopped` runs once, on any thread; an error means that
  // the next start recovers as after a crash. Call once; also before the node is ready, and when it cannot be.
  void stop(std::function<void(result<void>)> on_stopped);

  // `ready node=ID rpc=H:P peer=off kafka=H:P http=H:P`, `off` for what is off
  [[nodiscard]] std::string ready_line() const;
  [[nodiscard]] const services& service() const { return services_; }

private:
  running_node(const node_settings& settings, node_seams seams);

  result<void> open();
  result<void> open_directory();
  result<void> bind();
  result<void> start_actors();
  void register_self(std::function<void(result<void>)> on_ready);
  void when_registered(std::function<void(result<void>)> on_ready);
  void serve(std::function<void(result<void>)> on_ready);
  void serve_rpc();
  void serve_kafka();
  void serve_http();
  result<void> delete_partition(const partition_key& key);
  void stop_clients(std::function<void()> done);
  void stop_actors(std::function<void(result<void>)> on_stopped);
  void finish_stop(bool clean, std::function<void(result<void>)> on_stopped);
  result<std::shared_ptr<listening_socket>> listen_on(const endpoint& where, const char* setting);
  [[nodiscard]] std::string advertised(const listening_socket& socket) const;

  node_settings settings_;
  node_seams seams_;
  instant began_{};           // open() did
  uint64_t read_before_ = 0;  // bytes, by the process, until then
  recovery_figures recovery_; // known when every log is open

  std::unique_ptr<persistence::data_directory> directory_;
  std::mutex directory_mutex_;                // several storage threads create and delete partitions
  bool freeing_ = false, free_again_ = false; // under it: one thread frees what was deleted
  std::unique_ptr<thread_pool> commit_pool_, read_pool_;
  std::unique_ptr<persistence::commit_service> commits_;
  actors::routing_table routes_;
  actors::actor_counters counters_;
  kafka::counters kafka_counters_;
  actors::environment env_;
  std::shared_ptr<byte_budget> budget_, replies_; // of requests, of what is read for consumers

  std::shared_ptr<listening_socket> rpc_socket_, kafka_socket_,
      http_socket_;                                        // until their listeners take them
  std::string rpc_address_, kafka_address_, http_address_; // empty: off
  std::vector<std::shared_ptr<io_loop>> loops_;
  std::shared_ptr<io_loop> http_loop_;
  caf::actor_system_config actor_config_;
  std::unique_ptr<caf::actor_system> system_;
  services services_;
  metrics_registry metrics_;
  metric_handles metric_handles_; // what they read is above
  std::unique_ptr<rpc_listener> rpc_;
  std::unique_ptr<stream_listener> kafka_;
  std::unique_ptr<http_server> http_;
  std::mutex life_mutex_;            // serve() against stop()
  bool stopping_ = false;            // under it
  std::atomic<bool> stopped_{false}; // the actors have ended
};

} // namespace pessoa::node
