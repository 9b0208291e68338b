#include "cli/files.hpp"
#include "cli/processes.hpp"
#include "tests/cli/run.hpp"

#include <csignal>
#include <sys/wait.h>

using namespace pessoa;
using namespace pessoa::cli;
using Catch::Contains;
using std::chrono::milliseconds;

namespace {

constexpr std::chrono::seconds patience{30};

process start(const scratch& at, std::string script, bool dies_with_us = false) {
  return spawn({{"/bin/sh", "-c", std::move(script)}, at.path + "/log", dies_with_us}).value();
}

} // namespace

TEST_CASE("processes: one is up, paused, up and gone", "[cli][dev]") {
  scratch at;
  auto p = start(at, "echo here; exec sleep 1000");
  CHECK(await_line(p, at.path + "/log", 0, "here", patience).value() == "here");
  CHECK(state_of(p) == process_state::up);
  CHECK(send_signal(p, SIGSTOP));
  CHECK(await_paused(p, true, patience));
  CHECK(state_of(p) == process_state::paused);
  CHECK_FALSE(await_paused(p, false, milliseconds{1}));
  CHECK_FALSE(await_end(p, milliseconds{1}));
  CHECK(send_signal(p, SIGKILL));
  CHECK(await_end(p, patience));
  CHECK(state_of(p) == process_state::gone);
  CHECK_FALSE(send_signal(p, SIGTERM));
}

TEST_CASE("processes: a zombie is gone", "[cli][dev]") {
  scratch at;
  auto p = start(at, "exit 0");
  siginfo_t info{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(p.pid), &info, WEXITED | WNOWAIT)
          == 0); // it has ended and is not reaped
  CHECK(state_of(p) == process_state::gone);
  CHECK(await_end(p, patience));
}

TEST_CASE("processes: a pid that was used again is not the process it was", "[cli][dev]") {
  auto self = identify(::getpid());
  CHECK(state_of(self) == process_state::up);
  CHECK(state_of({self.pid, self.start_time + 1}) == process_state::gone);
  CHECK_FALSE(send_signal({self.pid, self.start_time + 1}, SIGKILL));
  CHECK(state_of({}) == process_state::gone);
}

TEST_CASE("processes: waiting for a line ends with the line, the process or the time", "[cli][dev]") {
  scratch at;
  auto log = at.path + "/log";
  write_file(log, "ready of an earlier life\n").value();
  auto offset = read_file(log).value().size();
  auto talks = start(at, "echo not yet; printf 'ready no'; echo ' newline was missing'; exec sleep 1000");
  CHECK(await_line(talks, log, offset, "ready ", patience).value() == "ready no newline was missing");
  auto late = await_line(talks, log, offset, "never", milliseconds{20});
  CHECK(late.error().code == ec::timed_out);
  CHECK(send_signal(talks, SIGKILL));
  CHECK(await_end(talks, patience));
  auto ends = start(at, "echo the disk is on fire; exit 1");
  auto ended = await_line(ends, log, offset, "never", patience);
  CHECK(ended.error().code == ec::storage_failed);
  CHECK_THAT(ended.error().message, Contains("the disk is on fire"));
  CHECK(await_end(ends, patience));
}

TEST_CASE("processes: a child has a session of its own and none of our descriptors", "[cli][dev]") {
  scratch at;
  auto p = start(
      at,
      "ls -l /proc/self/fd | wc -l; ps -o sid= -p $$ 2>/dev/null || cut -d' ' -f6 /proc/$$/stat; echo done");
  REQUIRE(await_line(p, at.path + "/log", 0, "done", patience).ok());
  auto text = read_file(at.path + "/log").value();
  CHECK_THAT(text, Contains(std::to_string(p.pid)));
  CHECK(await_end(p, patience));
}
