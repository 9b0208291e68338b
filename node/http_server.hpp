// The pages for probes, Prometheus and people: /livez, /readyz, /metrics, and / that lists them.
//
// One request per connection, without a body, from at most a few connections at a time, each with a deadline
// for the whole of it: slow, idle and hostile clients hold little, and not for long. There is no login, so it
// listens on loopback unless told otherwise. On a loop of its own, so that it answers when the others do not.
#pragma once

#include "node/http_request.hpp"
#include "schema/seams/io_loop.hpp"

#include <vector>

namespace pessoa::node {

// Called on the HTTP loop's thread; must be quick and thread-safe. An exception is answered with 500.
struct http_handlers {
  std::function<std::vector<std::string>()> why_not_live = [] { return std::vector<std::string>{}; };
  std::function<std::vector<std::string>()> why_not_ready; // a line each; none: ready
  std::function<std::string()> metrics;                    // in the form metrics_registry::content_type names
};

struct http_server_options {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  size_t connections_max = 64;
  duration head_deadline = std::chrono::seconds{5};
  duration connection_deadline = std::chrono::seconds{30};
  std::string rpc_hint; // for who came with something else: "clients are served on 127.0.0.1:18880"
  // The log's. On the loop; peers choose how often.
  std::function<void(const std::string& peer, const error& why)> on_refused = [](auto&, auto&) {};
};

// The page for a request, the same for GET and HEAD.
http_reply answer_http(const http_request& request, const http_handlers& handlers);

class http_server {
public:
  // Listens when it returns. Errors: those of network::listen. The loop must outlive the server.
  static result<std::unique_ptr<http_server>> start(network& net, std::shared_ptr<io_loop> loop,
                                                    http_handlers handlers, http_server_options options);
  // The same on a socket that listens already: callers wait in its queue until this runs.
  static std::unique_ptr<http_server> start(std::shared_ptr<listening_socket> socket,
                                            std::shared_ptr<io_loop> loop, http_handlers handlers,
                                            http_server_options options);
  // Never waits: socket and connections go when the loop gets to it or ends. What the handlers refer to must live until
  // then; who cannot promise that calls stop() first.
  ~http_server();
  // Closes the socket and every connection; `done` is called once, on the loop. Once.
  void stop(std::function<void()> done);

  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] const std::string& address() const { return address_; }

private:
  class room;
  http_server(io_loop& loop, uint16_t port, std::string address)
      : loop_(loop), port_(port), address_(std::move(address)) {}
  io_loop& loop_;
  uint16_t port_;
  std::string address_;
  std::shared_ptr<std::unique_ptr<room>> room_; // the inner one lives on the loop
  bool stopped_ = false;
};

// One connection from its first byte to its end, on `loop`; `options` and `handlers` must outlive the
// promise.
kj::Promise<void> serve_http(kj::Own<kj::AsyncIoStream> stream, std::string peer, io_loop& loop,
                             const http_handlers& handlers, const http_server_options& options);

} // namespace pessoa::node
