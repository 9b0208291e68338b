// What the capabilities of one connection share: the loop they live on, the node's services, and who is calling.
// Lives as long as the connection's last capability; only on its loop.
#pragma once

#include "node/rpc/bridge.hpp"
#include "node/services.hpp"

#include <kj/refcount.h>

#include <functional>
#include <string>

namespace pessoa::node {

struct rpc_connection {
  io_loop& loop;
  const services& node;
  std::shared_ptr<byte_budget> budget;         // bytes of requests in flight of this connection, child of the node's
  std::string peer;                            // address, for the log
  std::function<void()> logged_in;             // raises the limits of the stream filter
  std::function<size_t()> outgoing_bytes;      // answers that wait for the peer to read
  std::string client = "?";                    // quoted client id, after login
};

// Longest time a caller may ask us to hold a request.
inline constexpr uint32_t wait_ms_max = 600'000;
// Answers that may wait in one connection before further fetches are refused.
inline constexpr size_t outgoing_bytes_max = 16u << 20;

inline instant deadline_in(const rpc_connection& c, uint32_t ms) {
  return c.node.env->time->now() + std::chrono::milliseconds{std::min(ms, wait_ms_max)};
}

} // namespace pessoa::node
