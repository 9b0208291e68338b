// pessoa dev run -- CMD: a fresh cluster on random ports for one command, gone with it.
//
// Three processes. This one runs CMD and passes its status on. Before that it forks a *guardian*, which starts the node,
// and which holds the reading end of a pipe whose writing end only this process has: when it reads the end of that pipe,
// this process has gone, whatever the reason (kill -9 too), and the guardian takes away the command's process group, the
// node and the directory. The node dies with the guardian (PR_SET_PDEATHSIG), should that be killed.
#include "cli/connection.hpp"
#include "cli/dev.hpp"
#include "cli/dev_cluster.hpp"
#include "cli/values.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pessoa::cli {

namespace {

struct run_options {
  int64_t count = 1;
  std::vector<std::string> command;
};

struct pipe_ends {
  pipe_ends() { PESSOA_ASSERT(::pipe2(ends, O_CLOEXEC) == 0, errno); }
  int ends[2];
  [[nodiscard]] int reading() const { return ends[0]; }
  [[nodiscard]] int writing() const { return ends[1]; }
};

// Everything until the end of the pipe.
std::string read_all(int descriptor) {
  std::string out;
  char piece[4096];
  while (true) {
    auto n = ::read(descriptor, piece, sizeof piece);
    if (n > 0)
      out.append(piece, static_cast<size_t>(n));
    else if (n == 0 || errno != EINTR)
      return out;
  }
}

// -- the guardian ---

[[noreturn]] void guard(const environment& env, int alive, int report) {
  // A session of its own: Ctrl-C reaches CMD and its parent, and the guardian cleans up after them.
  ::setsid();
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE})
    std::signal(number, SIG_IGN);
  // Whoever waits for our parent's output must not wait for us.
  int null_file = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    ::dup2(null_file, descriptor);

  auto tmp = env.find("TMPDIR");
  auto pattern =
      (tmp == env.end() || tmp->second.empty() ? std::string{"/tmp"} : tmp->second) + "/pessoa-run-XXXXXX";
  auto say = [&](const json& what) { (void)write_all(report, print(what)); };
  if (::mkdtemp(pattern.data()) == nullptr) {
    say({{"error", "cannot make a directory " + pattern + ": " + std::strerror(errno)}});
    ::_exit(1);
  }
  dev_cluster cluster{"run", pattern, {}, {}};
  dev_node node;
  node.id = 1;
  node.at = {"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"};
  auto started = start_node(cluster, node, true);
  cluster.nodes.push_back(node);
  if (started)
    say(to_json(cluster));
  else
    say({{"error", started.error().message}});
  ::close(report);

  // Nothing but the command's process group is ever sent; then the end.
  auto text = read_all(alive);
  if (auto group = std::atoi(text.c_str()); group > 1) ::kill(-group, SIGKILL);
  (void)kill_node(node); // its data goes with it: there is nothing to drain for
  std::error_code ignored;
  std::filesystem::remove_all(pattern, ignored);
  ::_exit(0);
}

// -- the command ---

std::vector<std::string> environment_for(const environment& env, const json& node) {
  auto with = env;
  with["PESSOA_BOOTSTRAP"] = node["rpc"].get<std::string>();
  auto set = [&](const char* name, const json& address) {
    if (address.is_string())
      with[name] = address.get<std::string>();
    else
      with.erase(name); // never one of another cluster
  };
  set("KAFKA_BOOTSTRAP_SERVERS", node["kafka"]);
  set("PESSOA_HTTP", node["http"]);
  if (node["http"].is_string()) with["PESSOA_HTTP"] = "http://" + with["PESSOA_HTTP"];
  std::vector<std::string> out;
  for (auto& entry : with)
    out.push_back(entry.first + "=" + entry.second);
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts)
    out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

volatile sig_atomic_t command_group = 0;
void pass_on(int number) {
  if (command_group != 0) ::kill(-static_cast<pid_t>(command_group), number);
}

// Runs CMD in a process group of its own, in the foreground if we were. Returns its wait status.
int run_child(console& term, std::vector<std::string> command, std::vector<std::string> variables,
              int alive) {
  auto arguments = pointers(command);
  auto environment_pointers = pointers(variables);
  bool foreground = term.input_is_terminal() && ::tcgetpgrp(term.input()) == ::getpgrp();
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
    std::signal(number, pass_on);
  std::signal(SIGTTOU, SIG_IGN); // tcsetpgrp from the background would stop us
  pid_t self = ::getpid();
  pid_t child = ::fork();
  PESSOA_ASSERT(child >= 0, errno);
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != self) ::_exit(127);
    ::setpgid(0, 0);
    if (foreground) ::tcsetpgrp(STDIN_FILENO, ::getpid());
    for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTTOU, SIGPIPE})
      std::signal(number, SIG_DFL);
    ::execvpe(arguments[0], arguments.data(), environment_pointers.data());
    auto why = std::string{"error: cannot run "} + arguments[0] + ": " + std::strerror(errno) + "\n";
    (void)write_all(STDERR_FILENO, why);
    ::_exit(errno == ENOENT ? 127 : 126);
  }
  ::setpgid(child, child); // both do it: whoever comes first
  command_group = child;
  (void)write_all(alive, std::to_string(child));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (foreground) ::tcsetpgrp(term.input(), ::getpgrp());
  command_group = 0;
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
    std::signal(number, SIG_DFL);
  return status;
}

int dev_run(console& term, const run_options& o) {
  if (o.count > 1)
    return term.refuse(exit_usage,
                       "-n " + std::to_string(o.count)
                           + ": clusters of several nodes are not there yet in pessoa " PESSOA_VERSION,
                       "-n 1");
  term.flush();
  pipe_ends alive;
  pipe_ends report;
  pid_t guardian = ::fork();
  PESSOA_ASSERT(guardian >= 0, errno);
  if (guardian == 0) {
    ::close(alive.writing());
    ::close(report.reading());
    guard(term.env(), alive.reading(), report.writing());
  }
  ::close(alive.reading());
  ::close(report.writing());
  auto told = json::parse(read_all(report.reading()), nullptr, false);
  ::close(report.reading());
  int status = exit_failed;
  if (told.is_object() && told.contains("nodes")) {
    auto waited = run_child(term, o.command, environment_for(term.env(), told["nodes"][0]), alive.writing());
    status = WIFSIGNALED(waited) ? 128 + WTERMSIG(waited) : WEXITSTATUS(waited);
  } else {
    auto why = told.is_object() && told.contains("error") ? told["error"].get<std::string>()
                                                          : std::string{"the guardian died"};
    (void)term.fail({ec::storage_failed, "the cluster did not start: " + why});
  }
  ::close(alive.writing());
  while (::waitpid(guardian, nullptr, 0) < 0 && errno == EINTR) {
  }
  return status;
}

} // namespace

void add_dev_run(command dev, invocation& inv) {
  auto app = dev.add_subcommand("run", "Run a command with a fresh cluster: pessoa dev run -- CMD...");
  app.footer("CMD finds the cluster in PESSOA_BOOTSTRAP, KAFKA_BOOTSTRAP_SERVERS and PESSOA_HTTP; the exit "
             "status is CMD's.");
  auto o = std::make_shared<run_options>();
  app.add_parsed(
      "-n,--nodes", o->count,
      [](const std::string& t) { return parse_integer(t, 1, 100, "a number of nodes"); },
      "How many nodes (1)");
  app.add_words("CMD", o->command, "The command and its arguments, after --").required();
  app.callback([&inv, o] { inv.run = [&term = inv.term, o] { return dev_run(term, *o); }; });
}

} // namespace pessoa::cli
