#include "protocol/partition/epoch_rules.hpp"

#include "schema/assert.hpp"

#include <algorithm>

namespace pessoa::protocol {

epoch_end end_of_epoch(const std::vector<epoch_begin>& lineage, offset log_end, leader_epoch epoch) {
  PESSOA_ASSERT(!lineage.empty());
  if (epoch < leader_epoch{0} || epoch > lineage.back().epoch) return {};
  auto newer = std::find_if(lineage.begin(), lineage.end(), [&](auto& known) { return known.epoch > epoch; });
  if (newer == lineage.end()) return {epoch, log_end};
  if (newer == lineage.begin()) return {epoch, newer->start};
  return {std::prev(newer)->epoch, newer->start};
}

leader_epoch epoch_at(const std::vector<epoch_begin>& lineage, offset at) {
  auto out = no_epoch;
  for (auto& known : lineage)
    if (known.start <= at) out = known.epoch;
  return out;
}

} // namespace pessoa::protocol
