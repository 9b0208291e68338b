// Taking away: truncation from the end, retention and DeleteRecords from the start, and letting go of files.
//
// Each is one durable record in the file `state` before anything is done, so that a crash between leaves a
// decision that the next start carries out, and nothing else (failures R26).
#include "persistence/segmented_log.hpp"

#include "schema/plants.hpp"

#include <algorithm>

namespace pessoa::persistence {

namespace {

result<void> wipe(random_file& file, uint64_t from, uint64_t end) {
  const std::vector<uint8_t> zeros(std::min<uint64_t>(end - from, 64u << 10));
  for (auto at = from; at < end; at += zeros.size())
    PESSOA_CHECK(file.write_at(at, byte_view{zeros}.first(std::min<uint64_t>(zeros.size(), end - at))));
  return {};
}

} // namespace

result<void> segmented_log::save_state(const log_state& state) {
  if (PESSOA_PLANT("skip_state_file")) return {};
  return replace_file(env_, directory_ + "/state", state.encode());
}

// A file system that makes a file longer before its data has arrived may show what lay in those blocks before: what is cut
// here, in the place of the next frame, and after the same frame as then. So it is made no frame before it goes: all of it,
// because the journal may give back, byte for byte, the frame that led to the next.
result<void> segmented_log::wipe_and_cut(random_file& file, uint64_t from, uint64_t size) {
  if (PESSOA_PLANT("cut_without_wiping")) return file.truncate(from);
  if (PESSOA_PLANT("wipe_one_frame")) size = std::min<uint64_t>(size, from + frame_header_size);
  PESSOA_CHECK(wipe(file, from, size));
  PESSOA_CHECK(file.sync());
  return file.truncate(from);
}

// -- truncate ---

result<void> segmented_log::truncate(offset to) {
  PESSOA_CHECK(usable());
  // From its record on a truncation vouches for all that it leaves: what said so before may be among what goes.
  if (auto synced = sync_segments(); !synced.ok()) return fail(synced.error());
  std::lock_guard one{sync_};
  std::unique_lock shape{shape_};
  offset start, end;
  {
    std::lock_guard lock{facts_};
    start = state_.log_start;
    end = log_end_;
  }
  if (to < start)
    return error{ec::invalid_argument, named() + " cannot be truncated to " + std::to_string(to.value())
                                           + ", it begins at " + std::to_string(start.value())};
  if (to >= end) return {};
  if (auto cut = cut_files(to); !cut.ok())
    return cut.error().code == ec::invalid_argument ? cut.error() : fail(cut.error());
  return {};
}

// Requires: shape_ held exclusively, log_start <= to < log_end.
result<void> segmented_log::cut_files(offset to) {
  // The frame that holds `to` goes as a whole.
  auto next = std::upper_bound(runs_.begin(), runs_.end(), to,
                               [](offset wanted, const run& r) { return wanted < r.file->base(); });
  PESSOA_ASSERT(next != runs_.begin(), to);
  auto kept = static_cast<size_t>(next - runs_.begin()); // the last of these is the one that is cut
  auto& cut = runs_[kept - 1];
  PESSOA_TRY(auto file, cut.file->file());
  segment_facts facts{0, cut.file->base(), no_timestamp, no_timestamp, no_timestamp};
  auto measure = [&](const frame_view& view, uint64_t position, byte_view) {
    if (view.next_offset() > to) return false;
    if (position == 0) facts.first_append = view.header.append_time;
    facts.size = position + view.header.frame_length;
    facts.end = view.next_offset();
    facts.max_time = std::max(facts.max_time, view.batch.max_timestamp);
    facts.last_append = std::max(facts.last_append, view.header.append_time);
    return true;
  };
  // From the start of the segment: what it says of times must not come from frames that go.
  PESSOA_TRY(auto walked, walk_frames(*file, key_, {0, cut.file->base(), std::nullopt}, cut.facts.size,
                                      walk_depth::heads, measure));
  if (walked.defect != frame_defect::none || walked.position == cut.facts.size)
    return error{ec::corrupt_data, cut.file->path() + " is damaged at byte " + std::to_string(walked.position)
                                       + ": " + to_string(walked.defect)};
  if (facts.end < state_.log_start)
    return error{ec::invalid_argument, named() + " cannot be truncated to " + std::to_string(to.value())
                                           + ": the batch that holds it begins below the log start "
                                           + std::to_string(state_.log_start.value())};
  {
    std::lock_guard lock{facts_};
    ++state_.generation;
    state_.truncated_to = facts.end;
    state_.truncating = true;
  }
  PESSOA_CHECK(save_state());
  // The frames that go are what says that those before were synced: the mark says it before they go.
  auto& index = cut.file->index();
  index.set_durable_mark(std::min(synced_end_, facts.end));
  index.sync();
  for (size_t i = runs_.size(); i-- > kept;)
    PESSOA_CHECK(runs_[i].file->remove());
  // For the same reason as in wipe_and_cut(), and one frame is enough: what comes in its place has another generation, so
  // that those behind it, if they show again, follow nothing.
  const bool synced = !PESSOA_PLANT("skip_truncation_sync");
  if (!PESSOA_PLANT("truncate_without_wiping")) {
    PESSOA_CHECK(wipe(*file, facts.size, facts.size + frame_header_size));
    if (synced) PESSOA_CHECK(file->sync());
  }
  PESSOA_CHECK(file->truncate(facts.size));
  if (synced) PESSOA_CHECK(file->sync());
  auto entries = index.entries();
  size_t keep = 0;
  while (keep < entries.size() && entries[keep].at < facts.end && entries[keep].kind == index_kind::frame)
    ++keep;
  index.keep(keep);
  index.set_durable_mark(facts.end);
  index.sync();
  if (!index.usable()) PESSOA_CHECK(env_.remove_file(cut.file->index_path()));
  PESSOA_CHECK(drop_snapshots_above(facts.end));
  PESSOA_CHECK(env_.sync_directory(directory_));
  {
    std::lock_guard lock{facts_};
    runs_.resize(kept);
    runs_.back().facts = facts;
    log_end_ = durable_end_ = synced_end_ = facts.end;
    if (epochs_.truncate(facts.end)) epochs_saved_ = false;
    state_.truncating = false;
  }
  {
    std::lock_guard lock{hints_};
    read_hints_ = {};
  }
  PESSOA_CHECK(save_epochs_if_new());
  PESSOA_CHECK(save_state());
  written_.clear();
  tail_ = {};
  tail_.last_indexed = keep == 0 ? 0 : entries[keep - 1].position;
  tail_.last_crc = walked.last_crc;
  if (!tail_.last_crc && kept > 1) {
    PESSOA_TRY(tail_.last_crc, last_crc_of(runs_[kept - 2], key_));
  }
  // A table cannot be cut exactly: what a producer did last, before, is not in it. A snapshot and the headers
  // after it are.
  recovery_report ignored;
  return load_producers(log_end_, ignored);
}

// -- retention ---

result<uint64_t> segmented_log::remove_before(offset start) {
  PESSOA_CHECK(usable());
  std::unique_lock shape{shape_, std::defer_lock};
  {
    std::lock_guard lock{facts_};
    start = std::min(start, log_end_);
    if (start <= state_.log_start) return uint64_t{0};
  }
  // All of it: the active segment can only go once another has its place (failures R17).
  if (start == log_end() && runs_.back().facts.size > 0)
    if (auto rolled = roll(); !rolled.ok())
      return rolled.error().code == ec::disk_full ? rolled.error() : fail(rolled.error());
  if (auto kept = keep_producers_of(start); !kept.ok())
    return kept.error().code == ec::disk_full ? kept.error() : fail(kept.error());
  // Nobody sees it before it is durable. If saving fails, either may hold after a crash, and both are true.
  auto moved = state_;
  moved.log_start = start;
  if (auto saved = save_state(moved); !saved.ok())
    return saved.error().code == ec::disk_full ? saved.error() : fail(saved.error());
  {
    std::lock_guard lock{facts_};
    state_.log_start = start;
  }
  PESSOA_PROBE("records_removed_from_the_start");
  shape.lock();
  uint64_t freed = 0;
  while (runs_.size() > 1 && runs_.front().facts.end <= start) {
    auto& gone = runs_.front();
    freed += gone.facts.size;
    if (auto removed = gone.file->remove(); !removed.ok()) return fail(removed.error());
    std::lock_guard lock{facts_};
    runs_.erase(runs_.begin());
  }
  std::lock_guard lock{facts_};
  if (epochs_.remove_before(start)) epochs_saved_ = false;
  return freed;
}

std::optional<offset> segmented_log::retention_start(timestamp now, offset limit) const {
  std::lock_guard lock{facts_};
  uint64_t size = 0;
  for (auto& r : runs_)
    size += r.facts.size;
  offset start = state_.log_start;
  for (size_t i = 0; i < runs_.size(); ++i) {
    auto& facts = runs_[i].facts;
    if (facts.size == 0 || facts.end > limit) break;
    bool active = i + 1 == runs_.size();
    // By append time: what clients claim about records can neither keep nor delete them (failures N5).
    auto age = now - (PESSOA_PLANT("age_of_the_first") ? facts.first_append : facts.last_append);
    bool old = settings_.retention_ms >= 0 && age > settings_.retention_ms;
    bool large = !active && settings_.retention_bytes >= 0
                 && size - facts.size >= static_cast<uint64_t>(settings_.retention_bytes);
    if (!old && !large) break;
    size -= facts.size;
    start = facts.end;
  }
  if (start <= state_.log_start) return std::nullopt;
  return start;
}

void segmented_log::apply(log_settings settings) {
  std::lock_guard lock{facts_};
  settings_ = settings;
}

// -- letting go ---

result<void> segmented_log::checkpoint() {
  PESSOA_TRY([[maybe_unused]] auto synced, sync());
  auto& active = runs_.back();
  active.file->index().sync();
  if (unsnapshot_bytes_ > 0 || producers_.size() > 0) PESSOA_CHECK(save_producers(false));
  log_checkpoint mark;
  mark.generation = state_.generation;
  mark.log_end = log_end_;
  mark.active_base = active.file->base();
  mark.active_size = active.facts.size;
  mark.has_last_crc = tail_.last_crc.has_value();
  mark.last_crc = tail_.last_crc.value_or(0);
  mark.max_time = active.facts.max_time;
  mark.first_append = active.facts.first_append;
  mark.last_append = active.facts.last_append;
  return replace_file(env_, directory_ + "/checkpoint", mark.encode());
}

// So that a start after a kill finds little to read in a log that was idle: the index knows the last frame, and
// a snapshot its producers.
void segmented_log::settle_idle() {
  if (failed() || runs_.empty() || !producers_loaded_) return;
  auto& active = runs_.back();
  auto little = static_cast<uint64_t>(settings_.index_interval_bytes) / 16;
  if (tail_.last && active.facts.size - tail_.last_indexed > little) {
    active.file->index().add(*tail_.last);
    tail_.last_indexed = tail_.last->position;
    tail_.last.reset();
  }
  if (replay_bytes_ > settings_.producer_snapshot_bytes / 16) snapshot_producers();
}

void segmented_log::release_files() {
  settle_idle();
  std::unique_lock shape{shape_};
  for (auto& r : runs_)
    r.file->release();
}

} // namespace pessoa::persistence
