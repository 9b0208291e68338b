// Opening a log: its small files, its sealed segments, and the short way after a clean stop.
#include "persistence/segmented_log.hpp"

#include "schema/plants.hpp"

#include <algorithm>

namespace pessoa::persistence {

log_settings log_settings::with(const topic_config& config) const {
  auto s = *this;
  s.segment_bytes = config.segment_bytes;
  s.segment_ms = config.segment_ms;
  s.retention_ms = config.retention_ms;
  s.retention_bytes = config.retention_bytes;
  return s;
}

partition_log::~partition_log() = default;

result<std::unique_ptr<partition_log>> partition_log::open(storage_env& env, std::string directory,
                                                           partition_key key, log_settings settings,
                                                           bool clean_stop, journal_frames journal,
                                                           recovery_report& report) {
  report = {};
  auto log = std::make_unique<segmented_log>(env, std::move(directory), key, settings);
  PESSOA_CHECK(log->open(clean_stop, std::move(journal), report));
  return std::unique_ptr<partition_log>{std::move(log)};
}

std::string segmented_log::named() const { return "log " + directory_; }

void segmented_log::lose(std::string what, recovery_report& report) {
  std::lock_guard lock{facts_};
  if (!report.loss) report.loss = named() + ": " + what;
  if (!failed_) failed_ = error{ec::corrupt_data, *report.loss};
}

result<void> segmented_log::open(bool clean_stop, journal_frames journal, recovery_report& report) {
  PESSOA_CHECK(env_.create_directories(directory_));
  // What the files say is acted on, and that cannot be taken back: the names a crash left must stay, then.
  if (!clean_stop && !PESSOA_PLANT("act_on_names_first")) PESSOA_CHECK(env_.sync_directory(directory_));
  PESSOA_CHECK(load_state(report));
  PESSOA_CHECK(find_segments(report));
  if (runs_.empty()) return {};
  bool clean = false;
  if (clean_stop && journal.entries.empty() && !journal.damage && !failed_ && !state_.truncating) {
    PESSOA_TRY(clean, open_clean(report));
  }
  if (!clean) PESSOA_CHECK(recover(journal, report));
  if (clean) PESSOA_CHECK(load_producers(log_end_, report));
  producers_loaded_ = true;
  report.clean = clean;
  // Nothing goes before all is looked at: what was lost must look the same to the next start.
  if (clean) PESSOA_PROBE("opened_clean");
  if (failed_) PESSOA_PROBE("loss_reported");
  if (failed_ && !PESSOA_PLANT("tidy_up_after_loss")) {
    for (auto& r : runs_)
      r.file->index().drop_unwritten();
    release_files();
    return {};
  }
  if (clean) PESSOA_CHECK(drop_snapshots_above(log_end_));
  if (!clean) PESSOA_CHECK(sync_recovered());
  durable_end_ = synced_end_ = log_end_;
  if (state_.truncating) {
    auto& index = runs_.back().file->index();
    index.set_durable_mark(log_end_);
    index.sync();
    if (!index.usable()) PESSOA_CHECK(env_.remove_file(runs_.back().file->index_path()));
    state_.truncating = false;
    PESSOA_CHECK(save_state());
  }
  PESSOA_CHECK(remove_leftovers());
  release_files();
  return {};
}

// What a removal that was cut short has left, and a start needed for its producers.
result<void> segmented_log::remove_leftovers() {
  if (runs_.size() < 2 || runs_.front().facts.end > state_.log_start) return {};
  PESSOA_CHECK(keep_producers_of(state_.log_start));
  while (runs_.size() > 1 && runs_.front().facts.end <= state_.log_start) {
    PESSOA_CHECK(runs_.front().file->remove());
    runs_.erase(runs_.begin());
  }
  return {};
}

// Whatever survived a crash may still be in memory only (rules.md 1): the file, the names in the directory,
// and its own.
result<void> segmented_log::sync_recovered() {
  auto& active = *runs_.back().file;
  // The mark is written only after a sync of file and names: where it stands at the end, the file needs none. The names
  // of the small files may be newer.
  if (!touched_ && synced_end_ == log_end_ && epochs_saved_ && !state_.truncating
      && active.index().durable_mark() == log_end_)
    return env_.sync_directory(directory_);
  PESSOA_TRY(auto file, active.file());
  if (!PESSOA_PLANT("recovered_log_not_synced")) {
    PESSOA_CHECK(file->sync());
    PESSOA_CHECK(save_epochs_if_new());
    PESSOA_CHECK(env_.sync_directory(directory_));
    PESSOA_CHECK(env_.sync_directory(parent_directory(directory_)));
  }
  active.index().set_durable_mark(log_end_);
  return {};
}

result<void> segmented_log::load_state(recovery_report& report) {
  auto data = read_whole_file(env_, directory_ + "/state", small_file_bytes_max);
  if (!data.ok() && data.error().code == ec::not_found) return {};
  if (!data.ok() && data.error().code != ec::corrupt_data) return data.error();
  auto state = data.ok() ? log_state::decode(*data) : result<log_state>{data.error()};
  if (!state.ok() && state.error().code == ec::unsupported_version)
    return error{ec::unsupported_version, named() + ": file 'state': " + state.error().message};
  if (state.ok())
    state_ = *state;
  else
    lose("file 'state': " + state.error().message, report);
  return {};
}

result<void> segmented_log::find_segments(recovery_report& report) {
  PESSOA_TRY(auto names, env_.list_directory(directory_));
  std::vector<offset> bases;
  bool had_content = false;
  for (auto& name : names) {
    if (auto base = parse_file_name(name, segment_suffix)) bases.push_back(*base);
    had_content = had_content || name == "epochs" || name == "checkpoint" || name == "state";
  }
  std::sort(bases.begin(), bases.end());
  auto drop = [&](offset base) { return segment{env_, directory_, key_, base}.remove(); };
  if (!failed_) {
    // An unfinished truncation is finished here: nothing can have been written since.
    while (state_.truncating && bases.size() > 1 && bases.back() > state_.truncated_to) {
      PESSOA_CHECK(drop(bases.back()));
      bases.pop_back();
    }
    // Likewise a removal, as far as a snapshot knows the producers; what else goes is looked at before (open()).
    auto known = bases.size() > 1 && bases[1] <= state_.log_start ? snapshots_.sync_newest()
                                                                  : result<offset>{offset{0}};
    PESSOA_CHECK(known);
    durable_snapshot_end_ = *known;
    while (bases.size() > 1 && bases[1] <= state_.log_start && bases[1] <= *known) {
      PESSOA_CHECK(drop(bases.front()));
      bases.erase(bases.begin());
    }
    if (bases.empty() && had_content) lose("there is no segment, and there was one", report);
    if (!bases.empty() && bases.front() > state_.log_start)
      lose("the first segment begins at " + std::to_string(bases.front().value()) + ", the log at "
               + std::to_string(state_.log_start.value()),
           report);
  } else if (!bases.empty()) {
    state_.log_start = bases.front(); // the state file is gone
  }
  // What was lost stays as it is: no file is made in a log that failed.
  if (bases.empty() && failed_) return {};
  if (bases.empty()) {
    log_end_ = state_.log_start;
    return add_segment(state_.log_start);
  }
  for (auto base : bases)
    runs_.push_back({std::make_shared<segment>(env_, directory_, key_, base), {}});
  for (auto& name : names)
    if (auto base = parse_file_name(name, index_suffix);
        base && !std::binary_search(bases.begin(), bases.end(), *base))
      PESSOA_CHECK(env_.remove_file(directory_ + "/" + name));
  // From the end: of what a removal has left, only that is of use which joins what is still there. The names that a power cut
  // brings back may have holes between them.
  for (size_t i = runs_.size() - 1; i-- > 0;) {
    auto next_base = runs_[i + 1].file->base();
    PESSOA_TRY(auto whole, load_sealed(runs_[i], next_base, report));
    if (whole || next_base > state_.log_start || failed_) continue;
    for (size_t gone = 0; gone <= i; ++gone)
      PESSOA_CHECK(runs_[gone].file->remove());
    runs_.erase(runs_.begin(), runs_.begin() + static_cast<ptrdiff_t>(i) + 1);
    break;
  }
  return {};
}

// Whether it is whole and reaches to the next one; what is missing is a loss unless it was removed.
result<bool> segmented_log::load_sealed(run& sealed, offset next_base, recovery_report& report) {
  PESSOA_TRY(auto file, sealed.file->file());
  PESSOA_TRY(auto size, file->size());
  auto& index = sealed.file->index();
  auto end = index.sealed_end();
  if (end && end->position == size && end->at == next_base) {
    sealed.facts = {size, end->at, end->max_time_before, no_timestamp, end->max_append_before};
    sealed.file->release();
    return true;
  }
  // Its index is lost or late: the headers say what it should have said.
  PESSOA_PROBE("index_rebuilt");
  report.index_rebuilt = true;
  index.keep(0);
  sealed.facts.end = sealed.file->base();
  PESSOA_TRY(auto walked,
             walk_frames(*file, key_, {0, sealed.file->base(), std::nullopt}, size, walk_depth::heads,
                         [&](const frame_view& view, uint64_t position, byte_view) {
                           if (view.header.base == next_base) return false;
                           note_frame(sealed, view, position);
                           return true;
                         }));
  report.bytes_read += walked.bytes_read;
  const bool rotten = walked.defect == frame_defect::false_end && !PESSOA_PLANT("cut_behind_a_false_end");
  if (sealed.facts.end == next_base && walked.position < size && !rotten && !failed_) {
    // A start was cut short between giving the tail a segment of its own and taking it from here. The names were synced
    // when this start began.
    PESSOA_CHECK(file->truncate(walked.position));
    PESSOA_CHECK(file->sync());
    size = walked.position;
  }
  bool damaged = walked.position != size || sealed.facts.end != next_base;
  if (damaged && next_base > state_.log_start) // what was removed cannot be missed
    lose(sealed.file->path() + " is damaged at byte " + std::to_string(walked.position) + " (offset "
             + std::to_string(sealed.facts.end.value()) + "): " + to_string(walked.defect),
         report);
  else if (!damaged)
    index.add({next_base, size, sealed.facts.max_time, sealed.facts.last_append, index_kind::end});
  sealed.facts.end = std::min(sealed.facts.end, next_base);
  tail_.last_indexed = 0;
  sealed.file->release();
  return !damaged;
}

result<std::optional<log_checkpoint>> segmented_log::checkpoint_of_generation() {
  auto data = read_whole_file(env_, directory_ + "/checkpoint", small_file_bytes_max);
  if (!data.ok() && data.error().code != ec::not_found && data.error().code != ec::corrupt_data)
    return data.error();
  auto mark = data.ok() ? log_checkpoint::decode(*data) : result<log_checkpoint>{data.error()};
  if (!mark.ok() || mark->generation != state_.generation) return std::optional<log_checkpoint>{};
  return std::optional{*mark};
}

result<bool> segmented_log::open_clean(recovery_report&) {
  auto left = checkpoint_of_generation();
  auto& active = runs_.back();
  if (!left.ok() || !*left || (*left)->active_base != active.file->base()) return false;
  auto& mark = *left;
  PESSOA_TRY(auto file, active.file->file());
  PESSOA_TRY(auto size, file->size());
  auto epochs = read_whole_file(env_, directory_ + "/epochs", small_file_bytes_max);
  auto lineage = epochs.ok() ? epoch_lineage::decode(*epochs) : result<epoch_lineage>{epochs.error()};
  bool empty_log = runs_.size() == 1 && size == 0;
  if (size != mark->active_size || mark->log_end < state_.log_start || (!lineage.ok() && !empty_log))
    return false;
  if (lineage.ok()) epochs_ = std::move(*lineage);
  epochs_.truncate(mark->log_end);
  active.facts = {size, mark->log_end, mark->max_time, mark->first_append, mark->last_append};
  log_end_ = mark->log_end;
  if (mark->has_last_crc) tail_.last_crc = mark->last_crc;
  auto entries = active.file->index().entries();
  tail_.last_indexed = entries.empty() ? 0 : entries.back().position;
  return true;
}

result<void> segmented_log::rebuild_epochs(recovery_report& report) {
  epochs_ = {};
  epochs_saved_ = false;
  for (auto& r : runs_) {
    bool ascends = true;
    PESSOA_TRY(auto file, r.file->file());
    PESSOA_TRY(auto walked, walk_frames(*file, key_, {0, r.file->base(), std::nullopt}, r.facts.size,
                                        walk_depth::heads, [&](const frame_view& view, uint64_t, byte_view) {
                                          ascends = view.header.epoch >= epochs_.last();
                                          if (ascends) epochs_.note(view.header.epoch, view.header.base);
                                          return ascends;
                                        }));
    report.bytes_read += walked.bytes_read;
    if (walked.position != r.facts.size)
      lose(r.file->path() + " is damaged at byte " + std::to_string(walked.position) + ": "
               + (ascends ? to_string(walked.defect) : "an epoch goes back"),
           report);
  }
  return {};
}

} // namespace pessoa::persistence
