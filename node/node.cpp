#include "node/node.hpp"

#include "node/log_stderr.hpp"
#include "node/wiring.hpp"
#include "schema/seams/seams_posix.hpp"

#include <csignal>
#include <cstdio>
#include <future>

namespace pessoa::node {

namespace {

constexpr int exit_ok = 0, exit_failed = 1, exit_usage = 2;

// SIGTERM and SIGINT are taken by sigwait on the main thread; every thread made later inherits the mask.
sigset_t block_stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return set;
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

  std::promise<result<void>> ready;
  auto node = running_node::start(settings, std::move(seams), [&ready](result<void> r) { ready.set_value(std::move(r)); });
  if (!node) return fail(node.error());
  auto up = ready.get_future().get();
  if (up) {
    std::printf("%s\n", (*node)->ready_line().c_str());
    std::fflush(stdout);
    int signal = 0;
    sigwait(&stop_signals, &signal);
    log->info("node", "stopping");
  }
  // Also when it could not be ready: actors run, and logs are open.
  std::promise<result<void>> stopped;
  (*node)->stop([&stopped](result<void> r) { stopped.set_value(std::move(r)); });
  auto end = stopped.get_future().get();
  node->reset();
  if (!up) return fail(up.error());
  if (!end) return fail(end.error());
  log->info("node", "stopped");
  return exit_ok;
}

} // namespace pessoa::node
