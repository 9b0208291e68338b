// Fetches that wait for data: each for one position in the stream of appended bytes (appended_bytes.hpp), or
// its deadline.
//
// A commit wakes exactly those whose position it has reached, in one pass over these and no others. Order
// among the woken: by position, then by id. The bound on their number is kept by the caller, who answers
// instead of parking.
#pragma once

#include "protocol/partition/requests.hpp"
#include "schema/seams/clock.hpp"

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace pessoa::protocol {

struct parked_fetch {
  request_id id = 0;
  offset from{0};
  size_t bytes_max = 0;
  uint64_t due_position = 0; // answered when committed bytes reach it
  instant deadline;
};

class parked_fetches {
public:
  // Requires: no fetch with this id is parked.
  void park(const parked_fetch& fetch);
  // No-op when it is not parked.
  void forget(request_id id);

  std::vector<parked_fetch> take_due(uint64_t committed_position);
  std::vector<parked_fetch> take_expired(instant now);
  // Those that ask for an offset outside [begin, end]. Looks at all.
  std::vector<parked_fetch> take_outside(offset begin, offset end);
  std::vector<parked_fetch> take_all();

  [[nodiscard]] std::optional<instant> next_deadline() const;
  [[nodiscard]] std::optional<uint64_t> next_position() const;
  [[nodiscard]] size_t size() const { return fetches_.size(); }
  [[nodiscard]] const std::map<request_id, parked_fetch>& all() const { return fetches_; }
  // Do the orders hold the same fetches? For the invariants.
  [[nodiscard]] bool consistent() const;

private:
  parked_fetch take(request_id id);

  std::map<request_id, parked_fetch> fetches_;
  std::set<std::pair<uint64_t, request_id>> by_position_;
  std::set<std::pair<instant, request_id>> by_deadline_;
};

} // namespace pessoa::protocol
