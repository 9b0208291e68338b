// What a listener's connections on one loop have moved, counted together; relaxed, for metrics.
#pragma once

#include <atomic>
#include <cstdint>

namespace pessoa::node {

struct stream_traffic {
  std::atomic<uint64_t> read{0}, written{0}; // bytes
  std::atomic<uint64_t> messages{0};         // read
  std::atomic<uint64_t> unanswered{0};       // messages at this moment; 0 where the protocol does not say
};

} // namespace pessoa::node
