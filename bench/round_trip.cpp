// One record at a time: the median round trip of produce with acks=all, against a bare fdatasync of a 4 KiB append on the
// same file system, in turn. The bar: at most 4 times the bare sync plus 0.2 ms, with at least one sync per record.
//
// Then the same once more with a probe in client and node (probe_posix.cpp), and a table of where the time of a median trip
// goes: its parts add up to the trip. The last line has the figures of the rounds, which ran without the probe.
#include "bench/hops.hpp"
#include "bench/processes.hpp"

#include <pessoa/cluster.hpp>
#include <pessoa/producer.hpp>

#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <sstream>
#include <stdexcept>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace {

using namespace pessoa::bench;

double bare_sync_ms(const std::string& path, int count) {
  int fd = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (fd < 0) throw std::runtime_error("cannot open " + path);
  std::vector<double> times;
  static char block[4096];
  for (int i = 0; i < count; ++i) {
    auto began = now_seconds();
    if (write(fd, block, sizeof block) != static_cast<ssize_t>(sizeof block) || fdatasync(fd) != 0)
      throw std::runtime_error("the bare append failed");
    times.push_back((now_seconds() - began) * 1e3);
  }
  close(fd);
  unlink(path.c_str());
  return median(std::move(times));
}

template <class Result>
auto need(Result r) {
  if (!r) throw std::runtime_error(to_string(r.error()));
  return std::move(r).value();
}

struct connected {
  pessoa::client::cluster cluster;
  pessoa::client::producer producer;
};

connected connect(const std::string& rpc) {
  pessoa::client::settings settings;
  settings.set("bootstrap.servers", rpc).value();
  settings.set("linger.ms", "0").value();
  auto cluster = need(pessoa::client::cluster::connect(settings));
  auto producer = need(pessoa::client::producer::create(cluster));
  return {std::move(cluster), std::move(producer)};
}

int64_t nanoseconds(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

std::vector<trip> produce(pessoa::client::producer& producer, int count) {
  std::vector<trip> trips;
  pessoa::client::record record;
  record.value = std::string(100, 'x');
  for (int i = 0; i < count; ++i) {
    auto began = now_seconds();
    need(producer.send("trip", record).get());
    trips.push_back({nanoseconds(began), nanoseconds(now_seconds())});
  }
  return trips;
}

double median_ms(const std::vector<trip>& trips) {
  std::vector<double> times;
  for (auto& t : trips)
    times.push_back(static_cast<double>(t.end_ns - t.begin_ns) / 1e6);
  return median(std::move(times));
}

// -- where the time goes ---

// The client under the probe, a process of its own: its thread, then the begin and end of each trip.
int probed_trips(const char* rpc, int count) {
  auto to = connect(rpc);
  produce(to.producer, count / 4);
  auto trips = produce(to.producer, count);
  std::printf("%ld\n", syscall(SYS_gettid));
  for (auto& t : trips)
    std::printf("%ld %ld\n", t.begin_ns, t.end_ns);
  return 0;
}

std::vector<std::string> probe(const std::string& file, uint16_t process) {
  return {"LD_PRELOAD=" + preload_library("probe"), "PESSOA_PROBE_FILE=" + file,
          "PESSOA_PROBE_PROCESS=" + std::to_string(process)};
}

void print_hops(int count) {
  scratch_directory home;
  auto file = home.path() + "/probe", log = home.path() + "/client.log";
  make_probe_file(file);
  node_process node{home.path(), {}, probe(file, probed_node)};
  run({pessoa_binary(), "topic", "create", "trip", "-b", node.rpc}, log);
  child client{{std::filesystem::read_symlink("/proc/self/exe"), "--probed", node.rpc, std::to_string(count)},
               log,
               probe(file, probed_client)};
  std::istringstream printed{client.rest()};
  if (client.wait().status != 0) throw std::runtime_error("the client under the probe failed");
  if (node.stop().status != 0) throw std::runtime_error("the node under the probe failed");
  int32_t caller = 0;
  printed >> caller;
  std::vector<trip> trips;
  for (trip t; printed >> t.begin_ns >> t.end_ns;)
    trips.push_back(t);
  auto table = take_apart(file, std::move(trips), caller);
  std::printf("with the probe: mean of the %zu trips around the median%s\n", table.counted,
              table.incomplete == 0 ? "" : (", " + std::to_string(table.incomplete) + " left out").c_str());
  for (auto& h : table.hops)
    std::printf("  %-52s %8.1f us  %5.1f %%\n", h.name.c_str(), h.micros, 100 * h.micros / table.trip_micros);
  std::printf("  %-52s %8.1f us\n", "together: the round trip", table.trip_micros);
  std::map<std::string, double> by_kind;
  for (auto& h : table.hops)
    by_kind[h.name.substr(0, h.name.find(':'))] += h.micros;
  const char* between = "  of it ";
  for (auto& [kind, micros] : by_kind)
    std::printf("%s%s %.1f", std::exchange(between, ", "), kind.c_str(), micros);
  std::printf("\n");
}

int compare(int rounds, int count, bool hops) {
  scratch_directory home;
  node_process node{home.path()};
  run({pessoa_binary(), "topic", "create", "trip", "-b", node.rpc}, home.path() + "/client.log");
  auto to = connect(node.rpc);
  produce(to.producer, count / 4); // warm

  std::vector<double> bare, trips;
  auto before = node.metric("pessoa_storage_syncs_total");
  for (int round = 0; round < rounds; ++round) {
    bare.push_back(bare_sync_ms(home.path() + "/bare", count));
    trips.push_back(median_ms(produce(to.producer, count)));
    std::fprintf(stderr, "round %d: bare sync %.3f ms, round trip %.3f ms\n", round + 1, bare.back(),
                 trips.back());
  }
  auto syncs = node.metric("pessoa_storage_syncs_total") - before;
  auto records = static_cast<double>(rounds) * count;
  auto b = median(bare), t = median(trips);
  if (hops) print_hops(count);
  std::printf("{\"bareSyncMs\":%.4f,\"roundTripMs\":%.4f,\"allowedMs\":%.4f,\"syncsPerRecord\":%.3f}\n", b, t,
              4 * b + 0.2, syncs / records);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  int rounds = 5, count = 1000;
  bool hops = true;
  if (argc == 4 && std::strcmp(argv[1], "--probed") == 0) {
    try {
      return probed_trips(argv[2], std::atoi(argv[3]));
    } catch (const std::exception& e) {
      std::fprintf(stderr, "round_trip: %s\n", e.what());
      return 1;
    }
  }
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    bool has_value = i + 1 < argc;
    if (word == "--rounds" && has_value)
      rounds = std::atoi(argv[++i]);
    else if (word == "--records" && has_value)
      count = std::atoi(argv[++i]);
    else if (word == "--output" && has_value)
      hops = std::string{argv[++i]} != "json";
    else {
      std::fprintf(stderr, "usage: round_trip [--rounds N] [--records N] [--output json]\n");
      return word == "--help" ? 0 : 2;
    }
  }
  if (rounds < 1 || count < 10) return 2;
  try {
    return compare(rounds, count, hops);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "round_trip: %s\n", e.what());
    return 1;
  }
}
