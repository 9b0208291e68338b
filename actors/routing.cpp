#include "actors/routing.hpp"

namespace pessoa::actors {

const topic_route* routing_snapshot::find(const topic_id& id) const {
  auto found = topics.find(id);
  return found == topics.end() ? nullptr : found->second.get();
}

const topic_route* routing_snapshot::find(std::string_view name) const {
  auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : find(found->second);
}

routing_table::routing_table() : current_(std::make_shared<const routing_snapshot>()) {}

std::shared_ptr<const routing_snapshot> routing_table::load() const {
  std::lock_guard guard{mutex_};
  return current_;
}

void routing_table::publish(std::shared_ptr<const routing_snapshot> next) {
  std::lock_guard guard{mutex_};
  PESSOA_ASSERT(next->index >= current_->index, next->index, current_->index);
  current_ = std::move(next);
}

void routing_table::clear() {
  auto empty = std::make_shared<const routing_snapshot>();
  std::lock_guard guard{mutex_};
  current_.swap(empty);
}

} // namespace pessoa::actors
