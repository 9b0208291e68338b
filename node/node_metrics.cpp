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

namespace {

// The series that listeners of every protocol have.
metric_handles listener_metrics(metrics_registry& registry, const std::string& prefix, const std::string& who,
                                std::function<stream_listener_figures()> now) {
  auto counter = [&](const char* name, const std::string& help, auto which) {
    return registry.counter_callback(prefix + name, help, {},
                                     [now, which] { return static_cast<double>(now().*which); });
  };
  using f = stream_listener_figures;
  return {
      registry.gauge(prefix + "_connections", "Open connections of " + who + ".", {},
                     [now] { return static_cast<double>(now().connections); }),
      counter("_accepted_total", "Connections of " + who + " taken since the start.", &f::accepted),
      counter("_refused_total", "Connections of " + who + " turned away or cut for a reason.", &f::refused),
      counter("_received_bytes_total", "Bytes read from " + who + ".", &f::bytes_read),
      counter("_sent_bytes_total", "Bytes written to " + who + ".", &f::bytes_written),
  };
}

} // namespace

metric_handles rpc_listener_metrics(metrics_registry& registry, const rpc_listener& listener) {
  auto out = listener_metrics(registry, "pessoa_rpc", "clients", [&listener] { return listener.now(); });
  out.push_back(
      registry.counter_callback("pessoa_rpc_received_messages_total", "RPC messages read from clients.", {},
                                [&listener] { return static_cast<double>(listener.now().messages_read); }));
  return out;
}

metric_handles kafka_listener_metrics(metrics_registry& registry, const stream_listener& listener) {
  auto out =
      listener_metrics(registry, "pessoa_kafka", "Kafka clients", [&listener] { return listener.now(); });
  out.push_back(
      registry.counter_callback("pessoa_kafka_requests_total", "Requests read from Kafka clients.", {},
                                [&listener] { return static_cast<double>(listener.now().messages_read); }));
  out.push_back(registry.gauge("pessoa_kafka_requests_open",
                               "Requests of Kafka clients whose answer is not written yet.", {},
                               [&listener] { return static_cast<double>(listener.now().unanswered); }));
  return out;
}

} // namespace pessoa::node
