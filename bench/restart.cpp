// How soon does a node serve again after kill -9? Many partitions and many bytes, a producer that still writes, kill -9, and the
// same directory once more: seconds from exec to the ready line, bytes read on the way (/metrics), and beside them the bytes
// that the node could not know to be durable, counted here from the files, after the kill and before the start.
//
// The bar: ready in less than 5 s. The last line is `ready after X s, Y MiB read of Z GiB`, the slowest of the kills; exit status 1
// when the bar is missed. A kill leaves the page cache as it is; --cold empties it of these files first.
#include "bench/log_doubt.hpp"
#include "bench/processes.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <stdexcept>
#include <thread>
#include <unistd.h>

namespace {

using namespace pessoa::bench;
namespace fs = std::filesystem;

constexpr double mib = 1 << 20, gib = 1 << 30;
constexpr double allowed_seconds = 5;
constexpr double patience_seconds = 600; // for the producer to write what a kill waits for

struct arguments {
  int partitions = 1000;
  double gibibytes = 20;
  int kills = 3;
  int running_mib = 256; // that the producer has written when the kill comes
  int record_size = 4096;
  bool cold = false;
  bool json = false;
};

struct kill_figures {
  double ready = 0, recovery = 0, read = 0, journal = 0, segments = 0, total = 0;
};

// The journal at its largest, the reserve below which a node refuses writes, and some room for others.
double room_needed(const arguments& o) {
  return (o.gibibytes * 1.05 + 2) * gib + 2.0 * o.kills * o.running_mib * mib;
}

void check_room(const std::string& directory, const arguments& o) {
  auto free = static_cast<double>(fs::space(directory).available);
  if (free >= room_needed(o)) return;
  char text[256];
  std::snprintf(text, sizeof text,
                "%.1f GiB are free in %s, and %.1f GiB are needed: choose another place with TMPDIR, or less "
                "with --gib",
                free / gib, fs::path{directory}.parent_path().c_str(), room_needed(o) / gib);
  throw std::runtime_error(text);
}

template <class Visit>
void each_file(const std::string& directory, Visit visit) {
  for (auto& entry : fs::recursive_directory_iterator{directory})
    if (entry.is_regular_file()) visit(entry.path(), static_cast<double>(entry.file_size()));
}

double bytes_below(const std::string& directory) {
  double bytes = 0;
  each_file(directory, [&](const fs::path&, double size) { bytes += size; });
  return bytes;
}

void empty_cache_of(const std::string& directory) {
  each_file(directory, [](const fs::path& path, double) {
    int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) throw std::runtime_error("cannot open " + path.string());
    bool done = fdatasync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0;
    close(fd);
    if (!done) throw std::runtime_error("cannot empty the cache of " + path.string());
  });
}

std::vector<std::string> produce(const node_process& node, const arguments& o,
                                 std::vector<std::string> bound) {
  std::vector<std::string> words = {pessoa_binary(),
                                    "bench",
                                    "produce",
                                    "-b",
                                    node.rpc,
                                    "--topic",
                                    "much",
                                    "--acks",
                                    "all",
                                    "--record-size",
                                    std::to_string(o.record_size),
                                    "--partitions-touched",
                                    std::to_string(o.partitions),
                                    "--output",
                                    "json"};
  words.insert(words.end(), bound.begin(), bound.end());
  return words;
}

// Kills the node while a producer writes.
void kill_at_work(node_process& node, const arguments& o, const std::string& log) {
  child producer{produce(node, o, {"--duration", "1h"}), log};
  auto wanted = node.metric("pessoa_bytes_in_total") + o.running_mib * mib;
  for (auto end = now_seconds() + patience_seconds; node.metric("pessoa_bytes_in_total") < wanted;) {
    if (now_seconds() > end) throw std::runtime_error("the producer does not get on; see " + log);
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
  node.process.signal(SIGKILL);
  if (node.process.wait().status != 128 + SIGKILL)
    throw std::runtime_error("the node ended before it was killed");
}

kill_figures look_at(const std::string& data, const arguments& o) {
  kill_figures out;
  out.total = bytes_below(data);
  out.journal = bytes_below(data + "/journal");
  out.segments = bytes_in_doubt(data + "/metadata");
  for (auto& log : fs::directory_iterator{data + "/topics"})
    out.segments += bytes_in_doubt(log.path());
  if (o.cold) empty_cache_of(data);
  return out;
}

int measure(const arguments& o) {
  scratch_directory home;
  check_room(home.path(), o);
  auto log = home.path() + "/client.log";
  auto data = home.path() + "/data";
  auto node = std::make_unique<node_process>(home.path());
  run({pessoa_binary(), "topic", "create", "much", "-b", node->rpc, "-p", std::to_string(o.partitions)}, log);
  auto records = static_cast<uint64_t>(o.gibibytes * gib / o.record_size);
  auto filled = run(produce(*node, o, {"--records", std::to_string(records)}), log);
  std::fprintf(stderr, "%.2f GiB in %d partitions, written in %.1f s\n", bytes_below(data) / gib,
               o.partitions, json_number(filled, "seconds"));

  std::vector<kill_figures> all;
  for (int kill = 1; kill <= o.kills; ++kill) {
    kill_at_work(*node, o, log);
    node.reset();
    all.push_back(look_at(data, o));
    auto& f = all.back();
    node = std::make_unique<node_process>(home.path());
    f.ready = node->ready_seconds;
    auto metrics = node->metrics();
    f.recovery = metric_in(metrics, "pessoa_storage_recovery_seconds");
    f.read = metric_in(metrics, "pessoa_storage_recovery_bytes_read_total");
    if (metric_in(metrics, "pessoa_partition_replicas_offline") != 0
        || metric_in(metrics, "pessoa_partition_replicas") < o.partitions)
      throw std::runtime_error("not every partition came back; see the log of the node");
    std::fprintf(stderr,
                 "kill %d  ready after %.2f s (%.2f of it recovery); not known durable: %.1f MiB in "
                 "segments, %.1f MiB of "
                 "journal; read %.1f MiB, %.1f times that; %.2f GiB in all\n",
                 kill, f.ready, f.recovery, f.segments / mib, f.journal / mib, f.read / mib,
                 f.read / (f.segments + f.journal + 1), f.total / gib);
  }
  auto there =
      json_sum(run({pessoa_binary(), "topic", "describe", "much", "-b", node->rpc, "--output", "json"}, log),
               "logEnd");
  if (there < static_cast<double>(records))
    throw std::runtime_error(std::to_string(records)
                             + " records were acknowledged before the kills, and the logs hold "
                             + std::to_string(there));
  if (node->stop().status != 0) throw std::runtime_error("the node did not stop in order");

  auto& worst = *std::max_element(all.begin(), all.end(), [](auto& a, auto& b) { return a.ready < b.ready; });
  if (o.json)
    std::printf(
        "{\"readySeconds\":%.3f,\"allowedSeconds\":%.0f,\"recoverySeconds\":%.3f,\"readMiB\":%.2f,"
        "\"doubtSegmentsMiB\":%.2f,\"journalMiB\":%.2f,\"totalGiB\":%.3f,\"partitions\":%d,\"kills\":%d}\n",
        worst.ready, allowed_seconds, worst.recovery, worst.read / mib, worst.segments / mib,
        worst.journal / mib, worst.total / gib, o.partitions, o.kills);
  else
    std::printf("ready after %.2f s, %.1f MiB read of %.2f GiB\n", worst.ready, worst.read / mib,
                worst.total / gib);
  return worst.ready < allowed_seconds ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  arguments o;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    bool has_value = i + 1 < argc;
    if (word == "--cold")
      o.cold = true;
    else if (word == "--partitions" && has_value)
      o.partitions = std::atoi(argv[++i]);
    else if (word == "--gib" && has_value)
      o.gibibytes = std::atof(argv[++i]);
    else if (word == "--kills" && has_value)
      o.kills = std::atoi(argv[++i]);
    else if (word == "--running-mib" && has_value)
      o.running_mib = std::atoi(argv[++i]);
    else if (word == "--record-size" && has_value)
      o.record_size = std::atoi(argv[++i]);
    else if (word == "--output" && has_value)
      o.json = std::string{argv[++i]} == "json";
    else {
      std::fprintf(
          stderr, "usage: restart [--gib G] [--partitions N] [--kills N] [--running-mib M] [--record-size B] "
                  "[--cold] [--output json]\n");
      return word == "--help" ? 0 : 2;
    }
  }
  if (o.partitions < 1 || o.gibibytes <= 0 || o.kills < 1 || o.running_mib < 0 || o.record_size < 1) return 2;
  try {
    return measure(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "restart: %s\n", e.what());
    return 1;
  }
}
