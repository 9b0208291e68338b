#include "simulations/check/loss_check.hpp"

namespace pessoa::sim {

std::optional<std::string> loss_check::look(const partition_key& key, offset high_watermark, uint64_t life) {
  auto& of = logs_[key];
  auto& ends = of.ends;
  bool first = std::exchange(of.life, life) != life;
  if (!first) {
    if (ends.empty() || ends.back() < high_watermark) ends.push_back(high_watermark);
    if (ends.size() > ends_max) ends.pop_front();
    return std::nullopt;
  }
  size_t gone = 0;
  offset before = ends.empty() ? high_watermark : ends.back();
  while (!ends.empty() && ends.back() > high_watermark) {
    ends.pop_back();
    ++gone;
  }
  if (ends.empty() || ends.back() < high_watermark) ends.push_back(high_watermark);
  if (gone <= 1) return std::nullopt;
  return "it had shown " + std::to_string(before.value()) + ", and a new leader begins at "
         + std::to_string(high_watermark.value()) + ", " + std::to_string(gone) + " commits earlier";
}

} // namespace pessoa::sim
