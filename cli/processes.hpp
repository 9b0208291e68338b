// Processes of `pessoa dev`: starting them so that they outlive or die with us, and telling the living from the dead.
//
// A process is its pid and its start time (from /proc/PID/stat): a pid alone may belong to another one by now. A zombie is
// gone.
#pragma once

#include "schema/result.hpp"

#include <chrono>
#include <string>
#include <sys/types.h>
#include <vector>

namespace pessoa::cli {

struct process {
  pid_t pid = 0;
  uint64_t start_time = 0; // clock ticks since boot
  friend bool operator==(const process&, const process&) = default;
};

enum class process_state { up, paused, gone };

process_state state_of(const process& p);
// Of a process that lives now; start time 0 if there is none.
process identify(pid_t pid);
// False when it is gone already.
bool send_signal(const process& p, int signal);
// True once it is paused, or once it is not; false when `patience` ran out. The kernel tells nobody but a parent of such a
// change, so this looks again every millisecond.
bool await_paused(const process& p, bool paused, std::chrono::milliseconds patience);
// True once it is gone; false when `patience` ran out.
bool await_end(const process& p, std::chrono::milliseconds patience);

struct spawn_request {
  std::vector<std::string> arguments; // the first is the program's path
  std::string log;                    // its stdout and stderr are appended to this file
  bool dies_with_us = false;          // SIGKILL when the thread that started it ends
};
// A process in a session of its own, with stdin from /dev/null and no descriptor of ours. Error: internal (fork, log file),
// with the reason.
result<process> spawn(const spawn_request& request);

// Waits until the log of `p`, from `offset` on, contains a whole line that begins with `word`; returns that line. Errors:
// storage_failed (it ended before: the message carries the end of its log), timed_out.
result<std::string> await_line(const process& p, const std::string& log, size_t offset, std::string_view word,
                               std::chrono::milliseconds patience);

// Of this binary.
std::string own_path();

} // namespace pessoa::cli
