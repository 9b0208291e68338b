// Is this cluster well, and if not, why: one verdict for `pessoa cluster health`, /readyz and /metrics.
#pragma once

#include "actors/environment.hpp"

#include <string>
#include <vector>

namespace pessoa::node {

struct health_verdict {
  std::vector<std::string> reasons; // empty: healthy
  uint32_t leaderless = 0;
  uint32_t under_replicated = 0;
  uint32_t below_wanted = 0;        // fewer replicas than wanted because there are fewer nodes: told, not a reason
};

health_verdict judge_health(const actors::environment& env);

} // namespace pessoa::node
