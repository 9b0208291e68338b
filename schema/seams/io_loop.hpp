// Byte streams and the loops that drive them, as one seam: real sockets and threads in production, a simulated network
// and many loops in one thread in the simulator. Part of the wire library: streams are KJ's.
//
// An io_loop is one KJ event loop. KJ objects live and die on their loop; other threads reach it through post() only.
#pragma once

#include "schema/result.hpp"
#include "schema/seams/clock.hpp"

#include <kj/async-io.h>
#include <kj/timer.h>

#include <functional>
#include <memory>
#include <string>

namespace pessoa {

// A bound, listening address that several loops may accept from: each connection goes to one of them. Closes when the
// last reference goes.
class listening_socket {
public:
  virtual ~listening_socket() = default;
  [[nodiscard]] virtual uint16_t port() const = 0;       // the real one, when 0 was asked for
  [[nodiscard]] virtual std::string address() const = 0; // "127.0.0.1:18880", "[::1]:18880"
};

// Accepts connections on one loop.
class acceptor {
public:
  virtual ~acceptor() noexcept(false) = default;
  struct connection {
    kj::Own<kj::AsyncIoStream> stream;
    std::string peer;  // "127.0.0.1:53122", for logs
    std::string local; // the address of ours that the peer reached; never a wildcard
  };
  // The next connection. Rejects only when the acceptor cannot go on (never for one bad connection; running out of file
  // descriptors is waited out).
  virtual kj::Promise<connection> accept() = 0;
};

class io_loop {
public:
  virtual ~io_loop() = default;

  // Runs `task` on the loop, after what was posted before. From any thread; never runs it inside post(). After the loop
  // has ended tasks are destroyed unrun, so that shared objects they hold can answer from their destructors.
  virtual void post(std::function<void()> task) = 0;

  // -- only on the loop ---
  virtual kj::Timer& timer() = 0;
  virtual kj::Own<acceptor> accept_from(std::shared_ptr<listening_socket> socket) = 0;
  // Rejects with DISCONNECTED and the address in the text when it is refused or not there within `timeout`.
  virtual kj::Promise<kj::Own<kj::AsyncIoStream>> connect(std::string host, uint16_t port,
                                                          duration timeout) = 0;
};

// Makes loops and listening sockets; what a node or a client is given.
class network {
public:
  virtual ~network() = default;
  // Errors: address_in_use (named), invalid_argument (an address nobody can bind or parse). Any thread.
  virtual result<std::shared_ptr<listening_socket>> listen(const std::string& host, uint16_t port) = 0;
  // A new loop with a thread of its own (named, for top and perf). It ends, and its thread is joined, when the
  // reference goes; that must not happen on the loop itself.
  virtual std::shared_ptr<io_loop> make_loop(std::string name) = 0;
};

// Sockets and threads of the operating system. TCP_NODELAY on, keep-alive on.
std::unique_ptr<network> make_system_network();

// "HOST:PORT", "[V6]:PORT". Error: invalid_argument, quoting the text.
struct host_port {
  std::string host;
  uint16_t port = 0;
  friend bool operator==(const host_port&, const host_port&) = default;
};
result<host_port> parse_host_port(std::string_view text);
std::string to_string(const host_port& address);

// Runs `task` on `loop` and waits for it. For set-up and teardown on a thread that is not the loop's.
void run_on(io_loop& loop, std::function<void()> task);

} // namespace pessoa
