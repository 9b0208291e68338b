// Threads that may block. No file or LevelDB call runs anywhere else (architecture, section 4).
#pragma once

#include <functional>

namespace pessoa {

class thread_pool {
public:
  virtual ~thread_pool() = default;

  // Runs `job` once, later, on a thread that may block; then `done` once, on the same thread. Never runs either inside
  // post(). Jobs of one pool may run side by side and in any order, and other jobs may run between a job and its
  // `done`: the simulator draws the two moments apart, which is what makes races between I/O and actors show.
  // A pool that is destroyed runs or drops what waits; dropping destroys both functions, so a shared object they hold
  // can answer from its destructor.
  virtual void post(std::function<void()> job, std::function<void()> done = {}) = 0;
};

} // namespace pessoa
