// What one log must contain: the batches that were sent, which of them were acknowledged, and what is in
// doubt. The model is told what was asked and answered, never what the log thinks.
#pragma once

#include "persistence/partition_log.hpp"

namespace pessoa::sim {

struct model_batch {
  offset base;
  offset next;
  leader_epoch epoch;
  timestamp time;
  batch_header head;
  bytes data;
};

struct log_model {
  partition_key key;
  std::vector<model_batch>
      batches;           // everything that may be in the log, in order; those before log_start included
  offset acked_end{0};   // below this all must be there
  offset last_commit{0}; // where the newest acknowledged commit began
  offset log_start{0};
  std::optional<offset> start_in_doubt; // a removal was cut short: the start is log_start or this
  leader_epoch epoch{0};
  bool removed = false; // batches below log_start may be gone
  bool truncated = false;
  bool deletion_in_doubt = false;

  [[nodiscard]] offset end() const { return batches.empty() ? offset{0} : batches.back().next; }
  void cut(offset end_now) {
    while (!batches.empty() && batches.back().next > end_now)
      batches.pop_back();
  }
  // The log was deleted: the next of this name begins anew.
  void forget() {
    auto kept = epoch;
    *this = log_model{key};
    epoch = kept;
  }
  // Producers as a replay of the batches gives them.
  [[nodiscard]] producer_table producers() const {
    producer_table table;
    for (auto& b : batches)
      table.apply(b.head, b.time);
    return table;
  }
  [[nodiscard]] std::vector<persistence::epoch_start> lineage() const {
    std::vector<persistence::epoch_start> starts;
    for (auto& b : batches)
      if (starts.empty() || starts.back().epoch != b.epoch) starts.push_back({b.epoch, b.base});
    return starts;
  }
};

} // namespace pessoa::sim
