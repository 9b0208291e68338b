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
  // Starts `arguments[0]` with its stdout connected to us; stderr goes to `log_path` (appended). Throws on failure.
  child(const std::vector<std::string>& arguments, const std::string& log_path);
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

// A node of the binary that lies beside the bench directory, in a fresh data directory, with its addresses.
struct node_process {
  node_process(const std::string& directory, const std::vector<std::string>& extra = {});
  [[nodiscard]] double metric(const std::string& name) const; // sum over all labels
  usage stop();                                               // SIGTERM, and what the node used in its life

  std::string rpc, http;
  child process;
};
// build/release/pessoa, found from our own executable.
std::string pessoa_binary();
// Runs a command to its end; throws with its stderr's path when it fails. Returns its stdout.
std::string run(const std::vector<std::string>& arguments, const std::string& log_path, usage* used = nullptr);
// The number behind "key": in a flat JSON text.
double json_number(const std::string& json, const std::string& key);
std::string http_get(const std::string& address, const std::string& path);

} // namespace pessoa::bench
