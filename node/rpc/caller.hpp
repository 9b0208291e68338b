// Who is calling: what the capabilities of one connection share. Lives as long as the last of them; only on its loop.
#pragma once

#include "node/rpc/bridge.hpp"
#include "node/rpc_connection.hpp"
#include "node/services.hpp"

#include <algorithm>
#include <string>

namespace pessoa::node {

struct rpc_caller {
  rpc_caller(const services& node, std::shared_ptr<connection_context> connection)
      : node(node), connection(std::move(connection)),
        replies(byte_budget::make(connection_bytes_budget, node.replies)) {}

  const services& node;
  std::shared_ptr<connection_context> connection;
  std::shared_ptr<byte_budget> replies; // this connection's part of the node's
  std::string client = "?";             // quoted client id, after login

  [[nodiscard]] io_loop& loop() const { return connection->loop(); }
  // A call that waits for something to happen holds one of these while it does. Error: overloaded.
  using place = std::shared_ptr<void>;
  result<place> park() {
    if (*parked_ >= parked_calls_max)
      return error{ec::overloaded, std::to_string(*parked_)
                                       + " calls of this connection wait, the most that one may have:"
                                         " wait for their answers, or open another connection"};
    ++*parked_;
    return place{nullptr, [count = parked_](void*) { --*count; }};
  }

private:
  std::shared_ptr<size_t> parked_ = std::make_shared<size_t>(0);
};

// Longest time a caller may ask us to hold a request.
inline constexpr uint32_t wait_ms_max = 600'000;
// Answers that may wait in one connection before further fetches are refused.
inline constexpr size_t unread_answers_bytes_max = 16u << 20;

inline instant deadline_in(const rpc_caller& caller, uint32_t ms) {
  return caller.node.env->time->now() + std::chrono::milliseconds{std::min(ms, wait_ms_max)};
}

} // namespace pessoa::node
