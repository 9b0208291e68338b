// What does it cost a Kafka client to read a topic, beside a native one? One node, one topic of one partition, filled once;
// then, in alternating rounds,
//   (a) `pessoa bench consume`, the native client: whole records,
//   (b) a bare client of Kafka's Fetch (version 11) on one blocking socket, a child of this program: it checks each batch's
//       place and CRC and opens none; what it shows is the node's side,
//   (c) kcat into /dev/null, a whole foreign client, if it is installed.
// For each: bytes of values per second, and the node's processor time per GiB. Then what the node's own metrics say of
// batches that were changed on their way to a client: none should be. The last line is `ratio: X`, the median over the
// rounds of (b)'s throughput over (a)'s.
#include "bench/processes.hpp"
#include "kafka/codec/frame.hpp"
#include "kafka/messages/fetch.hpp"
#include "schema/record_batch.hpp"

#include <arpa/inet.h>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace pessoa;
using namespace pessoa::bench;

constexpr double gib = 1024.0 * 1024 * 1024;
constexpr size_t record_bytes = 1024;
const std::string topic = "fetched";
// Counts the bytes of batches that did not go out from where the log was read to: copied, rebuilt or compressed anew.
const std::string changed_metric = R"(pessoa_kafka_record_bytes_total{api="fetch",how="moved"})";

struct arguments {
  int rounds = 5;
  double gibibytes = 1;
  std::string codec = "none";
  bool json = false;
};

// -- (b), run as a child of this binary ---

class connection {
public:
  explicit connection(const std::string& address) {
    auto colon = address.rfind(':');
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
    if (inet_pton(AF_INET, address.substr(0, colon).c_str(), &at.sin_addr) != 1)
      throw std::runtime_error("not an address: " + address);
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    if (socket_ < 0 || connect(socket_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0)
      throw std::runtime_error("cannot connect to " + address);
    int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~connection() { close(socket_); }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  void send(const std::vector<uint8_t>& message) {
    for (size_t sent = 0; sent < message.size();) {
      auto n = write(socket_, message.data() + sent, message.size() - sent);
      if (n <= 0) throw std::runtime_error("the node closed the connection");
      sent += static_cast<size_t>(n);
    }
  }
  // The next frame, without its length. Each has memory of its own that nothing has touched: a vector would clear it.
  bytes receive() {
    uint8_t length[4];
    fill(length, sizeof length);
    auto size = static_cast<size_t>(load_be<uint32_t>(length));
    if (size > (256u << 20)) throw std::runtime_error("a frame of " + std::to_string(size) + " bytes");
    std::shared_ptr<uint8_t[]> frame{new uint8_t[size]};
    fill(frame.get(), size);
    return {frame, byte_view{frame.get(), size}};
  }

private:
  void fill(uint8_t* into, size_t count) {
    for (size_t have = 0; have < count;) {
      auto n = read(socket_, into + have, count - have);
      if (n <= 0) throw std::runtime_error("the node closed the connection");
      have += static_cast<size_t>(n);
    }
  }
  int socket_ = -1;
};

kafka::fetch_request ask_from(int64_t from) {
  kafka::fetch_request ask;
  ask.max_wait_ms = 500;
  ask.min_bytes = 1;
  ask.max_bytes = 50 << 20;
  auto& wanted = ask.topics.emplace_back();
  wanted.topic = topic;
  auto& partition = wanted.partitions.emplace_back();
  partition.fetch_offset = from;
  partition.partition_max_bytes = 1 << 20; // what Kafka's clients ask for
  return ask;
}

// Reads so many records; prints {"records":N,"bytes":N,"seconds":S}, the bytes being those of batches.
int fetch(const std::string& address, int64_t records) {
  connection node{address};
  double began = now_seconds();
  int64_t next = 0;
  uint64_t size = 0;
  for (int32_t correlation = 1; next < records; ++correlation) {
    node.send(kafka::encode_request(ask_from(next), 11, correlation, "kafka_fetch").value().joined());
    auto answer = kafka::decode_response<kafka::fetch_response>(node.receive(), 11, correlation).value();
    auto& got = answer.topics.at(0).partitions.at(0);
    if (answer.error_code != 0 || got.error_code != 0)
      throw std::runtime_error("Kafka's error " + std::to_string(answer.error_code + got.error_code));
    auto rest = got.records ? got.records->view() : byte_view{};
    while (rest.size() >= batch_header_size) {
      auto header = parse_batch_header(rest).value();
      if (header.size() > rest.size()) break; // the last may be cut off
      auto batch = rest.first(header.size());
      if (!batch_crc_matches(batch) || header.last_offset().value() < next)
        throw std::runtime_error("a batch that is damaged or out of place");
      next = header.next_offset().value();
      size += header.size();
      rest = rest.subspan(header.size());
    }
  }
  std::printf("{\"records\":%lld,\"bytes\":%llu,\"seconds\":%.6f}\n", static_cast<long long>(next),
              static_cast<unsigned long long>(size), now_seconds() - began);
  return 0;
}

// -- rounds ---

// User and system time of a running process.
double cpu_seconds_of(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  std::string text{std::istreambuf_iterator<char>{file}, {}};
  auto after_name = text.rfind(')');
  if (after_name == std::string::npos) throw std::runtime_error("no process " + std::to_string(pid));
  char state = 0;
  long long skipped = 0, user = 0, system = 0;
  std::istringstream fields{text.substr(after_name + 1)};
  fields >> state;
  for (int i = 0; i < 10; ++i)
    fields >> skipped;
  fields >> user >> system;
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

struct reading {
  std::vector<double> rate, node_cpu, client_cpu; // MB/s; CPU seconds per GiB
};

struct contest {
  const arguments& options;
  std::string directory;
  node_process& node;
  int64_t records;
  double bytes;
  std::map<std::string, reading> readings{};

  // `seconds` reads from the output how long it took; without it the whole life of the process counts.
  void round(const std::string& name, const std::vector<std::string>& command, bool tells_seconds) {
    auto before = cpu_seconds_of(node.process.pid());
    usage used;
    auto printed = run(command, directory + "/" + name + ".log", &used);
    auto seconds = tells_seconds ? json_number(printed, "seconds") : used.wall_seconds;
    if (tells_seconds && static_cast<int64_t>(json_number(printed, "records")) != records)
      throw std::runtime_error(name + " read another number of records: " + printed);
    auto& into = readings[name];
    into.rate.push_back(bytes / seconds / 1e6);
    into.node_cpu.push_back((cpu_seconds_of(node.process.pid()) - before) / (bytes / gib));
    into.client_cpu.push_back(used.cpu_seconds / (bytes / gib));
  }
};

std::string own_path() {
  char own[4096] = {};
  if (readlink("/proc/self/exe", own, sizeof own - 1) < 0) throw std::runtime_error("readlink");
  return own;
}

int compare(const arguments& o) {
  scratch_directory directory;
  node_process node{directory.path(), {"--kafka-listen", "127.0.0.1:0"}};
  if (node.kafka == "off") throw std::runtime_error("this node has no Kafka listener");
  (void)node.metric(changed_metric); // it is there, before minutes are spent
  auto records = static_cast<int64_t>(o.gibibytes * gib / record_bytes);
  contest all{o, directory.path(), node, records, static_cast<double>(records) * record_bytes};
  auto log = directory.path() + "/client.log";
  run({pessoa_binary(), "topic", "create", topic, "-b", node.rpc, "-p", "1"}, log);
  run({pessoa_binary(), "bench", "produce", "-b", node.rpc, "--topic", topic, "--records",
       std::to_string(records), "--record-size", std::to_string(record_bytes), "-z", o.codec, "--output",
       "json"},
      log);
  bool has_kcat = std::system("command -v kcat >/dev/null 2>&1") == 0;
  std::fprintf(stderr, "%.2f GiB in records of 1 KiB, codec %s; node's CPU s per GiB in brackets%s\n",
               o.gibibytes, o.codec.c_str(), has_kcat ? "" : "; kcat is not installed");
  for (int round = 1; round <= o.rounds; ++round) {
    all.round("native",
              {pessoa_binary(), "bench", "consume", "-b", node.rpc, "--topic", topic, "--records",
               std::to_string(records), "--output", "json"},
              true);
    all.round("fetch", {own_path(), "--fetch", node.kafka, std::to_string(records)}, true);
    if (has_kcat)
      all.round(
          "kcat",
          {"sh", "-c", "exec kcat -b " + node.kafka + " -C -t " + topic + " -o beginning -e -q >/dev/null"},
          false);
    std::fprintf(stderr, "round %d", round);
    for (auto& [name, r] : all.readings)
      std::fprintf(stderr, "   %s %.0f MB/s (%.2f)", name.c_str(), r.rate.back(), r.node_cpu.back());
    std::fprintf(stderr, "\n");
  }
  auto ratio = [&](const std::string& over) {
    std::vector<double> ratios;
    for (size_t i = 0; i < all.readings["native"].rate.size(); ++i)
      ratios.push_back(all.readings[over].rate[i] / all.readings["native"].rate[i]);
    return median(ratios);
  };
  auto changed = node.metric(changed_metric);
  for (auto& [name, r] : all.readings)
    std::fprintf(stderr, "%-8s %6.0f MB/s   CPU s/GiB: node %.2f, client %.2f   of native %.3f\n",
                 name.c_str(), median(r.rate), median(r.node_cpu), median(r.client_cpu), ratio(name));
  std::fprintf(stderr, "%s: %.0f\n", changed_metric.c_str(), changed);
  if (node.stop().status != 0) throw std::runtime_error("the node failed");
  if (o.json)
    std::printf("{\"ratio\":%.4f,\"kcat\":%.4f,\"changed\":%.0f,\"rounds\":%d,\"gibibytes\":%.3f}\n",
                ratio("fetch"), has_kcat ? ratio("kcat") : 0, changed, o.rounds, o.gibibytes);
  else
    std::printf("ratio: %.3f\n", ratio("fetch"));
  return changed == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  arguments o;
  try {
    if (argc == 4 && std::strcmp(argv[1], "--fetch") == 0) return fetch(argv[2], std::atoll(argv[3]));
    for (int i = 1; i < argc; ++i) {
      std::string word = argv[i];
      bool has_value = i + 1 < argc;
      if (word == "--rounds" && has_value)
        o.rounds = std::atoi(argv[++i]);
      else if (word == "--gib" && has_value)
        o.gibibytes = std::atof(argv[++i]);
      else if (word == "--codec" && has_value)
        o.codec = argv[++i];
      else if (word == "--output" && has_value)
        o.json = std::string{argv[++i]} == "json";
      else {
        std::fprintf(stderr, "usage: kafka_fetch [--rounds N] [--gib G] [--codec C] [--output json]\n");
        return word == "--help" ? 0 : 2;
      }
    }
    if (o.rounds < 1 || o.gibibytes <= 0) return 2;
    return compare(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "kafka_fetch: %s\n", e.what());
    return 1;
  }
}
