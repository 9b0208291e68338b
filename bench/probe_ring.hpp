// The moments that probe_posix.cpp writes down: one file, mapped by every process that is looked at.
#pragma once

#include <atomic>
#include <cstdint>

namespace pessoa::bench {

enum class moment : uint16_t {
  none,
  socket_read,  // bytes were read from a socket
  socket_write, // a write into a socket begins
  file_write,   // a write into a file begins
  file_written, // and ends
  sync,         // a sync begins
  synced,       // and ends
  poll_end,     // a network loop woke up
  loop_wake,    // a network loop is being woken: a write into neither file nor socket
  thread_wake,  // a waiting thread is being woken
  thread_woken, // a thread that waited goes on
};

struct probe_event {
  int64_t at_ns; // monotonic, the same for all processes
  int32_t thread;
  moment what;
  uint16_t process; // PESSOA_PROBE_PROCESS
};
static_assert(sizeof(probe_event) == 16);

struct probe_ring {
  static constexpr uint64_t capacity = 1 << 20; // what comes later is dropped; `next` goes on counting
  std::atomic<uint64_t> next;
  probe_event events[capacity];
};

} // namespace pessoa::bench
