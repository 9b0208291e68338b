#include "node/health.hpp"

#include "actors/routing.hpp"

#include <algorithm>

namespace pessoa::node {

health_verdict judge_health(const actors::environment& env) {
  constexpr size_t named_max = 5; // partitions named one by one; the rest are counted
  health_verdict verdict;
  auto routes = env.routes->load();
  if (routes->index < metadata_index{0}) verdict.reasons.push_back("the metadata log has not been read yet");
  for (auto& [id, topic] : routes->topics) {
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      auto& partition = topic->partitions[i];
      if (partition.isr.size() < partition.replicas.size()) ++verdict.under_replicated;
      auto wanted = std::min<size_t>(static_cast<size_t>(topic->wanted_replicas), 3);
      if (partition.replicas.size() < wanted) ++verdict.below_wanted;
      if (partition.local != nullptr && !partition.offline) continue;
      if (++verdict.leaderless > named_max) continue;
      auto why = partition.offline ? to_string(*partition.offline) : std::string{"no leader yet"};
      verdict.reasons.push_back(topic->name + "[" + std::to_string(i) + "]: " + why);
    }
  }
  if (verdict.leaderless > named_max)
    verdict.reasons.push_back("and " + std::to_string(verdict.leaderless - named_max) + " more partitions without leader");
  if (verdict.under_replicated > 0)
    verdict.reasons.push_back(std::to_string(verdict.under_replicated) + " under-replicated partitions");
  if (auto refusing = env.commits->refusing()) verdict.reasons.push_back(to_string(*refusing));
  return verdict;
}

} // namespace pessoa::node
