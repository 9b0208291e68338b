// What must hold between two messages, beside what the rules themselves promise.
#include "actors/partition/partition_state.hpp"

#include "actors/type_ids.hpp"

namespace pessoa::actors {

std::optional<std::string> partition_state::check_invariants() const {
  if (auto broken = leader_->check_invariants()) return broken;
  // Every request that is open is one that the rules will answer, and the other way round: none is forgotten.
  auto waiting = leader_->waiting_produces() + leader_->parked_fetches();
  if (open_.size() != waiting)
    return std::to_string(open_.size()) + " requests are open, and " + std::to_string(waiting)
           + " wait for an answer";
  // What waits was let in, so it means this epoch (rules.md 2).
  for (auto& [id, request] : open_) {
    auto known = std::visit([](auto& command) { return command->known_epoch; }, request.command);
    if (known && *known != leader_->epoch())
      return "request " + std::to_string(id) + " is of epoch " + std::to_string(known->value())
             + ", and is served in epoch " + std::to_string(leader_->epoch().value());
  }
  // Who asks where the log begins is told what the log itself goes by.
  if (!upkeep_running_ && leader_->log_start() != log_->log_start())
    return "the log begins at " + std::to_string(log_->log_start().value()) + ", and its leader tells "
           + std::to_string(leader_->log_start().value());
  return std::nullopt;
}

} // namespace pessoa::actors
