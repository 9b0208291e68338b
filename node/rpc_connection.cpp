#include "node/rpc_connection.hpp"

#include "node/linger.hpp"
#include "node/rpc/requests.hpp"
#include "node/rpc_abort.hpp"
#include "schema/assert.hpp"

namespace pessoa::node {

namespace {

size_t words(size_t bytes) { return bytes / sizeof(capnp::word); }

} // namespace

// -- connection_context ---

bool connection_context::logged_in() const { return connection_ && connection_->filter_->logged_in(); }
size_t connection_context::outgoing_bytes() const { return connection_ ? connection_->outgoing_bytes() : 0; }

void connection_context::set_logged_in() {
  if (!connection_) return;
  connection_->filter_->set_logged_in();
  connection_->rpc_->setFlowLimit(words(connection_->options_.unanswered_bytes_max));
}

void connection_context::close(error reason) {
  if (connection_) connection_->close(std::move(reason));
}

// -- rpc_connection ---

rpc_connection::rpc_connection(stream_arrival arrival, const rpc_connection_options& options,
                               std::shared_ptr<byte_budget> before_login,
                               std::shared_ptr<byte_budget> node_budget, const bootstrap_factory& factory)
    : loop_(arrival.loop), options_(options), slot_(std::move(arrival.slot)),
      context_(std::make_shared<connection_context>(
          arrival.id, arrival.accepted.peer, loop_,
          byte_budget::make(options.budget_bytes, std::move(node_budget)))) {
  auto filter = options.filter;
  filter.traffic = &arrival.traffic;
  filter_ = kj::heap<stream_filter>(kj::mv(arrival.accepted.stream), loop_, std::move(filter),
                                    std::move(before_login), context_->budget(),
                                    [this, on_refused = std::move(arrival.on_refused)](const error& why) {
                                      on_refused(context_->peer(), why);
                                      refused_.fulfiller->fulfill();
                                    });
  network_ =
      kj::heap<capnp::TwoPartyVatNetwork>(*filter_, capnp::rpc::twoparty::Side::SERVER, rpc_reader_options());
  context_->connection_ = this;
  KJ_ON_SCOPE_FAILURE(context_->connection_ = nullptr); // the factory threw
  rpc_ = kj::heap(capnp::makeRpcServer(*network_, factory(context_)));
  rpc_->setFlowLimit(
      words(filter_->logged_in() ? options.unanswered_bytes_max : options.unanswered_bytes_before_login_max));
}

rpc_connection::~rpc_connection() noexcept(false) {
  // Capabilities die with the RPC system, and may ask their context then.
  context_->connection_ = nullptr;
}

size_t rpc_connection::outgoing_bytes() { return network_ ? network_->getCurrentQueueSize() : 0; }

kj::Promise<void> rpc_connection::run() {
  // Disconnected: nobody uses the network any more, and what was to be sent is sent, or cannot be. A refused
  // peer may keep us from getting there by reading nothing, so its time is limited.
  auto too_late = refused_.promise.then(
      [this] { return loop_.timer().afterDelay(options_.farewell.count() * kj::NANOSECONDS); });
  return network_->onDisconnect().exclusiveJoin(kj::mv(too_late)).then([this] {
    return kj::evalLater([this] { return finish(); });
  });
}

kj::Promise<void> rpc_connection::finish() {
  context_->connection_ = nullptr;
  rpc_ = nullptr;
  network_ = nullptr;
  if (!filter_->refused()) return kj::READY_NOW;
  return filter_->linger(options_.farewell);
}

void rpc_connection::close(error reason) { filter_->refuse(std::move(reason)); }

void rpc_connection::check_deadlines() {
  if (outgoing_bytes() <= options_.outgoing_bytes_max) {
    too_much_since_ = nullptr;
    return;
  }
  auto now = loop_.timer().now();
  KJ_IF_MAYBE (since, too_much_since_) {
    if (now - *since < options_.slow_reader_deadline.count() * kj::NANOSECONDS) return;
    close({ec::overloaded,
           std::to_string(outgoing_bytes()) + " bytes of answers wait for the peer, which reads too slowly"});
  } else {
    too_much_since_ = now;
  }
}

kj::Promise<void> say_and_close(kj::Own<kj::AsyncIoStream> stream, io_loop& loop, const error& reason) {
  static constexpr duration patience = std::chrono::seconds{1};
  auto saying = write_abort(*stream, reason).then([&to = *stream, &loop] {
    to.shutdownWrite();
    return linger(to, loop.timer(), patience);
  });
  return saying.attach(kj::mv(stream))
      .exclusiveJoin(loop.timer().afterDelay(patience.count() * kj::NANOSECONDS));
}

} // namespace pessoa::node
