// What a node may hold: messages, timers and files are bounded at any moment, and when nobody wants anything of it, it holds
// next to nothing and does next to nothing.
#pragma once

#include "simulations/world/world.hpp"

#include <optional>
#include <string>

namespace pessoa::sim {

class resources {
public:
  static constexpr const char* bounded = "resources_are_bounded";
  static constexpr const char* bounded_about = "the messages that wait for an actor, a node's timers and its "
                                               "open files stay below what its settings explain";
  static constexpr const char* rest = "rest_is_quiet";
  static constexpr const char* rest_about =
      "a node without clients takes no steps but those of its upkeep, and closes the files of its logs";

  // Looks once a virtual second, as long as the world runs.
  resources(world& of, node_place& node);

  // Lets a node come to rest whose clients have gone, and then watches it for a while. Requires: it is up, no faults.
  void watch_rest();

private:
  void look();
  [[nodiscard]] size_t replicas() const;

  world& world_;
  node_place& node_;
};

} // namespace pessoa::sim
