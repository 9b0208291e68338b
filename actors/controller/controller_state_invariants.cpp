// What must hold between two messages, beside what the image itself promises.
#include "actors/controller/controller_state.hpp"

#include "actors/type_ids.hpp"

namespace pessoa::actors {

std::optional<std::string> controller_state::check_invariants() const {
  if (auto broken = image_.check_invariants()) return broken;
  // Who subscribes is told the history, and must come to the same image by it.
  if (static_cast<int64_t>(history_.size()) != image_.last().value() + 1)
    return std::to_string(history_.size()) + " records are history, and the last one applied is "
           + std::to_string(image_.last().value());
  if (proposed_ && proposed_->empty()) return "nothing is proposed, and waited for";
  if (current_ && !proposed_) return "somebody waits for a change that is not on its way";
  if (!waiting_.empty() && !proposed_)
    return std::to_string(waiting_.size()) + " changes wait, and none is on its way";
  return std::nullopt;
}

} // namespace pessoa::actors
