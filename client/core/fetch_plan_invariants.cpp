// What must hold between any two calls, as text that runs. For tests and simulations.
#include "client/core/fetch_plan.hpp"

namespace pessoa::client {

std::optional<std::string> fetch_plan::check_invariants() const {
  size_t buffered = 0, reserved = 0, asked = 0;
  for (auto& [at, p] : parts_) {
    auto name = to_string(at) + ": ";
    if (auto why = wrong_place(p)) return name + *why;
    size_t held = 0;
    for (auto& c : p.chunks)
      held += c.data.size();
    if (held != p.buffered)
      return name + "holds " + std::to_string(held) + " bytes, and counts " + std::to_string(p.buffered);
    if (!p.paused) buffered += held;
    reserved += p.reserved;
    if (p.asked == 0) {
      if (p.reserved != 0) return name + "has bytes reserved, and has not asked for any";
      continue;
    }
    ++asked;
    auto question = asked_.find(p.asked);
    if (question == asked_.end() || question->second != at)
      return name + "waits for an answer that nobody expects";
  }
  if (asked != asked_.size())
    return std::to_string(asked_.size()) + " answers are expected, and " + std::to_string(asked)
           + " waited for";
  if (reserved != reserved_)
    return std::to_string(reserved) + " bytes are reserved, and counted as " + std::to_string(reserved_);
  // What was taken and not released comes on top.
  if (buffered > buffered_)
    return std::to_string(buffered) + " bytes are held, and counted as " + std::to_string(buffered_);
  return std::nullopt;
}

// From the position on, the chunks lead to where the next fetch begins.
std::optional<std::string> fetch_plan::wrong_place(const part& p) const {
  if (!p.position) {
    if (!p.chunks.empty()) return "holds records, and does not know where it stands";
    return std::nullopt;
  }
  auto reached = *p.position;
  for (auto& c : p.chunks) {
    if (c.generation != p.generation) return "holds records from before a seek";
    if (c.from < reached || c.next <= c.from)
      return "at " + std::to_string(reached) + " follow records from " + std::to_string(c.from) + " to "
             + std::to_string(c.next);
    reached = c.next;
  }
  if (p.fetch_next < reached)
    return "fetches from " + std::to_string(p.fetch_next) + ", and has read up to " + std::to_string(reached);
  return std::nullopt;
}

} // namespace pessoa::client
