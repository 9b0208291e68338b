// Who is calling: what the capabilities of one connection share. Lives as long as the last of them; only on its loop.
#pragma once

#include "node/front.hpp"
#include "node/rpc_connection.hpp"

#include <string>

namespace pessoa::node {

struct rpc_caller {
  rpc_caller(const services& node, std::shared_ptr<connection_context> connection)
      : node(node), connection(std::move(connection)),
        to(node, this->connection->loop(), byte_budget::make(connection_bytes_budget, node.replies)) {}

  const services& node;
  std::shared_ptr<connection_context> connection;
  front to;                 // the actors
  std::string client = "?"; // quoted client id, after login

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

// Answers that may wait in one connection before further fetches are refused.
inline constexpr size_t unread_answers_bytes_max = 16u << 20;

} // namespace pessoa::node
