// What is asked of a log beside its records: where a time is, and what retention would take.
#include "persistence/frame.hpp"
#include "simulations/storage/storage_life.hpp"

namespace pessoa::sim {

using namespace pessoa::persistence;

namespace {

// Of the records at or above `start` and below `limit`, the first at or after that time.
std::optional<offset> first_at(const log_model& model, timestamp at, offset start, offset limit) {
  for (auto& batch : model.batches) {
    if (batch.next <= start || batch.head.max_timestamp < at) continue;
    if (batch.base >= limit) break;
    auto reader = batch_reader::open(batch.data).value();
    while (auto entry = reader.next().value())
      if (entry->record.time >= at && entry->at >= start && entry->at < limit) return entry->at;
  }
  return std::nullopt;
}

std::string shown(std::optional<offset> at) {
  return at ? "offset " + std::to_string(at->value()) : "nothing";
}

} // namespace

void storage_world::look_up(hosted& log) {
  if (log.log->failed() || log.model.batches.empty()) return;
  find_a_time(log);
  ask_retention(log);
}

void storage_world::find_a_time(hosted& log) {
  auto& batches = log.model.batches;
  auto start = log.log->log_start();
  auto limit =
      start + static_cast<int64_t>(lookups.below(static_cast<uint64_t>(log.log->log_end() - start) + 1));
  auto& near = batches[lookups.below(batches.size())];
  auto at = timestamp{near.head.max_timestamp.value() - 2000 + static_cast<int64_t>(lookups.below(2500))};
  auto found = log.log->offset_for_time(at, limit);
  if (disk.is_cut()) return;
  if (!found.ok()) fail("a_time_is_found_where_it_is", name(log) + ": " + to_string(found.error()));
  auto expected = first_at(log.model, at, start, limit);
  auto got = *found ? std::optional{(*found)->at} : std::nullopt;
  if (got != expected)
    fail("a_time_is_found_where_it_is", name(log) + " has the first record at or after "
                                            + std::to_string(at.value()) + " at " + shown(expected)
                                            + ", and says " + shown(got));
}

void storage_world::ask_retention(hosted& log) {
  auto start = log.log->log_start();
  auto end = log.log->log_end();
  auto limit = start + static_cast<int64_t>(lookups.below(static_cast<uint64_t>(end - start) + 1));
  if (lookups.below(2) == 0) limit = end;
  auto now = time.wall();
  auto asked = log_options;
  bool by_time = lookups.below(2) == 0;
  if (by_time)
    asked.retention_ms = static_cast<int64_t>(lookups.below(20'000));
  else
    asked.retention_bytes = static_cast<int64_t>(lookups.below(10'000));
  log.log->apply(asked);
  auto to = log.log->retention_start(now, limit).value_or(start);
  log.log->apply(log_options);
  if (to > limit) fail("retention_takes_what_is_old", name(log) + " gives up what must stay");
  int64_t kept_bytes = 0;
  bool all_old = true; // also what was removed, and may still lie in the first segment
  for (auto& batch : log.model.batches) {
    if (batch.base >= end) continue;
    bool old = by_time && now - batch.time > asked.retention_ms;
    all_old = all_old && old;
    if (batch.next <= start) continue;
    if (batch.base >= to) kept_bytes += static_cast<int64_t>(frame_length_of(batch.data.size()));
    if (by_time && !old && to > start && batch.base < to)
      fail("retention_takes_what_is_old", name(log) + " gives up offset " + std::to_string(batch.base.value())
                                              + ", which is " + std::to_string(now - batch.time)
                                              + " ms old, and " + std::to_string(asked.retention_ms)
                                              + " are to be kept");
  }
  if (all_old && limit == end && to != end)
    fail("retention_takes_what_is_old",
         name(log) + " keeps all from " + shown(to) + ", and everything is older than it must be");
  if (!by_time && to > start && kept_bytes < asked.retention_bytes)
    fail("retention_takes_what_is_old", name(log) + " keeps " + std::to_string(kept_bytes) + " bytes, of "
                                            + std::to_string(asked.retention_bytes) + " that may be kept");
}

} // namespace pessoa::sim
