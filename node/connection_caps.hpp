// How many connections a listener holds, in all and from one address. Thread-safe; a slot gives its place
// back.
#pragma once

#include "schema/result.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace pessoa::node {

struct connection_limits {
  size_t all = 10'000;
  size_t per_address = 2'000;
};

class connection_caps {
public:
  class slot {
  public:
    slot(connection_caps& caps, std::string address) : caps_(caps), address_(std::move(address)) {}
    ~slot() { caps_.leave(address_); }
    slot(const slot&) = delete;
    slot& operator=(const slot&) = delete;

  private:
    connection_caps& caps_;
    std::string address_;
  };

  explicit connection_caps(connection_limits limits) : limits_(limits) {}

  // `peer` is ADDRESS:PORT. Error: overloaded, with the limit that was met. The slot must not outlive the
  // caps.
  result<std::unique_ptr<slot>> enter(const std::string& peer);
  [[nodiscard]] size_t open() const;

private:
  void leave(const std::string& address);

  const connection_limits limits_;
  mutable std::mutex mutex_;
  size_t open_ = 0;
  std::map<std::string, size_t> by_address_;
};

} // namespace pessoa::node
