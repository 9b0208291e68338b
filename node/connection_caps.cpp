#include "node/connection_caps.hpp"

namespace pessoa::node {

result<std::unique_ptr<connection_caps::slot>> connection_caps::enter(const std::string& peer) {
  auto address = peer.substr(0, peer.rfind(':'));
  std::lock_guard guard{mutex_};
  if (open_ >= limits_.all)
    return {ec::overloaded,
            "there are " + std::to_string(open_) + " connections, the most this listener takes"};
  auto at = by_address_.find(address);
  if (at != by_address_.end() && at->second >= limits_.per_address)
    return {ec::overloaded, "there are " + std::to_string(at->second) + " connections from " + address
                                + ", the most this listener takes from one address"};
  ++by_address_[address];
  ++open_;
  return std::make_unique<slot>(*this, std::move(address));
}

void connection_caps::leave(const std::string& address) {
  std::lock_guard guard{mutex_};
  PESSOA_ASSERT(open_ > 0);
  --open_;
  auto at = by_address_.find(address);
  PESSOA_ASSERT(at != by_address_.end() && at->second > 0, address);
  if (--at->second == 0) by_address_.erase(at);
}

size_t connection_caps::open() const {
  std::lock_guard guard{mutex_};
  return open_;
}

} // namespace pessoa::node
