// Which epoch wrote an offset, and where an epoch ended: Kafka's answers from the lineage of a log (KIP-101, KIP-320;
// kafka-protocol.md 3, OffsetForLeaderEpoch).
//
// A lineage is the beginnings of the epochs that wrote something that is still there, and of the present one, both fields
// ascending (two epochs may begin at the same offset when the first wrote nothing). It is never empty. Pure.
#pragma once

#include "schema/ids.hpp"

#include <vector>

namespace pessoa::protocol {

struct epoch_begin {
  leader_epoch epoch;
  offset start;
  friend bool operator==(const epoch_begin&, const epoch_begin&) = default;
};

// The epoch that is meant, and one past its last record. (no_epoch, no_offset): the epoch is none, or newer than ours.
struct epoch_end {
  leader_epoch epoch = no_epoch;
  offset end = no_offset;
  friend bool operator==(const epoch_end&, const epoch_end&) = default;
};

// The present epoch ends at `log_end`; another one where the next one began, and of epochs between two known ones the
// older counts. Of an epoch before all that is known only this is sure: it ended where the first known one began.
// Requires: a lineage.
epoch_end end_of_epoch(const std::vector<epoch_begin>& lineage, offset log_end, leader_epoch epoch);

// The epoch that wrote the record at `at` (or will write it); no_epoch when `at` is before all that is known.
leader_epoch epoch_at(const std::vector<epoch_begin>& lineage, offset at);

} // namespace pessoa::protocol
