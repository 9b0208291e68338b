// Takes connections and runs them on several loops, whatever protocol they speak.
//
// Each connection is accepted by one of the loops and stays there. Connections are counted, in all and by address; who
// comes above that is turned away in the protocol's words. Nothing that a peer sends, and no exception, ends more than its
// own connection. What the peers say and hear is the protocol's: node/rpc_listener.hpp.
#pragma once

#include "node/connection_caps.hpp"
#include "node/stream_traffic.hpp"
#include "schema/seams/io_loop.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace pessoa::node {

// One connection, on its loop.
class stream_connection {
public:
  virtual ~stream_connection() noexcept(false) = default;
  // Over when the peer has gone, or has been refused and had its farewell. Once. What it rejects with is logged.
  virtual kj::Promise<void> run() = 0;
  // Takes no more requests, says why as far as the protocol can, and is over soon.
  virtual void close(error reason) = 0;
  // Called every sweep interval: cuts a peer that keeps us waiting for too long.
  virtual void check_deadlines() = 0;
};

// A connection that was accepted and has its place.
struct stream_arrival {
  uint64_t id = 0; // of this listener, never used again
  acceptor::connection accepted;
  io_loop& loop;
  std::unique_ptr<connection_caps::slot> slot;
  stream_traffic& traffic; // of the loop; outlives the connection
  std::function<void(const std::string& peer, const error& why)>
      on_refused; // whoever the connection turns away or cuts
};

// Called on all the loops, side by side. Dies when the last loop has let go of its connections.
class stream_protocol {
public:
  virtual ~stream_protocol() noexcept(false) = default;
  // What it throws ends that connection.
  virtual kj::Own<stream_connection> connect(stream_arrival arrival) = 0;
  // For a stream that gets no connection: says why, if the protocol has words for it, and closes. Not for long.
  virtual kj::Promise<void> turn_away(kj::Own<kj::AsyncIoStream> stream, io_loop& loop, const error& why) = 0;
};

struct stream_listener_options {
  connection_limits connections;
  duration sweep_interval = std::chrono::seconds{2};
  duration farewell = std::chrono::seconds{2}; // how long connections have when the listener stops
};

// Called on the loops, side by side; must be quick. Peers choose how often: a log wants a rate limit.
struct stream_listener_hooks {
  std::function<void(const stream_connection&)> opened;
  std::function<void(const stream_connection&)> closed;
  std::function<void(const std::string& peer, const error& why)>
      refused;                                             // whoever was turned away or cut, and why
  std::function<void(const error& why)> stopped_accepting; // the listening socket broke
};

struct stream_listener_figures {
  size_t connections = 0;
  uint64_t accepted = 0, refused = 0; // since the start
  uint64_t bytes_read = 0, bytes_written = 0, messages_read = 0;
  uint64_t unanswered = 0; // messages, at this moment
};

class stream_listener {
public:
  // On a socket that listens already: callers wait in its queue until this runs. `loops` is not empty; they must outlive
  // the listener.
  static std::unique_ptr<stream_listener> start(std::shared_ptr<listening_socket> socket,
                                                std::vector<std::shared_ptr<io_loop>> loops,
                                                std::shared_ptr<stream_protocol> protocol,
                                                stream_listener_options options,
                                                stream_listener_hooks hooks = {});
  // Never waits. A listener that was not stopped, or whose stop() has not come to its end, is dropped as by a crash: its loops let go of every connection, without a
  // word, when they get to it or end. What hooks and protocol refer to must live until then; who cannot promise that calls
  // stop() first.
  ~stream_listener();

  // Closes the socket, closes every connection, gives them their farewell. `done` is called once, on one of the loops;
  // then no connection of this listener is left, and the port is free. Once.
  void stop(std::function<void()> done);
  // The same, and waits. Not on one of the loops.
  void stop();

  [[nodiscard]] uint16_t port() const;
  [[nodiscard]] const std::string& address() const;  // "127.0.0.1:18880"
  [[nodiscard]] stream_listener_figures now() const; // any thread

private:
  struct shared;
  class lane;
  explicit stream_listener(std::shared_ptr<shared> state) : state_(std::move(state)) {}
  std::shared_ptr<shared> state_;
  std::vector<std::shared_ptr<lane>> lanes_;
  bool stopped_ = false;
  std::shared_ptr<std::atomic<size_t>> unstopped_; // lanes that have not ended in order
};

} // namespace pessoa::node
