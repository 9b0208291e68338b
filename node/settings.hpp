// What a node is told before it starts: every setting with its type, range, default and a sentence, in one
// table.
//
// The order of precedence is flag, PESSOA_... environment, TOML file, default. One name per setting:
// `peer-listen` is
// --peer-listen, PESSOA_PEER_LISTEN and the key peer-listen of the file. An unknown key is an error that
// names the nearest known one; a value out of its range is an error, never a fallback. Nothing is opened,
// bound or created here.
#pragma once

#include "schema/result.hpp"
#include "schema/seams/clock.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pessoa::node {

// HOST:PORT. Port 0 asks the system for a free one.
struct endpoint {
  std::string host;
  uint16_t port = 0;
  friend bool operator==(const endpoint&, const endpoint&) = default;
};
std::string to_string(const endpoint& address); // "127.0.0.1:18880", "[::1]:18880"
// Error: invalid_argument, quoting the text.
result<endpoint> parse_endpoint(std::string_view text);

struct node_settings {
  std::string data;                    // --data, required
  bool begin_new = false;              // --new: begin a cluster in an empty directory
  std::vector<endpoint> join;          // enter the cluster that one of these belongs to
  std::string host = "127.0.0.1";      // what all listeners bind to that say nothing else
  std::string advertise;               // what others are told; empty: the address that the caller reached
  endpoint listen{"127.0.0.1", 18880}; // clients
  endpoint peer_listen{"127.0.0.1", 18881};                           // other nodes
  std::optional<endpoint> kafka_listen = endpoint{"127.0.0.1", 9092}; // nullopt: off
  std::string kafka_api_max; // as kafka::advertised_apis::limited() reads it, and has read it
  std::optional<endpoint> http_listen = endpoint{"127.0.0.1", 18882}; // nullopt: off
  std::string rack;
  std::string log_level = "info";  // error, warning, info, debug
  bool auto_create = false;        // topics come into being when first written to
  uint32_t default_partitions = 1; // of a topic that is created without a number
  uint64_t memory_budget_bytes =
      256ull << 20; // for bytes in flight: requests, replies, batches on their way to disk
  uint64_t disk_reserve_bytes = 256ull << 20; // below this much free space writes are refused
  uint32_t workers = 0;                       // threads that run actors; 0: one per core
  uint32_t network_threads = 0;               // 0: one per two cores, at least one
  uint32_t io_threads = 4;                    // threads that may block on the disk

  // -- connections ---
  uint32_t connections_max = 10'000; // of one listener; who comes above that is turned away
  uint32_t connections_per_address_max = 2'000;
  duration slow_reader_deadline =
      std::chrono::seconds{30};                      // a peer that leaves its answers for so long is cut
  duration idle_deadline = std::chrono::minutes{10}; // Kafka's connections.max.idle.ms, for Kafka's clients

  // -- partitions ---
  uint64_t partition_queue_bytes_max =
      64ull << 20; // that wait for the disk; beyond it produce is refused as overloaded
  uint32_t parked_fetches_max =
      10'000; // of a partition; beyond it a fetch is answered at once, with what there is

  // -- logs ---
  duration upkeep_interval = std::chrono::seconds{30};
  uint32_t opens_in_parallel = 8;
  uint32_t journal_from_logs = 4;
  uint64_t journal_bytes_max = 256ull << 20;
  uint64_t index_interval_bytes = 64 << 10;
  uint64_t producer_snapshot_bytes = 64 << 10;
  uint32_t producers_max = 10'000;
  duration producer_expiry = std::chrono::hours{24};
  friend bool operator==(const node_settings&, const node_settings&) = default;
};

struct setting_info {
  std::string_view name;         // "peer-listen"
  std::string_view type;         // "host:port"
  std::string_view range;        // "or off"; empty when the type says it all
  std::string_view default_text; // empty: none
  std::string_view about;        // one sentence
  // The ends between which simulated nodes draw it, beside the default; empty: they do not.
  std::string_view tiny, huge;
};
// In the order in which help and documents show them.
const std::vector<setting_info>& setting_table();

// "PESSOA_PEER_LISTEN".
std::string environment_name(std::string_view setting);

struct settings_sources {
  std::map<std::string, std::string> flags; // by setting name; only those given
  std::map<std::string, std::string>
      environment; // the whole environment; what does not begin with PESSOA_ is ignored
  std::optional<std::string> config_file; // --config; else PESSOA_CONFIG; else no file
};

struct loaded_settings {
  node_settings settings;
  std::map<std::string, std::string>
      origin; // setting -> "--listen", "PESSOA_LISTEN", "node.toml" or "default"
  std::vector<std::string>
      warnings; // PESSOA_ variables that are not settings, listeners that are not built yet
};

// Errors: invalid_argument with source, key and value. A variable PESSOA_X that resembles no setting is a
// warning only: the environment is shared with other programs.
result<loaded_settings> load_settings(const settings_sources& sources);

// The parsing of the file alone: keys and values as text (a list is joined with commas). `name` is for
// messages.
result<std::map<std::string, std::string>> parse_settings_file(std::string_view text, std::string_view name);

} // namespace pessoa::node
