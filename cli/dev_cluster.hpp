// A development cluster: nodes as processes of this machine, remembered in a profile.
//
// The profile has the directory, pids with start times and all addresses, so that every command finds the nodes and a pid
// that was used again is not taken for one of them. Below the directory: lock, node-N/data, node-N/log.
#pragma once

#include "cli/processes.hpp"
#include "cli/profile.hpp"

#include <optional>
#include <string>
#include <vector>

namespace pessoa::cli {

struct node_addresses {
  std::string rpc;                 // empty: never started
  std::optional<std::string> peer; // nullopt: that listener is off
  std::optional<std::string> kafka;
  std::optional<std::string> http;
};
// From "ready node=1 rpc=H:P peer=off kafka=off http=H:P". Error: malformed_message.
struct ready_line {
  int id = 0;
  node_addresses at;
};
result<ready_line> parse_ready_line(std::string_view line);

struct dev_node {
  int id = 0;
  process runs; // pid 0: never started
  node_addresses at;
};

struct dev_cluster {
  std::string name; // of the profile
  std::string directory;
  std::string former; // the profile that was selected before; empty: none
  std::vector<dev_node> nodes;

  [[nodiscard]] std::string data_of(int id) const {
    return directory + "/node-" + std::to_string(id) + "/data";
  }
  [[nodiscard]] std::string log_of(int id) const {
    return directory + "/node-" + std::to_string(id) + "/log";
  }
  [[nodiscard]] dev_node* find(int id);
};

// Errors: not_found (there is none of this name), invalid_argument (the profile is no development cluster, or damaged).
result<dev_cluster> load_dev_cluster(const profile_store& store, const std::string& name);
result<void> save_dev_cluster(const profile_store& store, const dev_cluster& cluster,
                              const std::string& cluster_id);

// {"nodes":[{"id","state","pid","rpc","peer","kafka","http","data"}]}
json to_json(const dev_cluster& cluster);
std::string_view state_name(const dev_node& node); // "up", "down", "paused"

// -- what is done to nodes ---

// What a node is started with; port 0 asks for a free one. What stands in `node.at` is kept.
std::vector<std::string> start_arguments(const std::string& data, const node_addresses& at);

// Starts the process and waits until it is ready; fills in process and addresses. Errors: timed_out, storage_failed,
// both with the end of the node's log.
result<void> start_node(const dev_cluster& cluster, dev_node& node, bool dies_with_us = false);
// SIGTERM, also to a paused one, and waits for its end. Error: timed_out.
result<void> stop_node(const dev_node& node);
// SIGKILL; returns when it is gone or a zombie. Error: timed_out.
result<void> kill_node(const dev_node& node);

// "127.0.0.1:PORT" if it is free now, else "127.0.0.1:0".
std::string free_or_any(uint16_t port);

} // namespace pessoa::cli
