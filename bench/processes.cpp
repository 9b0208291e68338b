#include "bench/processes.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <netinet/in.h>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace pessoa::bench {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  if (values.empty()) throw std::runtime_error("no values");
  std::sort(values.begin(), values.end());
  auto middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

child::child(const std::vector<std::string>& arguments, const std::string& log_path,
             const std::vector<std::string>& environment) {
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  started_ = now_seconds();
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(pipe_ends[1], 1);
    int log = open(log_path.c_str(), O_CREAT | O_APPEND | O_WRONLY, 0644);
    if (log >= 0) dup2(log, 2);
    for (auto& variable : environment)
      putenv(const_cast<char*>(variable.c_str()));
    std::vector<char*> raw;
    for (auto& argument : arguments)
      raw.push_back(const_cast<char*>(argument.c_str()));
    raw.push_back(nullptr);
    execvp(raw[0], raw.data());
    std::perror(raw[0]);
    _exit(127);
  }
  close(pipe_ends[1]);
  out_ = pipe_ends[0];
}

child::~child() {
  if (out_ >= 0) close(out_);
  if (waited_ || pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string child::line() {
  for (;;) {
    auto end = buffer_.find('\n');
    if (end != std::string::npos) {
      auto line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    char part[4096];
    auto got = read(out_, part, sizeof part);
    if (got <= 0) throw std::runtime_error("the process ended before it printed a line");
    buffer_.append(part, static_cast<size_t>(got));
  }
}

std::string child::rest() {
  char part[65536];
  for (ssize_t got; (got = read(out_, part, sizeof part)) > 0;)
    buffer_.append(part, static_cast<size_t>(got));
  return std::exchange(buffer_, {});
}

void child::signal(int number) { kill(pid_, number); }

usage child::wait() {
  int status = 0;
  rusage used{};
  if (wait4(pid_, &status, 0, &used) != pid_) throw std::runtime_error("wait4");
  waited_ = true;
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  usage out;
  out.wall_seconds = now_seconds() - started_;
  out.cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  out.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return out;
}

scratch_directory::scratch_directory() {
  auto* base = std::getenv("TMPDIR");
  path_ = std::string{base != nullptr ? base : "/tmp"} + "/pessoa-bench-XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp " + path_);
}
scratch_directory::~scratch_directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string pessoa_binary() {
  auto self = std::filesystem::read_symlink("/proc/self/exe");
  auto binary = self.parent_path().parent_path() / "pessoa";
  if (!std::filesystem::exists(binary))
    throw std::runtime_error(binary.string() + " is missing: build it first");
  return binary.string();
}

std::string preload_library(const std::string& name) {
  auto path = std::filesystem::read_symlink("/proc/self/exe").parent_path() / ("lib" + name + ".so");
  if (!std::filesystem::exists(path)) throw std::runtime_error(path.string() + " is missing: build it first");
  return path.string();
}

std::string run(const std::vector<std::string>& arguments, const std::string& log_path, usage* used) {
  child process{arguments, log_path};
  auto out = process.rest();
  auto result = process.wait();
  if (used != nullptr) *used = result;
  if (result.status != 0)
    throw std::runtime_error(arguments[0] + " " + (arguments.size() > 1 ? arguments[1] : "") + " exited with "
                             + std::to_string(result.status) + "; see " + log_path);
  return out;
}

namespace {

std::vector<std::string> node_arguments(const std::string& directory, const std::vector<std::string>& extra) {
  std::vector<std::string> arguments = {pessoa_binary(), "start",       "--data",         directory + "/data",
                                        "--listen",      "127.0.0.1:0", "--kafka-listen", "off",
                                        "--http-listen", "127.0.0.1:0"};
  if (!std::filesystem::exists(directory + "/data")) arguments.push_back("--new");
  for (auto& word : extra) { // a flag given twice is refused: the caller's wins
    auto twice = std::find(arguments.begin() + 2, arguments.end(), word);
    if (word.rfind("--", 0) == 0 && twice != arguments.end()) arguments.erase(twice, twice + 2);
  }
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  return arguments;
}

std::string field(const std::string& line, const std::string& name) {
  auto begin = line.find(" " + name + "=");
  if (begin == std::string::npos) throw std::runtime_error("no " + name + " in: " + line);
  begin += name.size() + 2;
  return line.substr(begin, line.find(' ', begin) - begin);
}

} // namespace

node_process::node_process(const std::string& directory, const std::vector<std::string>& extra,
                           const std::vector<std::string>& environment)
    : process(node_arguments(directory, extra), directory + "/node.log", environment) {
  auto ready = process.line();
  ready_seconds = now_seconds() - process.started();
  rpc = field(ready, "rpc");
  kafka = field(ready, "kafka");
  http = field(ready, "http");
}

std::string node_process::metrics() const { return http_get(http, "/metrics"); }

double node_process::metric(const std::string& name, const std::string& label) const {
  return metric_in(metrics(), name, label);
}

double metric_in(const std::string& metrics, const std::string& name, const std::string& label) {
  std::istringstream text{metrics};
  double sum = 0;
  bool found = false;
  for (std::string line; std::getline(text, line);) {
    if (line.rfind(name, 0) != 0 || (line[name.size()] != ' ' && line[name.size()] != '{')) continue;
    if (line.find(label, name.size()) == std::string::npos) continue;
    sum += std::strtod(line.c_str() + line.rfind(' '), nullptr);
    found = true;
  }
  if (!found) throw std::runtime_error("no metric " + name + (label.empty() ? "" : "{" + label + "}"));
  return sum;
}

usage node_process::stop() {
  process.signal(SIGTERM);
  process.rest();
  return process.wait();
}

double json_number(const std::string& json, const std::string& key) {
  auto at = json.rfind("\"" + key + "\":");
  if (at == std::string::npos) throw std::runtime_error("no " + key + " in: " + json);
  return std::strtod(json.c_str() + at + key.size() + 3, nullptr);
}

double json_sum(const std::string& json, const std::string& key) {
  auto word = "\"" + key + "\":";
  double sum = 0;
  bool found = false;
  for (auto at = json.find(word); at != std::string::npos; at = json.find(word, at + word.size())) {
    sum += std::strtod(json.c_str() + at + word.size(), nullptr);
    found = true;
  }
  if (!found) throw std::runtime_error("no " + key + " in: " + json);
  return sum;
}

std::string http_get(const std::string& address, const std::string& path) {
  auto colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
    close(fd);
    throw std::runtime_error("cannot connect to " + address);
  }
  auto request = "GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\nConnection: close\r\n\r\n";
  std::string answer;
  if (write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
    char part[65536];
    for (ssize_t got; (got = read(fd, part, sizeof part)) > 0;)
      answer.append(part, static_cast<size_t>(got));
  }
  close(fd);
  return answer;
}

} // namespace pessoa::bench
