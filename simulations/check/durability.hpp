// Acknowledged is durable at the moment of the answer: a partition's high watermark, which answers follow, never passes what
// no power cut can take. Looks at the bytes of the disk, not at what the node believes.
#pragma once

#include "schema/ids.hpp"
#include "simulations/disk/sim_disk.hpp"

#include <map>
#include <optional>
#include <string>

namespace pessoa::sim {

class durability_check {
public:
  static constexpr const char* name = "acknowledged_is_durable";
  static constexpr const char* about = "when a high watermark moves, every record below it lies in a part of "
                                       "the disk that survives a power cut";

  // `disk` is one node's, `data` its data directory.
  durability_check(const sim_disk& disk, std::string data) : disk_(disk), data_(std::move(data)) {}

  // Why not all of [.., end) of the partition is durable now; nullopt when it is. Looks at what lies above the end of the
  // last call only, until forget().
  std::optional<std::string> look(const partition_key& key, offset end);
  // The process has ended, or the log was cut: what was seen need not be there any more.
  void forget() { seen_.clear(); }
  void forget(const partition_key& key) { seen_.erase(key); }

private:
  struct position {
    offset segment{-1}; // base of the file; -1: none yet
    uint64_t at = 0;    // of the next frame
    offset next{0};     // its offset
  };
  [[nodiscard]] bool in_journal(const partition_key& key, offset base, byte_view frame) const;

  const sim_disk& disk_;
  std::string data_;
  std::map<partition_key, position> seen_;
};

} // namespace pessoa::sim
