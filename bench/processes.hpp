// Child processes for benchmarks: start, talk to, measure. Each dies with the benchmark.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

namespace pessoa::bench {

struct usage {
  double wall_seconds = 0;
  double cpu_seconds = 0; // user and system, children included
  int status = -1;        // exit status, or 128 + signal
};

class child {
public:
  // Starts `arguments[0]` with its stdout connected to us; stderr goes to `log_path` (appended). `environment` holds further
  // "NAME=VALUE". Throws on failure.
  child(const std::vector<std::string>& arguments, const std::string& log_path,
        const std::vector<std::string>& environment = {});
  ~child(); // SIGKILL, if it still runs
  child(const child&) = delete;
  child& operator=(const child&) = delete;

  // The next line of its stdout, without the newline; throws when it ends first.
  std::string line();
  // Everything it still prints.
  std::string rest();
  void signal(int number);
  usage wait();
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] double started() const { return started_; } // as now_seconds()

private:
  pid_t pid_ = -1;
  int out_ = -1;
  std::string buffer_;
  double started_ = 0;
  bool waited_ = false;
};

double now_seconds(); // monotonic
double median(std::vector<double> values);
// A directory of its own below $TMPDIR (or /tmp), removed by the destructor.
class scratch_directory {
public:
  scratch_directory();
  ~scratch_directory();
  [[nodiscard]] const std::string& path() const { return path_; }

private:
  std::string path_;
};

// A node of the binary that lies beside the bench directory, with its addresses. Its data are in `directory`/data: a new
// cluster, or the one that is there. Without its Kafka listener, unless `extra` says where.
struct node_process {
  node_process(const std::string& directory, const std::vector<std::string>& extra = {},
               const std::vector<std::string>& environment = {});
  [[nodiscard]] std::string metrics() const; // the text of /metrics
  [[nodiscard]] double metric(const std::string& name, const std::string& label = {}) const;
  usage stop(); // SIGTERM, and what the node used in its life

  std::string rpc, kafka, http; // "off" where there is none
  double ready_seconds = 0;     // from the start of the process to its ready line
  child process;
};
// The sum over all labels, or over those series that have `label` (queue="commit"). Throws when there is none.
double metric_in(const std::string& metrics, const std::string& name, const std::string& label = {});
// A library that is built beside the benchmarks, for LD_PRELOAD.
std::string preload_library(const std::string& name);
// build/release/pessoa, found from our own executable.
std::string pessoa_binary();
// Runs a command to its end; throws with its stderr's path when it fails. Returns its stdout.
std::string run(const std::vector<std::string>& arguments, const std::string& log_path,
                usage* used = nullptr);
// The number behind "key": in a flat JSON text; where the key is there several times, the last, or the sum.
double json_number(const std::string& json, const std::string& key);
double json_sum(const std::string& json, const std::string& key);
std::string http_get(const std::string& address, const std::string& path);

} // namespace pessoa::bench
