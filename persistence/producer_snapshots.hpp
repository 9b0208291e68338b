// Snapshots of a log's producer table, so that a start need not read every batch header there ever was.
//
// A snapshot is named by the offset below which it knows every batch. It is written without a sync: a torn
// one fails its checksum and an older one, or the frames, take its place. None may outlive a cut below its
// offset, because another history may then grow past it.
#pragma once

#include "persistence/storage_env.hpp"
#include "schema/producer_table.hpp"

namespace pessoa::persistence {

class producer_snapshots {
public:
  producer_snapshots(storage_env& env, std::string directory) : env_(env), directory_(std::move(directory)) {}

  // Writes one, and removes all but the newest two.
  result<void> write(offset end, const producer_table& table);
  // The newest readable one at or below `end`: its offset and table. (0, empty) without one; `lost` is set
  // when one could not be read.
  std::pair<offset, producer_table> load(offset end, bool& lost);
  // Removes those above `end`. Durable after a sync of the directory.
  result<void> remove_above(offset end);

private:
  [[nodiscard]] result<std::vector<offset>> list(); // ascending
  [[nodiscard]] std::string path(offset end) const;

  storage_env& env_;
  std::string directory_;
};

} // namespace pessoa::persistence
