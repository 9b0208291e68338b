// One client connection: its stream behind the filter, Cap'n Proto's RPC on top, and what the capabilities
// handed out on it may know and do about it. Lives on one loop.
#pragma once

#include "node/stream_filter.hpp"
#include "node/stream_listener.hpp"

#include <capnp/rpc-twoparty.h>

#include <functional>
#include <memory>
#include <string>

namespace pessoa::node {

class rpc_connection;

struct rpc_connection_options {
  stream_filter_options filter;
  size_t budget_bytes = connection_bytes_budget;
  // Calls that wait for their answer hold at most this much (and one message) of the peer's bytes: then
  // reading stops.
  size_t unanswered_bytes_before_login_max = 1u << 20;
  size_t unanswered_bytes_max = connection_bytes_budget;
  // A peer that lets more than this wait for it for so long is cut.
  size_t outgoing_bytes_max = 32u << 20;
  duration slow_reader_deadline = std::chrono::seconds{30};
  // How long a refused peer has to take our last words.
  duration farewell = std::chrono::seconds{2};
};

// What a capability knows about the connection it was handed out on. Outlives the connection if something
// still holds it; then it does nothing. Only on the connection's loop.
class connection_context {
public:
  connection_context(uint64_t id, std::string peer, io_loop& loop, std::shared_ptr<byte_budget> budget)
      : id_(id), peer_(std::move(peer)), loop_(loop), budget_(std::move(budget)) {}

  [[nodiscard]] uint64_t id() const { return id_; }               // of this process, never used again
  [[nodiscard]] const std::string& peer() const { return peer_; } // "127.0.0.1:53122"
  [[nodiscard]] io_loop& loop() const { return loop_; }
  // What requests keep beyond their message is taken from here; its parent is the node's.
  [[nodiscard]] const std::shared_ptr<byte_budget>& budget() const { return budget_; }
  [[nodiscard]] bool open() const { return connection_ != nullptr; }
  [[nodiscard]] bool logged_in() const;
  [[nodiscard]] size_t outgoing_bytes() const; // of answers that the peer has not taken yet

  // Lifts the limits that hold before the login.
  void set_logged_in();
  // Says why to the peer and ends the connection soon. Safe inside a call; answers given until then may still
  // arrive.
  void close(error reason);

private:
  friend class rpc_connection;
  const uint64_t id_;
  const std::string peer_;
  io_loop& loop_;
  const std::shared_ptr<byte_budget> budget_;
  rpc_connection* connection_ = nullptr;
};

// Makes the first capability of a connection. It may keep the context. What it throws ends that connection.
using bootstrap_factory = std::function<capnp::Capability::Client(std::shared_ptr<connection_context>)>;

class rpc_connection final : public stream_connection {
public:
  // `options` must outlive it.
  rpc_connection(stream_arrival arrival, const rpc_connection_options& options,
                 std::shared_ptr<byte_budget> before_login, std::shared_ptr<byte_budget> node_budget,
                 const bootstrap_factory& factory);
  ~rpc_connection() noexcept(false) override;

  kj::Promise<void> run() override;
  void close(error reason) override;
  void
  check_deadlines() override; // of a peer that does not read its answers; the filter looks after the others

  [[nodiscard]] const std::shared_ptr<connection_context>& context() const { return context_; }
  [[nodiscard]] size_t outgoing_bytes();

private:
  friend class connection_context;
  kj::Promise<void> finish();

  io_loop& loop_;
  const rpc_connection_options& options_;
  std::unique_ptr<connection_caps::slot> slot_;
  std::shared_ptr<connection_context> context_;
  kj::PromiseFulfillerPair<void> refused_ = kj::newPromiseAndFulfiller<void>();
  kj::Own<stream_filter> filter_;
  kj::Own<capnp::TwoPartyVatNetwork> network_;
  kj::Own<capnp::RpcSystem<capnp::rpc::twoparty::VatId>> rpc_;
  kj::Maybe<kj::TimePoint> too_much_since_;
};

// A Cap'n Proto RPC message that says `reason` and ends the conversation; for a stream that gets no
// connection. Waits a second at most for the peer, who may be in the middle of its first request, to take it.
kj::Promise<void> say_and_close(kj::Own<kj::AsyncIoStream> stream, io_loop& loop, const error& reason);

} // namespace pessoa::node
