#include "protocol/partition/waiting_produces.hpp"

#include "schema/assert.hpp"

#include <limits>

namespace pessoa::protocol {

void waiting_produces::add(const waiting_produce& item) {
  PESSOA_ASSERT(!(item.duplicate && item.answered), item.id);
  place at{item.end(), arrivals_++};
  items_.emplace(at, item);
  if (!item.answered) deadlines_.emplace(item.deadline, at);
  bytes_ += item.bytes();
}

std::vector<waiting_produce> waiting_produces::take(items::iterator begin, items::iterator end) {
  std::vector<waiting_produce> out;
  for (auto at = begin; at != end; ++at) {
    PESSOA_ASSERT(bytes_ >= at->second.bytes(), bytes_, at->second.bytes());
    bytes_ -= at->second.bytes();
    if (!at->second.answered) deadlines_.erase({at->second.deadline, at->first});
    out.push_back(at->second);
  }
  items_.erase(begin, end);
  return out;
}

std::vector<waiting_produce> waiting_produces::take_committed(offset high_watermark) {
  return take(items_.begin(), items_.upper_bound({high_watermark, std::numeric_limits<uint64_t>::max()}));
}

std::vector<waiting_produce> waiting_produces::take_undone(offset log_end) {
  return take(items_.upper_bound({log_end, std::numeric_limits<uint64_t>::max()}), items_.end());
}

std::vector<waiting_produce> waiting_produces::take_all() { return take(items_.begin(), items_.end()); }

std::vector<waiting_produce> waiting_produces::expire(instant now) {
  std::vector<waiting_produce> out;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    auto at = items_.find(deadlines_.begin()->second);
    PESSOA_ASSERT(at != items_.end());
    out.push_back(at->second);
    if (at->second.duplicate) {
      take(at, std::next(at));
    } else {
      at->second.answered = true;
      deadlines_.erase(deadlines_.begin());
    }
  }
  return out;
}

std::optional<instant> waiting_produces::next_deadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

std::vector<waiting_produce> waiting_produces::all() const {
  std::vector<waiting_produce> out;
  for (auto& [at, item] : items_)
    out.push_back(item);
  return out;
}

bool waiting_produces::consistent() const {
  size_t bytes = 0, unanswered = 0;
  for (auto& [at, item] : items_) {
    if (at.first != item.end()) return false;
    bytes += item.bytes();
    if (item.answered) continue;
    ++unanswered;
    if (!deadlines_.contains({item.deadline, at})) return false;
  }
  return bytes == bytes_ && unanswered == deadlines_.size();
}

} // namespace pessoa::protocol
