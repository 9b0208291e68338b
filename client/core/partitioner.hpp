// Which partition a record goes to: by its key with Kafka's murmur2; without a key one partition for a
// batch's worth of bytes, then another at random, so that batches are full (KIP-480, KIP-794).
#pragma once

#include "pessoa/cluster.hpp"
#include "schema/bytes.hpp"
#include "schema/murmur2.hpp"
#include "schema/seams/random.hpp"

#include <optional>
#include <vector>

namespace pessoa::client {

class partitioner {
public:
  explicit partitioner(size_t sticky_bytes) : sticky_bytes_(sticky_bytes) {}

  // Requires: partitions > 0. The answer for a key depends on the key and on `partitions` alone.
  [[nodiscard]] static int32_t by_key(byte_view key, int32_t partitions) {
    return partition_of_key(key, partitions).value();
  }

  // For a record without a key of about `bytes`. Partitions without a leader are left out while others have
  // one. Requires: !partitions.empty().
  int32_t without_key(const std::vector<partition_info>& partitions, size_t bytes, random_source& random) {
    if (!current_ || used_ >= sticky_bytes_ || static_cast<size_t>(*current_) >= partitions.size()) {
      current_ = choose(partitions, random);
      used_ = 0;
    }
    used_ += bytes;
    return *current_;
  }
  // Choose anew at the next record: the current one has lost its leader.
  void move_on() { current_.reset(); }

private:
  int32_t choose(const std::vector<partition_info>& partitions, random_source& random) const {
    std::vector<int32_t> candidates;
    for (auto& p : partitions)
      if (p.leader >= 0) candidates.push_back(p.index);
    if (candidates.empty())
      for (auto& p : partitions)
        candidates.push_back(p.index);
    // Not the same again when there is a choice.
    if (candidates.size() > 1 && current_) std::erase(candidates, *current_);
    return candidates[random.below(candidates.size())];
  }

  size_t sticky_bytes_;
  std::optional<int32_t> current_;
  size_t used_ = 0;
};

} // namespace pessoa::client
