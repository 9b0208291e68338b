// What a seed draws of all that can be configured: every timeout, size and limit is at its default, tiny or huge.
//
// The tables of settings say what these ends are (node/settings.hpp, schema/topic_config.hpp, client/core/client_config.hpp):
// a new setting is in the swarm by being declared. Each has its own randomness, by its name, so that it shifts no other.
#pragma once

#include "node/settings.hpp"
#include "simulations/run/scenario.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace pessoa::sim {

class knobs {
public:
  // What the scenario says is not drawn.
  knobs(const scenario& what, uint64_t seed) : what_(what), seed_(seed) {}

  // A node at `address`, with all its listeners.
  [[nodiscard]] node::node_settings of_node(const std::string& address);
  // Of the client of that name, which finds its node at `bootstrap`.
  [[nodiscard]] std::map<std::string, std::string> of_client(const std::string& name,
                                                             const std::string& bootstrap);
  // Of the topic of that name. `may_shrink`: also what removes records by age and size.
  [[nodiscard]] std::map<std::string, std::string> of_topic(const std::string& name, bool may_shrink);

  // What is not at its default, for people: "linger.ms=500 acks=1", by whose it is.
  [[nodiscard]] const std::map<std::string, std::string>& drawn() const { return drawn_; }

private:
  void note(const std::string& owner, const std::map<std::string, std::string>& settings);
  // 0 tiny, 1 the default, 2 huge; in some seeds always the default.
  [[nodiscard]] int draw(bool drawn, const std::string& owner, std::string_view setting) const;

  const scenario& what_;
  uint64_t seed_;
  std::map<std::string, std::string> drawn_;
};

} // namespace pessoa::sim
