// What must hold between any two calls, as text that runs. Costs a pass over all that waits: for tests and
// simulations.
#include "protocol/partition/partition_leader.hpp"
#include "schema/joined.hpp"

#include <algorithm>

namespace pessoa::protocol {

std::optional<std::string> partition_leader::check_invariants() const {
  if (log_start_ > high_watermark_)
    return joined("log start ", log_start_, " > high watermark ", high_watermark_);
  if (high_watermark_ > log_end_) return joined("high watermark ", high_watermark_, " > log end ", log_end_);
  if (high_watermark_ > durable_end_)
    return joined("high watermark ", high_watermark_, " > durable end ", durable_end_);
  if (acknowledged_end_ > high_watermark_) {
    return joined("acknowledged up to ", acknowledged_end_, " > high watermark ", high_watermark_);
  }

  // -- what is decided and not committed ---
  if (!waiting_.consistent()) return joined("the waiting produce requests contradict their counts");
  auto next = high_watermark_;
  uint64_t position = committed_position_;
  for (auto& item : waiting_.all()) {
    if (item.end() <= high_watermark_) return joined("request ", item.id, " waits below the high watermark");
    if (item.duplicate) {
      // In order of offset, so the batch it repeats has just been seen.
      if (item.end() > next) return joined("request ", item.id, " repeats a batch that is not there");
      continue;
    }
    if (item.base() != next) return joined("a gap: ", next, " is followed by ", item.base());
    next = item.end();
    position += item.header.size();
  }
  if (!failure_ && !ended_) {
    if (next != log_end_) return joined("decided batches end at ", next, ", the log at ", log_end_);
    if (position != appended_.end_position())
      return joined("appended bytes ", appended_.end_position(), " != ", position);
  } else if (!waiting_.empty()) {
    return joined("produce requests wait after the end");
  }
  if (appended_.end() != log_end_)
    return joined("appended bytes end at ", appended_.end(), ", the log at ", log_end_);
  auto bytes_max = std::max(settings_.waiting_bytes_max, waiting_bytes_allowed_);
  if (waiting_.bytes() > bytes_max)
    return joined(waiting_.bytes(), " bytes wait, at most ", bytes_max, " may");

  // -- fetches ---
  if (!parked_.consistent()) return joined("the parked fetches contradict their orders");
  if (ended_ && parked_.size() > 0) return joined("fetches are parked after the end");
  auto fetches_max = std::max(settings_.parked_fetches_max, parked_fetches_allowed_);
  if (parked_.size() > fetches_max)
    return joined(parked_.size(), " fetches are parked, at most ", fetches_max, " may be");
  if (auto first = parked_.next_position(); first && *first <= committed_position_) {
    return joined("a parked fetch is due at ", *first, ", committed is ", committed_position_);
  }
  for (auto& [id, fetch] : parked_.all()) {
    if (fetch.from < log_start_ || fetch.from > log_end_)
      return joined("fetch ", id, " is parked out of range");
  }

  // -- producers ---
  if (producers_.size() > producers_with_slack()) {
    return joined(producers_.size(), " producers are remembered, at most ", producers_with_slack(),
                  " may be");
  }
  for (auto& [id, entry] : producers_.entries()) {
    for (size_t i = 0; i < entry.count; ++i) {
      if (entry.batches[i].last_offset >= log_end_)
        return joined("producer ", id, " knows a batch above the log end");
    }
  }
  return std::nullopt;
}

} // namespace pessoa::protocol
