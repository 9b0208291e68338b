// How much of a bare pump does the node reach? Alternating rounds of
//   (a) a program that moves random bytes in 64 KiB reads and writes from a loopback socket into a file and syncs it
//       before the clock stops, and
//   (b) `pessoa bench produce`: one node, one partition, 1 KiB records, no codec, acks=all; the clock stops at the last
//       acknowledgement.
// Sender, pump, client and node are processes of their own; all files lie on the same file system. The last line is
// `ratio: X`, the median over the rounds of (b)'s bytes per second over (a)'s.
#include "bench/processes.hpp"

#include <arpa/inet.h>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <random>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace pessoa::bench;

constexpr size_t block = 64 << 10;
constexpr double gib = 1024.0 * 1024 * 1024;

struct arguments {
  int rounds = 5;
  double gibibytes = 4;
  bool json = false;
};

// -- the two programs of (a), run as children of this binary ---

// Listens, prints its port, moves bytes until the sender closes, syncs, prints the seconds since the first byte.
int pump(const char* path) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || listen(listener, 1) != 0) return 1;
  socklen_t size = sizeof at;
  getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size);
  std::printf("%d\n", ntohs(at.sin_port));
  std::fflush(stdout);
  int from = accept(listener, nullptr, nullptr);
  int into = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (from < 0 || into < 0) return 1;
  static char buffer[block];
  double began = 0;
  for (;;) {
    size_t have = 0;
    while (have < block) {
      auto got = read(from, buffer + have, block - have);
      if (got < 0) return 1;
      if (got == 0) break;
      if (began == 0) began = now_seconds();
      have += static_cast<size_t>(got);
    }
    if (have == 0) break;
    if (write(into, buffer, have) != static_cast<ssize_t>(have)) return 1;
  }
  if (fdatasync(into) != 0) return 1;
  std::printf("%.6f\n", now_seconds() - began);
  return 0;
}

int send_random(const char* port, const char* count) {
  int to = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
  if (connect(to, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) return 1;
  int on = 1;
  setsockopt(to, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  static char buffer[block];
  std::mt19937_64 random{1};
  for (size_t i = 0; i < block; i += sizeof(uint64_t)) {
    auto word = random();
    std::memcpy(buffer + i, &word, sizeof word);
  }
  for (auto left = std::strtoull(count, nullptr, 10); left > 0;) {
    auto part = std::min<unsigned long long>(left, block);
    for (size_t sent = 0; sent < part;) {
      auto n = write(to, buffer + sent, part - sent);
      if (n <= 0) return 1;
      sent += static_cast<size_t>(n);
    }
    left -= part;
  }
  return 0;
}

// -- rounds ---

struct figures {
  double seconds = 0, cpu = 0, syncs = 0;
};

figures pump_round(const std::string& directory, uint64_t bytes) {
  auto self = "/proc/self/exe";
  char own[4096] = {};
  if (readlink(self, own, sizeof own - 1) < 0) throw std::runtime_error("readlink");
  auto file = directory + "/pumped";
  child receiver{{own, "--pump", file}, directory + "/pump.log"};
  auto port = receiver.line();
  child sender{{own, "--send", port, std::to_string(bytes)}, directory + "/pump.log"};
  figures out;
  out.seconds = std::stod(receiver.line());
  auto received = receiver.wait();
  auto sent = sender.wait();
  if (received.status != 0 || sent.status != 0)
    throw std::runtime_error("the pump failed; see " + directory + "/pump.log");
  out.cpu = received.cpu_seconds + sent.cpu_seconds;
  out.syncs = 1;
  unlink(file.c_str());
  return out;
}

figures node_round(const std::string& directory, uint64_t bytes) {
  scratch_directory home;
  node_process node{home.path()};
  auto log = directory + "/client.log";
  run({pessoa_binary(), "topic", "create", "pump", "-b", node.rpc, "-p", "1"}, log);
  usage client;
  auto printed =
      run({pessoa_binary(), "bench", "produce", "-b", node.rpc, "--topic", "pump", "--records",
           std::to_string(bytes / 1024), "--record-size", "1024", "--acks", "all", "--output", "json"},
          log, &client);
  figures out;
  out.seconds = json_number(printed, "seconds");
  out.syncs = node.metric("pessoa_storage_fsync_seconds_count");
  auto used = node.stop();
  if (used.status != 0) throw std::runtime_error("the node failed");
  out.cpu = client.cpu_seconds + used.cpu_seconds;
  return out;
}

int compare(const arguments& o) {
  scratch_directory directory;
  auto bytes = static_cast<uint64_t>(o.gibibytes * gib);
  std::vector<double> ratios;
  std::fprintf(
      stderr,
      "pump: 64 KiB socket reads to file, synced; node: bench produce, 1 KiB records; %.2f GiB each\n",
      o.gibibytes);
  for (int round = 1; round <= o.rounds; ++round) {
    auto a = pump_round(directory.path(), bytes);
    auto b = node_round(directory.path(), bytes);
    auto rate = [&](const figures& f) { return static_cast<double>(bytes) / f.seconds / 1e6; };
    ratios.push_back(rate(b) / rate(a));
    std::fprintf(stderr,
                 "round %d  pump %.0f MB/s, %.2f CPU s/GiB   node %.0f MB/s, %.2f CPU s/GiB, %.0f syncs   "
                 "ratio %.3f\n",
                 round, rate(a), a.cpu / o.gibibytes, rate(b), b.cpu / o.gibibytes, b.syncs, ratios.back());
  }
  if (o.json)
    std::printf("{\"ratio\":%.4f,\"rounds\":%d,\"gibibytes\":%.3f}\n", median(ratios), o.rounds, o.gibibytes);
  else
    std::printf("ratio: %.3f\n", median(ratios));
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--pump") == 0) return pump(argv[2]);
  if (argc == 4 && std::strcmp(argv[1], "--send") == 0) return send_random(argv[2], argv[3]);
  arguments o;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    bool has_value = i + 1 < argc;
    if (word == "--rounds" && has_value)
      o.rounds = std::atoi(argv[++i]);
    else if (word == "--gib" && has_value)
      o.gibibytes = std::atof(argv[++i]);
    else if (word == "--output" && has_value)
      o.json = std::string{argv[++i]} == "json";
    else {
      std::fprintf(stderr, "usage: pump_ratio [--rounds N] [--gib G] [--output json]\n");
      return word == "--help" ? 0 : 2;
    }
  }
  if (o.rounds < 1 || o.gibibytes <= 0) return 2;
  try {
    return compare(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "pump_ratio: %s\n", e.what());
    return 1;
  }
}
