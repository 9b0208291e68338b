// Ctrl-C, SIGTERM, and a reader of stdout that went away: noticed at once, wherever a command waits.
#pragma once

#include "cli/console.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

namespace pessoa::cli {

// Catches SIGINT and SIGTERM for as long as it lives. One at a time in a process. A second signal ends the process at
// once, as people expect of a second Ctrl-C.
class interrupts {
public:
  interrupts();
  interrupts(const interrupts&) = delete;
  interrupts& operator=(const interrupts&) = delete;
  ~interrupts();

  [[nodiscard]] int signal() const; // 0: none yet
  [[nodiscard]] bool raised() const { return signal() != 0; }
  // Readable once a signal came; for poll().
  [[nodiscard]] int descriptor() const { return pipe_[0]; }
  // Waits; false when a signal broke the wait off.
  [[nodiscard]] bool wait_for(std::chrono::nanoseconds time) const;

private:
  int pipe_[2];
};

// A thread that calls `ended` once, when a signal came or (if `output` is not -1) the reader of that pipe went away.
class end_watch {
public:
  end_watch(const interrupts& signals, int output, std::function<void()> ended);
  end_watch(const end_watch&) = delete;
  end_watch& operator=(const end_watch&) = delete;
  ~end_watch();

private:
  int stop_; // an eventfd
  std::thread thread_;
};

} // namespace pessoa::cli
