// Is memory bounded when the disk is slow? A node with default settings whose every sync takes 50 ms longer and whose writes
// move 20 MB/s (slow_disk_posix.cpp), and clients that write flat out into four partitions. /metrics is asked twice a
// second; the kernel says at the end what the node's memory was at its highest.
//
// The bar: at most the node's byte budget and 128 MiB. Everything that was acknowledged must be in the logs afterwards, and
// the node must stop in order. The last line is `peak RSS above budget: X MiB (allowed 128)`; exit status 1 when it is more.
#include "bench/processes.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <future>
#include <stdexcept>

namespace {

using namespace pessoa::bench;

constexpr double mib = 1 << 20;
constexpr double allowed_mib = 128;
constexpr int partitions = 4;
constexpr auto sample_interval = std::chrono::milliseconds{500};

struct arguments {
  int seconds = 60;
  int clients = 24; // 5 batches of 1 MiB per partition each: more than the budget
  int sync_ms = 50;
  int bytes_per_second = 20'000'000;
  bool json = false;
};

// The highest value of what was seen, in bytes.
struct peaks {
  double resident = 0, requests = 0, replies = 0, commit = 0, waiting = 0;
  int samples = 0;

  void take(const std::string& metrics) {
    auto higher = [&](double& peak, const char* name, const char* label) {
      peak = std::max(peak, metric_in(metrics, name, label));
    };
    higher(resident, "pessoa_memory_resident_bytes", "");
    higher(requests, "pessoa_queue_bytes_high_water", "queue=\"requests\"");
    higher(replies, "pessoa_queue_bytes_high_water", "queue=\"replies\"");
    higher(commit, "pessoa_queue_bytes", "queue=\"commit\"");
    higher(waiting, "pessoa_queue_waiting", "queue=\"requests\"");
    ++samples;
  }
};

// VmHWM: what no sample can miss.
double highest_resident_bytes(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string line; std::getline(file, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::stod(line.substr(6)) * 1024;
  throw std::runtime_error("the kernel does not say how much memory the node had");
}

int measure(const arguments& o) {
  scratch_directory home;
  node_process node{home.path(),
                    {},
                    {"LD_PRELOAD=" + preload_library("slow_disk"),
                     "PESSOA_SLOW_SYNC_MS=" + std::to_string(o.sync_ms),
                     "PESSOA_SLOW_BYTES_PER_SECOND=" + std::to_string(o.bytes_per_second)}};
  auto log = home.path() + "/client.log";
  run({pessoa_binary(), "topic", "create", "flood", "-b", node.rpc, "-p", std::to_string(partitions)}, log);
  auto before = node.metrics();
  auto budget = metric_in(before, "pessoa_queue_bytes_limit", "queue=\"requests\"");
  std::fprintf(stderr, "disk: %d ms per sync, %.1f MB/s; %d clients, %d partitions, %d s; at rest %.1f MiB\n",
               o.sync_ms, o.bytes_per_second / 1e6, o.clients, partitions, o.seconds,
               metric_in(before, "pessoa_memory_resident_bytes") / mib);

  peaks seen;
  auto flood = std::async(std::launch::async, [&] {
    return run({pessoa_binary(), "bench", "produce", "-b", node.rpc, "--topic", "flood", "--record-size",
                "1024", "--acks", "all", "--partitions-touched", std::to_string(partitions), "--clients",
                std::to_string(o.clients), "--duration", std::to_string(o.seconds) + "s", "--output", "json"},
               log);
  });
  while (flood.wait_for(sample_interval) != std::future_status::ready)
    seen.take(node.metrics());
  auto printed = flood.get();
  auto after = node.metrics();
  seen.take(after);
  auto acknowledged = json_number(printed, "records");
  auto there =
      json_sum(run({pessoa_binary(), "topic", "describe", "flood", "-b", node.rpc, "--output", "json"}, log),
               "logEnd");
  auto peak = highest_resident_bytes(node.process.pid());
  auto syncs = metric_in(after, "pessoa_storage_syncs_total");
  auto stopped = node.stop();
  if (there < acknowledged)
    throw std::runtime_error(std::to_string(acknowledged) + " records were acknowledged, and the logs hold "
                             + std::to_string(there));
  if (stopped.status != 0) throw std::runtime_error("the node did not stop in order; see its log");

  auto above = (peak - budget) / mib;
  if (o.json) {
    std::printf(
        "{\"aboveBudgetMiB\":%.1f,\"allowedMiB\":%.0f,\"budgetMiB\":%.1f,\"peakRssMiB\":%.1f,"
        "\"peakRequestsMiB\":%.1f,\"peakRepliesMiB\":%.1f,\"peakCommitMiB\":%.1f,\"acknowledged\":%.0f,"
        "\"logEnd\":%.0f}\n",
        above, allowed_mib, budget / mib, peak / mib, seen.requests / mib, seen.replies / mib,
        seen.commit / mib, acknowledged, there);
  } else {
    auto row = [](const char* name, double bytes) { std::printf("%-44s %8.1f MiB\n", name, bytes / mib); };
    row("budget for requests", budget);
    row("  used of it, at most", seen.requests);
    row("  queued for commit, at most", seen.commit);
    row("used for replies, at most", seen.replies);
    row("resident, at most (/metrics, 2 per second)", seen.resident);
    row("resident, at most (kernel)", peak);
    std::printf("%-44s %8.0f\n", "messages that waited for room, at most", seen.waiting);
    std::printf("%.0f records acknowledged, %.0f in the logs; %.1f MB/s; %.0f syncs; p99 %.0f ms; %d "
                "samples; the node "
                "stopped in order\n",
                acknowledged, there, json_number(printed, "megabytesPerSecond"), syncs,
                json_number(printed, "p99"), seen.samples);
    std::printf("peak RSS above budget: %.1f MiB (allowed %.0f)\n", above, allowed_mib);
  }
  return above <= allowed_mib ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  arguments o;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    bool has_value = i + 1 < argc;
    if (word == "--seconds" && has_value)
      o.seconds = std::atoi(argv[++i]);
    else if (word == "--clients" && has_value)
      o.clients = std::atoi(argv[++i]);
    else if (word == "--sync-ms" && has_value)
      o.sync_ms = std::atoi(argv[++i]);
    else if (word == "--bytes-per-second" && has_value)
      o.bytes_per_second = std::atoi(argv[++i]);
    else if (word == "--output" && has_value)
      o.json = std::string{argv[++i]} == "json";
    else {
      std::fprintf(stderr,
                   "usage: memory_bound [--seconds S] [--clients N] [--sync-ms MS] [--bytes-per-second B] "
                   "[--output json]\n");
      return word == "--help" ? 0 : 2;
    }
  }
  if (o.seconds < 1 || o.clients < 1 || o.sync_ms < 0 || o.bytes_per_second < 0) return 2;
  try {
    return measure(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "memory_bound: %s\n", e.what());
    return 1;
  }
}
