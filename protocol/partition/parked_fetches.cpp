#include "protocol/partition/parked_fetches.hpp"

#include "schema/assert.hpp"

namespace pessoa::protocol {

void parked_fetches::park(const parked_fetch& fetch) {
  auto added = fetches_.emplace(fetch.id, fetch).second;
  PESSOA_ASSERT(added, fetch.id);
  by_position_.emplace(fetch.due_position, fetch.id);
  by_deadline_.emplace(fetch.deadline, fetch.id);
}

void parked_fetches::forget(request_id id) {
  if (fetches_.contains(id)) take(id);
}

std::vector<parked_fetch> parked_fetches::take_due(uint64_t committed_position) {
  std::vector<parked_fetch> out;
  while (!by_position_.empty() && by_position_.begin()->first <= committed_position) {
    out.push_back(take(by_position_.begin()->second));
  }
  return out;
}

std::vector<parked_fetch> parked_fetches::take_expired(instant now) {
  std::vector<parked_fetch> out;
  while (!by_deadline_.empty() && by_deadline_.begin()->first <= now)
    out.push_back(take(by_deadline_.begin()->second));
  return out;
}

std::vector<parked_fetch> parked_fetches::take_outside(offset begin, offset end) {
  std::vector<request_id> outside;
  for (auto& [id, fetch] : fetches_) {
    if (fetch.from < begin || fetch.from > end) outside.push_back(id);
  }
  std::vector<parked_fetch> out;
  for (auto id : outside)
    out.push_back(take(id));
  return out;
}

std::vector<parked_fetch> parked_fetches::take_all() {
  std::vector<parked_fetch> out;
  while (!fetches_.empty())
    out.push_back(take(fetches_.begin()->first));
  return out;
}

std::optional<instant> parked_fetches::next_deadline() const {
  if (by_deadline_.empty()) return std::nullopt;
  return by_deadline_.begin()->first;
}

std::optional<uint64_t> parked_fetches::next_position() const {
  if (by_position_.empty()) return std::nullopt;
  return by_position_.begin()->first;
}

bool parked_fetches::consistent() const {
  if (by_position_.size() != fetches_.size() || by_deadline_.size() != fetches_.size()) return false;
  for (auto& [id, fetch] : fetches_) {
    if (!by_position_.contains({fetch.due_position, id}) || !by_deadline_.contains({fetch.deadline, id}))
      return false;
  }
  return true;
}

parked_fetch parked_fetches::take(request_id id) {
  auto at = fetches_.find(id);
  PESSOA_ASSERT(at != fetches_.end(), id);
  auto fetch = at->second;
  fetches_.erase(at);
  by_position_.erase({fetch.due_position, id});
  by_deadline_.erase({fetch.deadline, id});
  return fetch;
}

} // namespace pessoa::protocol
