// One record at a time: the median round trip of produce with acks=all, against a bare fdatasync of a 4 KiB append on the
// same file system, in turn. The bar: at most 4 times the bare sync plus 0.2 ms, with at least one sync per record.
#include "bench/processes.hpp"

#include <pessoa/cluster.hpp>
#include <pessoa/producer.hpp>

#include <cstdio>
#include <fcntl.h>
#include <stdexcept>
#include <unistd.h>

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

double produce_ms(pessoa::client::producer& producer, int count) {
  std::vector<double> times;
  pessoa::client::record record;
  record.value = std::string(100, 'x');
  for (int i = 0; i < count; ++i) {
    auto began = now_seconds();
    need(producer.send("trip", record).get());
    times.push_back((now_seconds() - began) * 1e3);
  }
  return median(std::move(times));
}

int compare(int rounds, int count) {
  scratch_directory home;
  node_process node{home.path()};
  run({pessoa_binary(), "topic", "create", "trip", "-b", node.rpc}, home.path() + "/client.log");
  pessoa::client::settings settings;
  settings.set("bootstrap.servers", node.rpc).value();
  settings.set("linger.ms", "0").value();
  auto cluster = need(pessoa::client::cluster::connect(settings));
  auto producer = need(pessoa::client::producer::create(cluster));
  produce_ms(producer, count / 4); // warm

  std::vector<double> bare, trips;
  auto before = node.metric("pessoa_storage_syncs_total");
  for (int round = 0; round < rounds; ++round) {
    bare.push_back(bare_sync_ms(home.path() + "/bare", count));
    trips.push_back(produce_ms(producer, count));
    std::fprintf(stderr, "round %d: bare sync %.3f ms, round trip %.3f ms\n", round + 1, bare.back(), trips.back());
  }
  auto syncs = node.metric("pessoa_storage_syncs_total") - before;
  auto records = static_cast<double>(rounds) * count;
  auto b = median(bare), t = median(trips);
  std::printf("{\"bareSyncMs\":%.4f,\"roundTripMs\":%.4f,\"allowedMs\":%.4f,\"syncsPerRecord\":%.3f}\n", b, t,
              4 * b + 0.2, syncs / records);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  int rounds = 5, count = 1000;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    bool has_value = i + 1 < argc;
    if (word == "--rounds" && has_value)
      rounds = std::atoi(argv[++i]);
    else if (word == "--records" && has_value)
      count = std::atoi(argv[++i]);
    else if (word == "--output" && has_value)
      ++i; // JSON is the only form
    else {
      std::fprintf(stderr, "usage: round_trip [--rounds N] [--records N]\n");
      return word == "--help" ? 0 : 2;
    }
  }
  if (rounds < 1 || count < 4) return 2;
  try {
    return compare(rounds, count);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "round_trip: %s\n", e.what());
    return 1;
  }
}
