// Which leadership epoch wrote which offsets: where each epoch of a log began.
//
// A value. The answer to "where does epoch e end?" decides what a follower truncates (rules.md 2), so it is
// never guessed: the file that holds it is rebuilt from frames when in doubt (failures S11).
#pragma once

#include "persistence/partition_log.hpp"

namespace pessoa::persistence {

class epoch_lineage {
public:
  // A batch of `epoch` was written at `base`. No-op unless the epoch is new. Requires: epochs do not go back.
  // Returns whether something changed.
  bool note(leader_epoch epoch, offset base);
  // Forgets epochs that begin at or above `end`. Returns whether something changed.
  bool truncate(offset end);
  // Forgets epochs that ended at or below `start`.
  bool remove_before(offset start);

  [[nodiscard]] leader_epoch last() const { return starts_.empty() ? no_epoch : starts_.back().epoch; }
  [[nodiscard]] const std::vector<epoch_start>& starts() const { return starts_; }
  // The largest known epoch <= `epoch`, and the start of the next one (or log_end). (no_epoch, no_offset) if
  // all known epochs are larger.
  [[nodiscard]] std::pair<leader_epoch, offset> end_of(leader_epoch epoch, offset log_end) const;

  [[nodiscard]] std::vector<uint8_t> encode() const;
  // Errors: corrupt_data, unsupported_version.
  static result<epoch_lineage> decode(byte_view data);

  friend bool operator==(const epoch_lineage&, const epoch_lineage&) = default;

private:
  std::vector<epoch_start> starts_; // both fields ascend
};

} // namespace pessoa::persistence
