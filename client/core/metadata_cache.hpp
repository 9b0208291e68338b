// What the client knows of nodes, topics and leaders. Never goes back: an answer with an older index than one
// already seen is dropped, whichever node gave it (failures N8), and a partition's leader epoch never falls.
//
// Pure and not thread-safe.
#pragma once

#include "pessoa/cluster.hpp"
#include "schema/ids.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pessoa::client {

struct known_topic {
  topic_id id;
  topic_info info;
  size_t message_bytes_max = 0; // from its config; 0: not told
};

// A node's answer, in the words of the cache.
struct metadata_answer {
  metadata_index index{-1};
  cluster_id cluster;
  int32_t controller = -1;
  std::vector<node_info> nodes;
  std::vector<known_topic> topics;
  std::vector<std::pair<std::string, error>> missing; // asked for by name, and why there is no answer
  bool all_topics = false;                            // every topic there is, is in it
};

class metadata_cache {
public:
  enum class verdict { taken, too_old };
  verdict apply(const metadata_answer& answer);

  // An admin answer carried this index: what comes later must be at least as new.
  void at_least(metadata_index index);
  [[nodiscard]] metadata_index index() const { return index_; }

  [[nodiscard]] const known_topic* topic(const std::string& name) const;
  // Why a topic is not there, as the newest answer said; nullptr when nobody has said so.
  [[nodiscard]] const error* missing(const std::string& name) const;
  [[nodiscard]] const node_info* node(int32_t id) const;
  [[nodiscard]] const std::map<int32_t, node_info>& nodes() const { return nodes_; }

  // Forgets that a topic is missing, so that the next question is asked anew.
  void forget_missing(const std::string& name) { missing_.erase(name); }

private:
  metadata_index index_{-1};
  std::map<int32_t, node_info> nodes_;
  std::map<std::string, known_topic> topics_;
  std::map<std::string, error> missing_;
};

} // namespace pessoa::client
