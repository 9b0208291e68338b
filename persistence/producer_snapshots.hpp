// Snapshots of a log's producer table, so that a start need not read every batch header there ever was.
//
// A snapshot is named by the offset below which it knows every batch. As long as the frames that it knows are there it
// needs no sync: a torn one fails its checksum and an older one, or the frames, take its place. When they go, one that is
// durable must know them. None may outlive a cut below its offset, because another history may then grow past it.
#pragma once

#include "persistence/storage_env.hpp"
#include "schema/producer_table.hpp"

namespace pessoa::persistence {

class producer_snapshots {
public:
  producer_snapshots(storage_env& env, std::string directory) : env_(env), directory_(std::move(directory)) {}

  // Writes one, and removes all but the newest two and the one at `kept`. Durable when it returns if that is asked for.
  result<void> write(offset end, const producer_table& table, bool durable, offset kept);
  // The newest readable one at or below `end`: its offset and table. (0, empty) without one; `lost` is set
  // when one could not be read.
  std::pair<offset, producer_table> load(offset end, bool& lost);
  // Makes the newest readable one durable, and returns its offset; 0 without one.
  result<offset> sync_newest();
  // Removes those above `end`. Durable after a sync of the directory.
  result<void> remove_above(offset end);

private:
  [[nodiscard]] result<std::vector<offset>> list(); // ascending
  [[nodiscard]] std::string path(offset end) const;

  storage_env& env_;
  std::string directory_;
};

} // namespace pessoa::persistence
