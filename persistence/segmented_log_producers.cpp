// What producers did last: replayed from the newest snapshot and the heads behind it when a log is opened or cut, and written
// to a snapshot when a start would have to read much, or when what tells of it is removed.
#include "persistence/segmented_log.hpp"

#include "schema/plants.hpp"

#include <algorithm>

namespace pessoa::persistence {

// -- read ---

// The newest snapshot at or below `end`, and the headers behind it as far as the segments' facts go.
result<segmented_log::recovered_producers> segmented_log::replay_producers(offset end,
                                                                           recovery_report& report) {
  auto loaded = snapshots_.load(end, report.producers_rebuilt);
  auto table = std::move(loaded.second);
  auto base = runs_.front().file->base();
  // Between it and the first segment something is missing: what it says of a producer may be long past, and an unknown producer
  // is better than a wrong one.
  if (loaded.first < base) {
    table = {};
    report.producers_rebuilt = true;
  }
  offset from = std::max(loaded.first, base);
  unsnapshot_bytes_ = replay_bytes_ = 0;
  snapshot_end_ = loaded.first;
  for (auto& r : runs_)
    if (r.facts.end > from) PESSOA_CHECK(replay_run(r, from, table, report));
  return recovered_producers{from, std::move(table)};
}

// What that segment says of producers from there on. Damage is a loss, but for what was removed.
result<void> segmented_log::replay_run(run& r, offset from, producer_table& table, recovery_report& report) {
  walk_start start{0, r.file->base(), std::nullopt};
  if (auto entry = r.file->index().find(from); entry && entry->kind == index_kind::frame)
    start = {entry->position, entry->at, std::nullopt};
  PESSOA_TRY(auto file, r.file->file());
  auto replay = [&](const frame_view& view, uint64_t, byte_view) {
    if (view.header.base < from + (PESSOA_PLANT("snapshot_off_by_one") ? 1 : 0)) return true;
    table.apply(view.batch, view.header.append_time);
    note_replay(view.header);
    return true;
  };
  walk_end walked;
  // What follows is not read here, so where the last one says that it ends is compared with what is known.
  auto walk = [&](const walk_start& at) -> result<bool> {
    PESSOA_TRY(walked, walk_frames(*file, key_, at, r.facts.size, walk_depth::heads, replay));
    report.bytes_read += walked.bytes_read;
    if (walked.position != r.facts.size) return false;
    if (walked.next.value_or(r.facts.end) == r.facts.end || PESSOA_PLANT("believe_the_last_head"))
      return true;
    walked.defect = frame_defect::false_end;
    return false;
  };
  PESSOA_TRY(auto whole, walk(start));
  if (!whole && start.position != 0) { // the index lied: from the beginning, then
    PESSOA_TRY(whole, walk({0, r.file->base(), std::nullopt}));
  }
  if (whole) return {};
  if (r.facts.end <= state_.log_start) { // removed, and not to be missed: a gap as before the first
    table = {};
    return {};
  }
  // So is what was removed of a segment that is still there, as far as the index knows where it ends.
  if (auto kept = r.file->index().find(state_.log_start); kept && kept->kind == index_kind::frame
                                                          && kept->position >= walked.position
                                                          && !PESSOA_PLANT("miss_what_was_removed")) {
    table = {};
    PESSOA_TRY(whole, walk({kept->position, kept->at, std::nullopt}));
    if (whole) return {};
  }
  lose(r.file->path() + " is damaged at byte " + std::to_string(walked.position) + ": "
           + to_string(walked.defect),
       report);
  return {};
}

result<void> segmented_log::load_producers(offset end, recovery_report& report) {
  if (runs_.empty()) return {};
  PESSOA_TRY(auto found, replay_producers(end, report));
  std::lock_guard lock{facts_};
  producers_ = std::move(found.table);
  return {};
}

// -- write ---

void segmented_log::note_replay(const frame_header& frame) {
  if (frame.base < snapshot_end_) return; // recovery writes it again: what is durable is not to be replaced
  unsnapshot_bytes_ += frame.frame_length;
  replay_bytes_ += head_reading(frame.frame_length);
}

void segmented_log::snapshot_producers_if_due() {
  if (!producers_loaded_) return; // recovery appends before it knows the producers
  // What a start would have to read is one price, writing the table the other. Logs of one rhythm take turns.
  auto allowed = settings_.producer_snapshot_bytes;
  allowed -= static_cast<uint64_t>(key_.index.value()) * 7 % 16 * (allowed / 32);
  constexpr uint64_t entry_bytes = 200;
  if (replay_bytes_ < allowed || unsnapshot_bytes_ < producers_.size() * 32 * entry_bytes) return;
  snapshot_producers();
}

void segmented_log::snapshot_producers() {
  {
    std::lock_guard lock{facts_};
    auto newest = runs_.back().facts.last_append;
    auto limits = producer_expiry::after(settings_.producer_expiry_ms);
    if (PESSOA_PLANT("a_jump_is_age")) limits.gap_max_ms = INT64_MAX;
    producers_.expire(newest, limits, settings_.producers_max);
  }
  // Only a start pays for a snapshot that could not be written.
  if (!save_producers(false).ok()) return;
  PESSOA_PROBE("producers_saved");
  tail_.index_next = true;
}

// Requires: all that was written is durable.
result<void> segmented_log::save_producers(bool durable) {
  bool frames_gone = runs_.front().file->base() > offset{0};
  durable =
      durable
      || (frames_gone && durable_snapshot_end_ == offset{0} && !PESSOA_PLANT("forget_removed_producers"));
  if (log_end_ != durable_snapshot_end_) // else it is there already, and need not be in danger for a moment
    PESSOA_CHECK(snapshots_.write(log_end_, producers_, durable, durable_snapshot_end_));
  unsnapshot_bytes_ = replay_bytes_ = 0;
  snapshot_end_ = log_end_;
  if (durable) durable_snapshot_end_ = log_end_;
  return {};
}

result<void> segmented_log::drop_snapshots_above(offset end) {
  if (durable_snapshot_end_ > end) durable_snapshot_end_ = offset{0};
  return snapshots_.remove_above(end);
}

// What producers did in segments that go must be known without them: a start that began with an older snapshot would take
// a repetition for new, and what follows for out of order. Requires: all that was written is durable.
result<void> segmented_log::keep_producers_of(offset start) {
  size_t front = 0;
  while (front + 1 < runs_.size() && runs_[front].facts.end <= start)
    ++front;
  if (durable_snapshot_end_ >= runs_[front].file->base() || producers_.size() == 0
      || PESSOA_PLANT("forget_removed_producers"))
    return {};
  return save_producers(true);
}

} // namespace pessoa::persistence
