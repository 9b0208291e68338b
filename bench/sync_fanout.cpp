// What do many thin partitions cost? The same total rate, acks=all, over 1, 10, 100 and 1,000 active partitions: one
// node, fresh for each, 1 KiB records. Rounds alternate over the widths, and the medians are compared: throughput flat
// out at 1,000 against 1, p99 at a fixed rate at 1,000 against 1, and syncs per second.
#include "bench/processes.hpp"

#include <cstdio>
#include <map>
#include <stdexcept>

namespace {

using namespace pessoa::bench;

struct arguments {
  int rounds = 3;
  int rate = 4000;          // records a second, all partitions together
  int seconds = 5;          // of the fixed rate
  int flat_out = 1'000'000; // records
  bool json = false;
};

struct figures {
  std::vector<double> throughput, p50, p99, syncs;
};

double syncs_of(const node_process& node) { return node.metric("pessoa_storage_syncs_total"); }

std::string produce(const node_process& node, int partitions, const std::vector<std::string>& more,
                    const std::string& log) {
  std::vector<std::string> words = {pessoa_binary(),
                                    "bench",
                                    "produce",
                                    "-b",
                                    node.rpc,
                                    "--topic",
                                    "fan",
                                    "--record-size",
                                    "1024",
                                    "--acks",
                                    "all",
                                    "--partitions-touched",
                                    std::to_string(partitions),
                                    "--output",
                                    "json"};
  words.insert(words.end(), more.begin(), more.end());
  return run(words, log);
}

void measure(int partitions, const arguments& o, const std::string& directory, figures& out) {
  scratch_directory home;
  node_process node{home.path()};
  auto log = directory + "/client.log";
  run({pessoa_binary(), "topic", "create", "fan", "-b", node.rpc, "-p", std::to_string(partitions)}, log);
  // An active partition has been written before: its files are open, its producer is known.
  (void)produce(node, partitions, {"--records", "4000", "--rate", std::to_string(o.rate) + "/s"}, log);
  auto before = syncs_of(node);
  auto steady = produce(
      node, partitions,
      {"--records", std::to_string(o.rate * o.seconds), "--rate", std::to_string(o.rate) + "/s"}, log);
  auto seconds = json_number(steady, "seconds");
  out.syncs.push_back((syncs_of(node) - before) / seconds);
  out.p50.push_back(json_number(steady, "p50"));
  out.p99.push_back(json_number(steady, "p99"));
  auto flat = produce(node, partitions, {"--records", std::to_string(o.flat_out)}, log);
  out.throughput.push_back(json_number(flat, "recordsPerSecond"));
  if (node.stop().status != 0) throw std::runtime_error("the node failed");
  std::fprintf(stderr,
               "%5d partitions: %8.0f records/s flat out; at %d/s p50 %.2f ms, p99 %.2f ms, %.0f syncs/s\n",
               partitions, out.throughput.back(), o.rate, out.p50.back(), out.p99.back(), out.syncs.back());
}

int compare(const arguments& o) {
  scratch_directory directory;
  std::map<int, figures> all;
  for (int round = 0; round < o.rounds; ++round)
    for (int partitions : {1, 10, 100, 1000})
      measure(partitions, o, directory.path(), all[partitions]);
  auto throughput = median(all[1000].throughput) / median(all[1].throughput);
  auto p99 = median(all[1000].p99) / median(all[1].p99);
  if (o.json) {
    std::printf("{\"throughputRatio\":%.4f,\"p99Ratio\":%.3f,\"rounds\":%d}\n", throughput, p99, o.rounds);
    return 0;
  }
  for (auto& [partitions, f] : all)
    std::printf("%5d partitions: %8.0f records/s, p99 %.2f ms, %.0f syncs/s\n", partitions,
                median(f.throughput), median(f.p99), median(f.syncs));
  std::printf("1000 against 1: throughput %.3f, p99 %.2f times\n", throughput, p99);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  arguments o;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    bool has_value = i + 1 < argc;
    if (word == "--rounds" && has_value)
      o.rounds = std::atoi(argv[++i]);
    else if (word == "--rate" && has_value)
      o.rate = std::atoi(argv[++i]);
    else if (word == "--seconds" && has_value)
      o.seconds = std::atoi(argv[++i]);
    else if (word == "--records" && has_value)
      o.flat_out = std::atoi(argv[++i]);
    else if (word == "--output" && has_value)
      o.json = std::string{argv[++i]} == "json";
    else {
      std::fprintf(
          stderr, "usage: sync_fanout [--rounds N] [--rate R] [--seconds S] [--records N] [--output json]\n");
      return word == "--help" ? 0 : 2;
    }
  }
  if (o.rounds < 1 || o.rate < 1 || o.seconds < 1 || o.flat_out < 1) return 2;
  try {
    return compare(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "sync_fanout: %s\n", e.what());
    return 1;
  }
}
