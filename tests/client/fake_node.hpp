// A cluster of nodes in memory that speaks client.capnp over real sockets, for tests of the client: it keeps
// Kafka's rules (idempotence, leaders, long polls), and does on command what real ones do at the worst
// moment.
//
// Everything lives on one loop; tests reach in through on_loop().
#pragma once

#include "schema/record_batch.hpp"
#include "schema/seams/io_loop.hpp"
#include "schema/wire/client.capnp.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pessoa::client::test {

struct fake_partition {
  int32_t leader = 1;
  int32_t epoch = 0;
  std::vector<std::vector<uint8_t>> batches;
  int64_t start = 0;
  int64_t end = 0;
  struct remembered {
    int32_t first, last;
    int64_t base;
  };
  std::map<int64_t, std::deque<remembered>> producers;
  std::vector<kj::Own<kj::PromiseFulfiller<void>>> waiting; // parked fetches
};

struct fake_topic {
  std::array<uint8_t, 16> id{};
  std::map<std::string, std::string> config;
  std::vector<fake_partition> partitions;
};

enum class produce_fault { none, cut_before, cut_after, no_answer };

// What the nodes share. Of the loop.
struct fake_world {
  io_loop* loop = nullptr;
  std::array<uint8_t, 16> cluster_id{};
  int64_t index = 1;
  std::map<std::string, fake_topic> topics;
  int64_t next_producer_id = 1000;
  uint64_t next_topic = 1;
  // -- faults ---
  std::function<produce_fault(const std::string& topic, int32_t partition)> fault;
  std::function<std::optional<pessoa::error>()> produce_error; // answered instead of appending
  std::function<std::optional<pessoa::error>()> fetch_error;
  std::optional<int64_t> stale_index; // metadata is answered with this index
  bool deny_admin = false;
  bool discard = false; // forget what was written, for benchmarks
  // -- what happened ---
  int logins = 0;
  int produces = 0;
  int fetches = 0;
  int metadata_requests = 0;
  std::map<int32_t, std::string> addresses;     // of the nodes that are up
  std::map<int32_t, std::function<void()>> cut; // closes the node's connections
};

class fake_cluster {
public:
  explicit fake_cluster(int nodes = 1);
  ~fake_cluster();

  [[nodiscard]] std::string bootstrap() const; // all addresses
  [[nodiscard]] std::string address(int32_t node) const {
    return "127.0.0.1:" + std::to_string(ports_.at(node));
  }
  void stop(int32_t node);  // refuses connections, cuts those there are
  void start(int32_t node); // at the same port, with the same data
  void add_topic(const std::string& name, int32_t partitions, std::map<std::string, std::string> config = {});
  void on_loop(const std::function<void(fake_world&)>& task);
  template <class T>
  T ask(const std::function<T(fake_world&)>& question) {
    std::optional<T> answer;
    on_loop([&](fake_world& w) { answer = question(w); });
    return *answer;
  }
  network& net() { return *net_; }

private:
  struct node;
  std::unique_ptr<network> net_;
  std::shared_ptr<io_loop> loop_;
  fake_world world_;
  std::map<int32_t, uint16_t> ports_;
  std::map<int32_t, kj::Own<node>> nodes_; // of the loop
};

} // namespace pessoa::client::test
