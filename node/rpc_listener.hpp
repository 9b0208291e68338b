// Takes client connections and serves Cap'n Proto RPC on them, on several loops.
//
// Ours instead of capnp::TwoPartyServer, which takes no limits, no filter, no capability per connection, and
// cannot be stopped. Each connection is accepted by one of the loops and stays there.
//
// Nothing that a peer sends, and no exception, ends more than its own connection. Connections are counted, in
// all and by address; who comes above that is told so and closed. A peer that does not read its answers is
// cut.
#pragma once

#include "node/rpc_connection.hpp"

namespace pessoa::node {

struct rpc_listener_options {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  connection_limits connections;
  rpc_connection_options connection;
  size_t before_login_bytes = 32u << 20; // of all connections together that have not logged in yet
};

// Called on the loops, side by side; must be quick. Peers choose how often: a log wants a rate limit.
struct rpc_listener_hooks {
  std::function<void(const connection_context&)> opened;
  std::function<void(const connection_context&)> closed;
  std::function<void(const std::string& peer, const error& why)>
      refused;                                             // whoever was turned away or cut, and why
  std::function<void(const error& why)> stopped_accepting; // the listening socket broke
};

struct rpc_listener_figures {
  size_t connections = 0;
  uint64_t accepted = 0, refused = 0; // since the start
  uint64_t bytes_read = 0, bytes_written = 0, messages_read = 0;
  byte_budget::figures before_login;
};

class rpc_listener {
public:
  // Listens when it returns. Errors: those of network::listen. `loops` is not empty; they must outlive the
  // listener.
  static result<std::unique_ptr<rpc_listener>>
  start(network& net, std::vector<std::shared_ptr<io_loop>> loops, std::shared_ptr<byte_budget> node_budget,
        bootstrap_factory factory, rpc_listener_options options, rpc_listener_hooks hooks = {});
  // The same on a socket that listens already: callers wait in its queue until this runs.
  static std::unique_ptr<rpc_listener>
  start(std::shared_ptr<listening_socket> socket, std::vector<std::shared_ptr<io_loop>> loops,
        std::shared_ptr<byte_budget> node_budget, bootstrap_factory factory, rpc_listener_options options,
        rpc_listener_hooks hooks = {});
  // Never waits. A listener that was not stopped is dropped as by a crash: its loops let go of every connection, without a
  // word, when they get to it or end. What hooks and factory refer to must live until then; who cannot promise that calls
  // stop() first.
  ~rpc_listener();

  // Closes the socket, tells every client, gives them their farewell, closes. `done` is called once, on one
  // of the loops; then no capability of this listener is reached from outside any more, and the port is free.
  // Once.
  void stop(std::function<void()> done);
  // The same, and waits. Not on one of the loops.
  void stop();

  [[nodiscard]] uint16_t port() const;
  [[nodiscard]] const std::string& address() const; // "127.0.0.1:18880"
  [[nodiscard]] rpc_listener_figures now() const;   // any thread

private:
  struct shared;
  class lane;
  explicit rpc_listener(std::shared_ptr<shared> state) : state_(std::move(state)) {}
  std::shared_ptr<shared> state_;
  std::vector<std::shared_ptr<lane>> lanes_;
  bool stopped_ = false;
};

} // namespace pessoa::node
