#include "cli/processes.hpp"

#include "cli/files.hpp"
#include "schema/assert.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pessoa::cli {

namespace {

using steady = std::chrono::steady_clock;

struct stat_line {
  char state = 'X';
  int threads = 0;
  uint64_t start_time = 0;
};

// Fields 3, 20 and 22 of /proc/PID/stat. The name in field 2 may contain anything, so counting begins after its last ')'.
std::optional<stat_line> read_stat(pid_t pid) {
  auto text = read_file("/proc/" + std::to_string(pid) + "/stat");
  if (!text) return std::nullopt;
  auto at = text->rfind(')');
  if (at == std::string::npos || at + 2 >= text->size()) return std::nullopt;
  std::string_view rest{*text};
  rest.remove_prefix(at + 2);
  stat_line out;
  out.state = rest.front();
  for (int field = 3; field < 22; ++field) {
    auto space = rest.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(space + 1);
    if (field + 1 == 20) std::from_chars(rest.data(), rest.data() + rest.size(), out.threads);
  }
  std::from_chars(rest.data(), rest.data() + rest.size(), out.start_time);
  return out;
}

// A descriptor that becomes readable when the process ends (also as a zombie); -1 if it is gone.
int watch_end_of(const process& p) {
  int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, p.pid, 0));
  // The pid may have passed to another process before the descriptor was made.
  if (descriptor >= 0 && state_of(p) == process_state::gone) {
    ::close(descriptor);
    return -1;
  }
  return descriptor;
}

int milliseconds_until(steady::time_point deadline) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left + 1, 0, 1 << 30));
}

// In the child, between fork and exec: only calls that are safe there.
[[noreturn]] void become(const spawn_request& request, char* const* arguments, int null_file, int log_file,
                         pid_t parent) {
  if (request.dies_with_us) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127); // it ended before the line above
  }
  ::setsid();
  ::dup2(null_file, STDIN_FILENO);
  ::dup2(log_file, STDOUT_FILENO);
  ::dup2(log_file, STDERR_FILENO);
  ::syscall(SYS_close_range, 3u, ~0u, 0u);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE})
    ::signal(number, SIG_DFL);
  ::execv(arguments[0], arguments);
  ::_exit(127);
}

// The last lines of a text, for an error message.
std::string tail(std::string_view text, size_t lines) {
  while (!text.empty() && text.back() == '\n')
    text.remove_suffix(1);
  size_t at = text.size();
  while (at > 0 && lines > 0) {
    --at;
    if (text[at] == '\n' && --lines == 0) return std::string{text.substr(at + 1)};
  }
  return std::string{text};
}

} // namespace

process_state state_of(const process& p) {
  if (p.pid <= 0) return process_state::gone;
  auto found = read_stat(p.pid);
  if (!found || found->start_time != p.start_time) return process_state::gone;
  // A zombie with threads is one whose first thread has ended before the others: its ports and files are still taken.
  if ((found->state == 'Z' || found->state == 'X') && found->threads <= 1) return process_state::gone;
  return found->state == 'T' || found->state == 't' ? process_state::paused : process_state::up;
}

process identify(pid_t pid) {
  auto found = read_stat(pid);
  return {pid, found ? found->start_time : 0};
}

bool send_signal(const process& p, int signal) {
  if (state_of(p) == process_state::gone) return false;
  return ::kill(p.pid, signal) == 0;
}

bool await_paused(const process& p, bool paused, std::chrono::milliseconds patience) {
  auto deadline = steady::now() + patience;
  while ((state_of(p) == process_state::paused) != paused) {
    if (steady::now() >= deadline) return false;
    (void)::poll(nullptr, 0, 1);
  }
  return true;
}

bool await_end(const process& p, std::chrono::milliseconds patience) {
  auto deadline = steady::now() + patience;
  int descriptor = watch_end_of(p);
  if (descriptor < 0) return state_of(p) == process_state::gone;
  pollfd at{descriptor, POLLIN, 0};
  while (::poll(&at, 1, milliseconds_until(deadline)) < 0 && errno == EINTR) {
  }
  ::close(descriptor);
  // A child of ours would stay a zombie.
  (void)::waitpid(p.pid, nullptr, WNOHANG);
  return (at.revents & POLLIN) != 0 || state_of(p) == process_state::gone;
}

result<process> spawn(const spawn_request& request) {
  auto failed = [](const std::string& what) {
    return error{ec::internal, what + ": " + std::strerror(errno)};
  };
  int null_file = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  int log_file = ::open(request.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log_file < 0) {
    auto e = failed("cannot open " + request.log);
    ::close(null_file);
    return e;
  }
  std::vector<char*> arguments;
  for (auto& argument : request.arguments)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t self = ::getpid();
  pid_t child = ::fork();
  if (child == 0) become(request, arguments.data(), null_file, log_file, self);
  auto e = failed("cannot start a process");
  ::close(null_file);
  ::close(log_file);
  if (child < 0) return e;
  return identify(child);
}

result<std::string> await_line(const process& p, const std::string& log, size_t offset, std::string_view word,
                               std::chrono::milliseconds patience) {
  auto deadline = steady::now() + patience;
  // The watch stands before the first look, so that nothing is missed between looking and waiting.
  int changes = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  PESSOA_ASSERT(changes >= 0, errno);
  ::inotify_add_watch(changes, log.c_str(), IN_MODIFY);
  int ended = watch_end_of(p);
  pollfd at[] = {{changes, POLLIN, 0}, {ended, POLLIN, 0}};
  auto outcome = [&]() -> result<std::string> {
    while (true) {
      bool gone = ended < 0 || (at[1].revents & POLLIN) != 0;
      auto text = read_file(log, offset);
      std::string_view fresh = text ? std::string_view{*text} : std::string_view{};
      for (auto rest = fresh; !rest.empty();) {
        auto newline = rest.find('\n');
        if (newline == std::string_view::npos) break;
        if (rest.starts_with(word)) return std::string{rest.substr(0, newline)};
        rest.remove_prefix(newline + 1);
      }
      if (gone) return error{ec::storage_failed, tail(fresh, 12)};
      if (steady::now() >= deadline) return error{ec::timed_out, tail(fresh, 12)};
      (void)::poll(at, 2, milliseconds_until(deadline));
      char events[4096];
      while (::read(changes, events, sizeof events) > 0) {
      }
    }
  }();
  ::close(changes);
  if (ended >= 0) ::close(ended);
  return outcome;
}

std::string own_path() {
  char path[4096];
  auto n = ::readlink("/proc/self/exe", path, sizeof path - 1);
  PESSOA_ASSERT(n > 0, errno);
  return {path, static_cast<size_t>(n)};
}

} // namespace pessoa::cli
