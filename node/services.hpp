// What the listeners of a node may call: the actors, the routes, the facts that every answer needs. One per node, shared
// by all network threads, immutable after start.
#pragma once

#include "actors/environment.hpp"
#include "actors/interfaces.hpp"
#include "actors/routing.hpp"
#include "node/byte_budget.hpp"
#include "schema/limits.hpp"

#include <string>

namespace pessoa::node {

struct services {
  actors::environment* env = nullptr;
  actors::broker_actor broker;
  actors::controller_actor controller;
  actors::gateway_actor gateway;
  std::shared_ptr<byte_budget> replies; // batches that were read and are not on their way to the client yet
  cluster_id cluster;
  bool auto_create = false;
  int32_t default_partitions = 1;
  std::string version;
};

} // namespace pessoa::node
