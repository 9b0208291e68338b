// What rot has taken from a log is said: a log is led only with all that was acknowledged in it. But for the end: the last commit
// before a start may be gone without a word, because torn and rotten look alike there (failures S10).
#pragma once

#include "schema/ids.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace pessoa::sim {

class loss_check {
public:
  static constexpr const char* name = "loss_is_reported";
  static constexpr const char* about = "a log that has lost more than its last commit to rot is not led";

  // A leader of that life of the node shows this high watermark. Why that is too little; nullopt: it is not, or so many
  // commits ago that nobody remembers.
  std::optional<std::string> look(const partition_key& key, offset high_watermark, uint64_t life);

private:
  static constexpr size_t ends_max = 64;
  struct log {
    std::deque<offset> ends; // of commits, ascending; what a start found beyond them is one commit
    uint64_t life = 0;
  };
  std::map<partition_key, log> logs_;
};

} // namespace pessoa::sim
