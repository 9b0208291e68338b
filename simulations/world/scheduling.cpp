#include "simulations/world/scheduling.hpp"

#include "schema/assert.hpp"

namespace pessoa::sim {

size_t scheduling::pick(const std::vector<process::item>& items) {
  PESSOA_ASSERT(!items.empty());
  if (items.size() == 1) return 0;
  if (policy_ == policy::uniform) return random_.below(items.size());
  size_t best = 0;
  uint64_t highest = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    auto [at, fresh] = priority_.try_emplace(key{items[i].of->label(), items[i].identity}, 0);
    if (fresh) at->second = UINT64_MAX / 2 + random_.below(UINT64_MAX / 4);
    if (at->second > highest) {
      highest = at->second;
      best = i;
    }
  }
  if (--left_ == 0) {
    priority_[key{items[best].of->label(), items[best].identity}] = --lowest_;
    draw_change();
  }
  return best;
}

} // namespace pessoa::sim
