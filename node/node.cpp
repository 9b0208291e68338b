#include "node/node.hpp"

#include "node/log_stderr.hpp"
#include "node/wiring.hpp"
#include "schema/seams/seams_posix.hpp"

#include <csignal>
#include <cstdio>
#include <future>
#include <mutex>
#include <optional>
#include <unistd.h>

namespace pessoa::node {

namespace {

constexpr int exit_ok = 0, exit_failed = 1, exit_usage = 2;

// What the main thread waits for, by sigwait: SIGTERM and SIGINT, and SIGUSR2, by which the node tells that it is ready or
// cannot be (KJ reserves SIGUSR1). Every thread made later inherits the mask.
constexpr int has_news = SIGUSR2;
sigset_t block_stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, has_news);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return set;
}

// Whether the node is ready; said once, on one of its threads, read on the main thread.
class readiness {
public:
  void say(result<void> outcome) {
    {
      std::lock_guard guard{mutex_};
      said_ = std::move(outcome);
    }
    ::kill(::getpid(), has_news);
  }
  [[nodiscard]] std::optional<result<void>> said() const {
    std::lock_guard guard{mutex_};
    return said_;
  }

private:
  mutable std::mutex mutex_;
  std::optional<result<void>> said_;
};

// Until the node has said something or it is told to stop; which signal it was.
int next_signal(const sigset_t& signals) {
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  return signal;
}

int fail(const error& why) {
  std::fprintf(stderr, "pessoa start: %s\n", explain(why).c_str());
  return why.code == ec::invalid_argument ? exit_usage : exit_failed;
}

} // namespace

int run_node(const node_settings& settings) {
  auto stop_signals = block_stop_signals();
  auto log = make_stderr_log(settings.log_level);
  auto time = make_system_clock();
  auto random = make_system_random();
  auto disk = persistence::make_posix_storage_env();
  auto net = make_system_network();

  node_seams seams;
  seams.time = time.get();
  seams.random = random.get();
  seams.disk = disk.get();
  seams.net = net.get();
  seams.log = log.get();
  seams.make_pool = make_thread_pool;
  seams.fatal = [](const std::string& what) {
    // Not through the log, whose thread may not get to it before the end.
    std::fprintf(stderr,
                 "pessoa start: %s; the process ends and recovers from disk when it is started again\n",
                 what.c_str());
    std::fflush(stderr);
    std::abort();
  };

  auto readiness_said = std::make_shared<readiness>();
  auto node = running_node::start(settings, std::move(seams),
                                  [readiness_said](result<void> r) { readiness_said->say(std::move(r)); });
  if (!node) return fail(node.error());
  std::optional<result<void>> up; // empty: told to stop while it recovers
  bool told_to_stop = false;
  while (!up && !told_to_stop) {
    told_to_stop = next_signal(stop_signals) != has_news;
    up = readiness_said->said();
  }
  bool ready = up && up->ok();
  if (ready && !told_to_stop) {
    std::printf("%s\n", (*node)->ready_line().c_str());
    std::fflush(stdout);
    while (next_signal(stop_signals) == has_news) {
    }
    told_to_stop = true;
  }
  if (told_to_stop) log->info("node", ready ? "stopping" : "stopping before it was ready");
  // Also when it could not be ready: actors run, and logs are open.
  std::promise<result<void>> stopped;
  (*node)->stop([&stopped](result<void> r) { stopped.set_value(std::move(r)); });
  auto end = stopped.get_future().get();
  node->reset();
  if (up && !up->ok()) return fail(up->error());
  // Who ends a recovery half-way has not closed what was not open: the next start looks at everything, which is no failure.
  if (!end && !ready) log->info("node", "the next start recovers again: " + to_string(end.error()));
  if (!end && ready) return fail(end.error());
  log->info("node", "stopped");
  return exit_ok;
}

} // namespace pessoa::node
