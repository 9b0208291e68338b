// A connection to a Pessoa cluster: finds a node through the bootstrap list, logs in, keeps knowing who leads
// what, and comes back by itself when nodes go and return. Producers, consumers and admins are made from it
// and share it.
//
//   auto cluster = pessoa::client::cluster::connect("127.0.0.1:18880");
//   if (!cluster) return fail(explain(cluster.error()));
//
// Owns one thread that does all input and output; callbacks run on it. A `cluster` is a handle: copies are
// the same connection, which ends with close() or when the last handle (also those inside producers,
// consumers and admins) goes. All functions may be called from any thread. Functions that wait must not be
// called from a callback: there they answer invalid_argument at once instead of blocking the thread they wait
// for.
//
// The cluster's id is pinned: an address that turns out to belong to another cluster is refused
// (wrong_cluster), at connect() when "cluster.id" is set, and always when reconnecting.
#pragma once

#include "pessoa/error.hpp"
#include "pessoa/settings.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pessoa::client {

struct node_info {
  int32_t id = -1;
  std::string rpc; // HOST:PORT, empty when there is no such listener
  std::string kafka;
  std::string http;
  std::string peer;
  std::string rack;
  std::string state; // "up", "down", "fenced"
  bool voter = false;
  uint32_t leaders = 0;
  uint32_t replicas = 0;
};

struct cluster_info {
  std::string cluster_id;
  int32_t controller = -1;
  std::vector<node_info> nodes;
};

struct cluster_health {
  bool healthy = false;
  std::vector<std::string> reasons;
  std::vector<int32_t> nodes_down;
  uint32_t leaderless = 0;
  uint32_t under_replicated = 0;
  uint32_t below_wanted = 0;
};

struct partition_info {
  int32_t index = -1;
  int32_t leader = -1; // -1: none now
  int32_t epoch = -1;
  std::vector<int32_t> replicas;
  std::vector<int32_t> isr;
};

struct topic_info {
  std::string name;
  std::string id; // 22 characters
  int32_t wanted_replicas = -1;
  std::vector<partition_info> partitions;    // in order of index
  std::map<std::string, std::string> config; // every key with its value in force
};

class cluster {
public:
  // Tries each address of "bootstrap.servers" once, and goes on doing so for "bootstrap.wait.ms" (default 0).
  // Blocks. Errors: disconnected (nobody answers; last_causes has one line per address), wrong_protocol (the
  // port speaks something else, which is named when it can be told), wrong_cluster, denied,
  // unsupported_version, invalid_config.
  static result<cluster> connect(const settings& settings);
  static result<cluster> connect(std::string_view bootstrap_servers);

  // -- facts of this connection ---
  [[nodiscard]] std::string id() const; // the cluster's, pinned
  [[nodiscard]] std::string
  address() const; // HOST:PORT of the node that control calls go to; empty while reconnecting
  [[nodiscard]] int32_t node() const;             // its id; -1 while reconnecting
  [[nodiscard]] std::string node_version() const; // "0.1.0"
  [[nodiscard]] const client::settings& settings() const;

  // -- questions, asked of a node now; wait up to "default.api.timeout.ms" ---
  // Errors of all: timed_out (with last_causes), denied, shutting_down after close().
  result<cluster_info> info() const;
  result<cluster_health> health() const;
  result<std::vector<topic_info>> topics() const;
  // Error: unknown_topic.
  result<topic_info> topic(std::string_view name) const;

  // Ends all that was made from it: what waits is answered with shutting_down, sent batches that were not
  // answered with unknown_result. Flush producers before. Safe to call twice.
  void close();

  struct state;
  explicit cluster(std::shared_ptr<state> s) : state_(std::move(s)) {}
  [[nodiscard]] const std::shared_ptr<state>& internals() const { return state_; }

private:
  std::shared_ptr<state> state_;
};

} // namespace pessoa::client
