// Serves Cap'n Proto RPC on several loops: node/stream_listener.hpp with an RPC system on each connection.
//
// Ours instead of capnp::TwoPartyServer, which takes no limits, no filter, no capability per connection, and
// cannot be stopped. Who gets no connection is told so by an abort message. A peer that does not read its answers is cut.
#pragma once

#include "node/rpc_connection.hpp"
#include "node/stream_listener.hpp"

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

struct rpc_listener_figures : stream_listener_figures {
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
  static std::unique_ptr<rpc_listener> start(std::shared_ptr<listening_socket> socket,
                                             std::vector<std::shared_ptr<io_loop>> loops,
                                             std::shared_ptr<byte_budget> node_budget,
                                             bootstrap_factory factory, rpc_listener_options options,
                                             rpc_listener_hooks hooks = {});
  // As stream_listener: never waits; what hooks and factory refer to must live until the loops have let go.
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
  class protocol;
  rpc_listener(std::shared_ptr<protocol> rpc, std::unique_ptr<stream_listener> streams)
      : protocol_(std::move(rpc)), streams_(std::move(streams)) {}
  std::shared_ptr<protocol> protocol_;
  std::unique_ptr<stream_listener> streams_;
};

} // namespace pessoa::node
