#include "node/node_metrics.hpp"

#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

namespace pessoa::node {

namespace {

double cpu_seconds() {
  rusage used{};
  if (::getrusage(RUSAGE_SELF, &used) != 0) return 0;
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double open_files() {
  std::error_code problem;
  double count = 0;
  std::filesystem::directory_iterator at{"/proc/self/fd", problem}, end;
  for (; !problem && at != end; at.increment(problem))
    ++count;
  return count;
}

} // namespace

uint64_t resident_bytes() {
  std::ifstream file{"/proc/self/statm"};
  uint64_t total = 0, resident = 0;
  if (!(file >> total >> resident)) return 0;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

uint64_t bytes_read_so_far() {
  std::ifstream file{"/proc/self/io"};
  std::string name;
  uint64_t value = 0;
  while (file >> name >> value)
    if (name == "rchar:") return value;
  return 0;
}

metric_handles process_metrics(metrics_registry& registry, const clock& time, const std::string& version) {
  auto started = time.now();
  return {
      registry.gauge("pessoa_build_info", "1, with the version as a label.", {{"version", version}},
                     [] { return 1; }),
      registry.gauge("pessoa_uptime_seconds", "Since the process started.", {},
                     [&time, started] { return static_cast<double>((time.now() - started).count()) / 1e9; }),
      registry.gauge("pessoa_memory_resident_bytes", "Resident memory of the process.", {},
                     [] { return static_cast<double>(resident_bytes()); }),
      registry.counter_callback("pessoa_cpu_seconds_total", "User and system time of the process.", {},
                                cpu_seconds),
      registry.gauge("pessoa_open_files", "Open file descriptors of the process.", {}, open_files),
  };
}

metric_handles budget_metrics(metrics_registry& registry, const std::string& queue,
                              std::shared_ptr<byte_budget> budget) {
  auto of = [&](const char* name, const char* help, size_t byte_budget::figures::*what) {
    return registry.gauge(name, help, {{"queue", queue}},
                          [budget, what] { return static_cast<double>(budget->now().*what); });
  };
  using f = byte_budget::figures;
  return {
      of("pessoa_queue_bytes", "Bytes held at this moment.", &f::used),
      of("pessoa_queue_bytes_limit", "Bytes that may be held: above it readers wait.", &f::limit),
      of("pessoa_queue_bytes_high_water", "The most bytes held since the start.", &f::high_water),
      of("pessoa_queue_waiting", "Messages that wait for room.", &f::waiting),
  };
}

metric_handles rpc_listener_metrics(metrics_registry& registry, const rpc_listener& listener) {
  auto of = [&](const char* name, const char* help, auto what) {
    return registry.counter_callback(name, help, {},
                                     [&listener, what] { return static_cast<double>(listener.now().*what); });
  };
  using f = rpc_listener_figures;
  return {
      registry.gauge("pessoa_rpc_connections", "Open client connections.", {},
                     [&listener] { return static_cast<double>(listener.now().connections); }),
      of("pessoa_rpc_accepted_total", "Client connections taken since the start.", &f::accepted),
      of("pessoa_rpc_refused_total", "Client connections turned away or cut for a reason.", &f::refused),
      of("pessoa_rpc_received_bytes_total", "Bytes read from clients.", &f::bytes_read),
      of("pessoa_rpc_sent_bytes_total", "Bytes written to clients.", &f::bytes_written),
      of("pessoa_rpc_received_messages_total", "RPC messages read from clients.", &f::messages_read),
  };
}

} // namespace pessoa::node
