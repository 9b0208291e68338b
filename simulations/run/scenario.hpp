// A scenario: what there is, who works, what goes wrong, as values. Read from simulations/scenarios/*.toml, which are built
// into the command, or from a file of the user's.
#pragma once

#include "schema/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pessoa::sim {

struct fault_choice {
  std::string kind;
  uint32_t percent = 50; // of the seeds in which it happens at all
};

// Of one seed.
inline constexpr int64_t directories_max = 1000;

struct scenario {
  std::string name;
  std::string title;
  int64_t seconds = 30; // virtual; the last quarter is calm
  int32_t topics = 2, partitions = 3;
  int32_t writers = 2, plain_writers = 1, readers = 2; // plain: without idempotence
  int32_t administrators = 0, churning_topics = 0;     // who change topics, and topics that come and go
  // Of the administrators: change what a batch may weigh, and remove records, again and again.
  int32_t resizers = 0, removers = 0;
  int32_t kafka_writers = 0, kafka_readers = 0; // clients that speak Kafka's protocol
  int32_t hostile = 0;                          // clients that mean no good
  // Data directories that are driven alone, one after the other; then there is nothing else of all this.
  int64_t directories = 0, first_directory = 0;
  bool final_crash = true;                                        // before the last look
  bool draw_node = true, draw_topics = true, draw_clients = true; // settings; else all at their default
  // What is not drawn but so: settings of nodes, topics and clients by their names.
  std::map<std::string, std::string> node, topic, client;
  std::vector<fault_choice> faults; // empty: every kind there is, in half of the seeds
};

// Errors: invalid_argument with line, key and what is allowed.
result<scenario> parse_scenario(std::string_view name, std::string_view text);
// Those that are built in, in order of name.
const std::vector<scenario>& known_scenarios();
// A built-in one by its name, or else the file of that name. Errors: not_found with the names, those of parsing.
result<scenario> find_scenario(const std::string& name_or_file);

} // namespace pessoa::sim
