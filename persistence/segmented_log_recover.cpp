// The active segment after an unclean stop: where to begin, how far the frames hold, and whether what follows
// is a torn tail (never known durable) or loss.
//
// A frame says what was synced when it was written, and the index's mark what was since. The scan begins at the
// index entry at or below that; up to there heads and their chain are verified, from there on every byte. It is
// the one time that the segment is read: producers, epochs and the frames in doubt come from it, too. Where the frames stop,
// everything that ever claimed a durable end is asked: the frames before, whatever whole header is found
// behind, the index's mark, and the journal. If one of them claims more than what frames and journal give
// back, nothing is touched.
#include "persistence/segmented_log.hpp"

#include "schema/plants.hpp"

#include <algorithm>
#include <utility>

namespace pessoa::persistence {

void segmented_log::extend(segment_facts& facts, const frame_view& view, uint64_t position) {
  if (position == 0) facts.first_append = view.header.append_time;
  facts.size = position + view.header.frame_length;
  facts.end = view.next_offset();
  facts.max_time = std::max(facts.max_time, view.batch.max_timestamp);
  facts.last_append = std::max(facts.last_append, view.header.append_time);
}

void segmented_log::note_frame(run& active, const frame_view& view, uint64_t position) {
  auto& facts = active.facts;
  index_entry entry{view.header.base, position, facts.max_time, facts.last_append, index_kind::frame};
  auto interval = static_cast<uint64_t>(settings_.index_interval_bytes);
  // A start reads the heads behind a snapshot: from here on, then.
  if (std::exchange(tail_.index_next, false)) interval /= 16;
  bool add = position == 0 || position - tail_.last_indexed >= interval;
  if (add) {
    active.file->index().add(entry);
    tail_.last_indexed = position;
  }
  tail_.last = add ? std::nullopt : std::optional{entry};
  std::lock_guard lock{facts_};
  extend(facts, view, position);
}

result<std::optional<uint32_t>> segmented_log::last_crc_of(const run& sealed, const partition_key& key) {
  PESSOA_TRY(auto file, sealed.file->file());
  walk_start from{0, sealed.file->base(), std::nullopt};
  if (sealed.facts.end > sealed.file->base())
    if (auto entry = sealed.file->index().find(sealed.facts.end - 1);
        entry && entry->kind == index_kind::frame)
      from = {entry->position, entry->at, std::nullopt};
  auto pass = [](const frame_view&, uint64_t, byte_view) { return true; };
  PESSOA_TRY(auto walked, walk_frames(*file, key, from, sealed.facts.size, walk_depth::heads, pass));
  sealed.file->release();
  // Without it the link between two segments goes unchecked; what is damaged there shows when it is read.
  if (walked.position != sealed.facts.size) return std::optional<uint32_t>{};
  return walked.last_crc;
}

// Sets the active segment's facts to what lies before the start.
result<walk_start> segmented_log::choose_start(recovery_report& report) {
  auto& active = runs_.back();
  auto& index = active.file->index();
  PESSOA_TRY(auto file, active.file->file());
  auto entries = index.entries();
  report.index_rebuilt = report.index_rebuilt || index.damaged();
  auto head_at = [&](const index_entry& entry, frame_view& view) {
    uint8_t head[frame_head_size];
    auto got = file->read_at(entry.position, head, sizeof head);
    if (!got.ok() || entry.kind != index_kind::frame) return false;
    report.bytes_read += *got;
    if (parse_frame_head({head, *got}, key_, view) != frame_defect::none || view.header.base != entry.at)
      return false;
    // A truncated frame is no place to begin: what it says was synced is gone, and if old blocks show it in the place of one
    // that has not come to the disk, nothing tells but the frame before, which the scan has to meet first.
    return view.header.generation >= state_.generation || entry.at < state_.truncated_to
           || PESSOA_PLANT("scan_behind_truncation");
  };
  std::optional<offset> synced;
  walk_start from{0, active.file->base(), std::nullopt};
  // A truncation sets the mark before it saves the epochs.
  if (!state_.truncating) from.known = index.durable_mark().value_or(offset{0});
  active.facts = {0, active.file->base(), no_timestamp, no_timestamp, no_timestamp};
  size_t kept = 0;
  for (size_t i = entries.size(); i-- > 0;) {
    frame_view view;
    if (synced && entries[i].at > *synced) continue;
    if (!head_at(entries[i], view)) {
      report.index_rebuilt = true;
      continue;
    }
    if (!synced) {
      synced = std::max(view.header.synced_end, from.known);
      from.known = *synced;
    }
    if (entries[i].at > *synced) continue;
    from.position = entries[i].position;
    from.expected = entries[i].at;
    active.facts.max_time = entries[i].max_time_before;
    active.facts.last_append = entries[i].max_append_before;
    kept = i + 1;
    break;
  }
  index.keep(kept);
  tail_ = {};
  tail_.last_indexed = from.position;
  if (from.position > 0) { // the age of a segment is that of its first frame
    frame_view first;
    if (head_at({active.file->base(), 0, {}, {}, index_kind::frame}, first))
      active.facts.first_append = first.header.append_time;
  } else if (runs_.size() > 1) {
    PESSOA_TRY(from.previous_crc, last_crc_of(runs_[runs_.size() - 2], key_));
  }
  from.verified_last = static_cast<uint64_t>(settings_.index_interval_bytes) / 8;
  active.facts.size = from.position;
  active.facts.end = *from.expected;
  tail_.last_crc = from.previous_crc;
  return from;
}

result<segmented_log::scan> segmented_log::scan_active(const walk_start& from, uint64_t file_size,
                                                       const journal_frames& journal,
                                                       recovered_producers& producers,
                                                       recovery_report& report) {
  auto& active = runs_.back();
  PESSOA_TRY(auto file, active.file->file());
  scan found;
  found.from = *from.expected;
  found.synced_end =
      std::max({from.known, found.from, active.file->index().durable_mark().value_or(offset{0})});
  found.before = active.facts;
  found.crc_before = from.previous_crc;
  const char* refused = nullptr; // whole, and still not ours
  auto held = journal.entries.begin();
  // What the journal gave is not kept a second time.
  auto keep = [&](const frame_view& view, byte_view batch) {
    for (; held != journal.entries.end(); ++held) {
      auto head = parse_batch_header(held->frame.batch);
      if (!head.ok() || !is_current(*held) || head->base_offset < view.header.base) continue;
      if (head->base_offset == view.header.base && same_bytes(held->frame.batch, batch))
        return held->frame.batch;
      break;
    }
    return bytes::copy(batch);
  };
  auto take = [&](const frame_view& view, uint64_t position, byte_view frame) {
    auto& h = view.header;
    bool behind =
        state_.truncating ? view.next_offset() > state_.truncated_to : h.base >= state_.truncated_to;
    bool older = h.generation < state_.generation;
    if (behind && older && state_.truncating)
      refused = "it was truncated"; // by what this start finishes
    else if (behind && older)
      found.contradiction = "a frame that was truncated is still there";
    else if (h.generation > state_.generation || (behind && state_.truncating))
      found.contradiction = "a frame knows of a truncation that the log does not";
    else if (!found.epochs.empty() && h.epoch < found.epochs.back().epoch)
      found.contradiction = "an epoch goes back";
    if (found.contradiction) refused = found.contradiction;
    if (refused) return false;
    if (found.epochs.empty() || h.epoch > found.epochs.back().epoch)
      found.epochs.push_back({h.epoch, h.base});
    found.durable_end = std::max(found.durable_end, h.durable_end);
    note_frame(active, view, position);
    if (h.base >= producers.from) {
      producers.table.apply(view.batch, h.append_time);
      note_replay(h);
    }
    // What a later frame calls synced is no longer in doubt.
    auto settled = [&](const frame_view& v, uint64_t at) {
      if (v.next_offset() > found.synced_end) return false;
      extend(found.before, v, at);
      found.crc_before = v.header.header_crc;
      return true;
    };
    found.synced_end = std::max(found.synced_end, h.synced_end);
    while (!found.doubtful.empty() && settled(found.doubtful.front().view, found.doubtful.front().position))
      found.doubtful.pop_front();
    if (found.doubtful.empty() && settled(view, position)) return true;
    found.doubtful.push_back({view, position, keep(view, frame.subspan(frame_header_size, h.batch_length))});
    return true;
  };
  read_window window{*file, file_size};
  PESSOA_TRY(found.end, walk_frames(window, key_, from, walk_depth::whole, take));
  found.why = refused ? refused : to_string(found.end.defect);
  // What is called durable is read by its heads, and a batch that claims more than it holds could make up for what follows.
  if (found.end.defect == frame_defect::false_end && !PESSOA_PLANT("cut_behind_a_false_end"))
    found.contradiction = to_string(found.end.defect);
  if (found.end.defect == frame_defect::unsupported)
    return error{ec::unsupported_version, active.file->path() + " at byte "
                                              + std::to_string(found.end.position)
                                              + ": a frame of a newer format version"};
  if (found.end.position < file_size) {
    PESSOA_TRY(auto behind, durable_end_recorded_in(window, key_, state_.generation, found.end.position + 1));
    found.durable_end = std::max(found.durable_end, behind.value_or(offset{0}));
  }
  report.bytes_read += window.bytes_read();
  found.durable_end = std::max(found.durable_end, active.file->index().durable_mark().value_or(offset{0}));
  // A truncation syncs what it leaves before it takes anything, and the mark that says so may be gone with its index. What
  // an unfinished one takes is not missed.
  if (state_.truncating)
    found.durable_end = state_.truncated_to;
  else if (!PESSOA_PLANT("forget_the_truncation"))
    found.durable_end = std::max(found.durable_end, state_.truncated_to);
  return found;
}

// A truncation syncs the segments, so they hold all that older generations wrote and that is still there.
bool segmented_log::is_current(const journal_frames::entry& entry) const {
  return entry.generation == state_.generation
         || (state_.truncating && entry.generation + 1 == state_.generation);
}

std::vector<frame_input> segmented_log::lacking(const journal_frames& journal, offset end,
                                                offset& reached) const {
  std::vector<frame_input> lacking;
  bool gap = false;
  for (auto& entry : journal.entries) {
    if (!is_current(entry) && !PESSOA_PLANT("ignore_generation")) continue;
    auto head = parse_batch_header(entry.frame.batch);
    if (!head.ok() || head->base_offset < end) continue;
    if (state_.truncating && head->next_offset() > state_.truncated_to) break;
    reached =
        std::max(reached, head->base_offset); // a frame was journalled only when all before it was durable
    gap = gap || head->base_offset != end;
    if (gap) continue; // nothing to append any more, but every frame says what was durable before it
    end = head->next_offset();
    reached = std::max(reached, end);
    lacking.push_back(entry.frame);
  }
  return lacking;
}

bool segmented_log::epochs_ascend(const std::vector<frame_input>& frames, leader_epoch from) {
  for (auto& frame : frames) {
    auto head = parse_batch_header(frame.batch);
    if (!head.ok() || head->epoch < from) return false;
    from = head->epoch;
  }
  return true;
}

result<void> segmented_log::recover(const journal_frames& journal, recovery_report& report) {
  auto& active = runs_.back();
  PESSOA_TRY(auto file, active.file->file());
  PESSOA_TRY(auto file_size, file->size());
  PESSOA_TRY(auto from, choose_start(report));
  // This reads what the scan does not, and may find damage there: nothing is touched before that is known.
  PESSOA_TRY(auto producers, replay_producers(offset_max, report));
  PESSOA_TRY(auto found, scan_active(from, file_size, journal, producers, report));
  auto end = active.facts.end;
  log_end_ = durable_end_ = synced_end_ = end;
  tail_.last_crc = found.end.last_crc;
  if (!tail_.last_crc && from.position > 0) { // nothing was scanned: the chain goes on from the frame before
    PESSOA_TRY(tail_.last_crc, last_crc_of(active, key_));
    PESSOA_TRY(file, active.file->file());
  }

  offset claimed = found.durable_end;
  // A start that trusted the last clean stop may have missed something, and been killed: then this one has to miss it, too.
  PESSOA_TRY(auto stopped, checkpoint_of_generation());
  if (stopped && !PESSOA_PLANT("forget_the_checkpoint")) claimed = std::max(claimed, stopped->log_end);
  auto more = lacking(journal, end, claimed);
  offset reached = end;
  if (!more.empty()) {
    PESSOA_TRY(auto last, parse_batch_header(more.back().batch));
    reached = last.next_offset();
  }
  for (auto& lost : journal.lost) // what an older generation wrote is in the segments, or was truncated
    if (lost.generation == state_.generation)
      claimed = std::max(claimed, lost.end);
    else if (state_.truncating && lost.generation + 1 == state_.generation)
      claimed = std::max(claimed, std::min(lost.end, state_.truncated_to));
  if (claimed > reached && claimed > state_.log_start && !PESSOA_PLANT("cut_below_durable_end"))
    lose(active.file->path() + " ends at byte " + std::to_string(found.end.position) + " (offset "
             + std::to_string(end.value()) + ": " + found.why + "), but offset "
             + std::to_string(claimed.value()) + " was durable",
         report);
  if (found.contradiction)
    lose(active.file->path() + " at byte " + std::to_string(found.end.position) + ": " + found.contradiction,
         report);
  for (auto& entry : journal.entries)
    if (entry.generation > state_.generation || (state_.truncating && entry.generation == state_.generation))
      lose("the journal knows of a truncation that the log does not", report);
  if (journal.damage) lose(*journal.damage, report);
  PESSOA_CHECK(settle_epochs(found, report));
  // With the journal's frames, of which a snapshot may know more than the segments.
  auto whole = std::max(reached, state_.log_start);
  if (producers.from <= whole) {
    std::lock_guard lock{facts_};
    producers_ = std::move(producers.table);
  } else {
    PESSOA_CHECK(load_producers(whole, report)); // the newest snapshot knows frames that are gone
  }
  if (!epochs_ascend(more, epochs_.last())) lose("the epochs of the journal's frames go back", report);
  return failed_ ? result<void>{} : settle(std::move(found), file_size, journal, std::move(more), report);
}

result<void> segmented_log::settle_epochs(const scan& found, recovery_report& report) {
  auto data = read_whole_file(env_, directory_ + "/epochs", small_file_bytes_max);
  auto saved = data.ok() ? epoch_lineage::decode(*data) : result<epoch_lineage>{data.error()};
  if (!saved.ok() && saved.error().code == ec::unsupported_version)
    return error{ec::unsupported_version, named() + ": file 'epochs': " + saved.error().message};
  // All that is still there: below the start of the log no epoch is asked for.
  bool all_scanned = found.from <= std::max(runs_.front().file->base(), state_.log_start);
  auto merged = saved.ok() ? *saved : epoch_lineage{};
  // Below the scan the file knows every epoch; from there on the frames do.
  merged.truncate(found.from);
  bool contradicts =
      !found.epochs.empty() && !merged.starts().empty() && found.epochs.front().epoch < merged.last();
  if ((!saved.ok() && !all_scanned) || contradicts || (merged.starts().empty() && !all_scanned))
    return rebuild_epochs(report);
  for (auto& start : found.epochs)
    merged.note(start.epoch, start.start);
  epochs_saved_ = saved.ok() ? *saved == merged : merged.starts().empty();
  epochs_ = std::move(merged);
  return {};
}

// Cuts the torn tail and appends what only the journal has.
result<void> segmented_log::settle(scan found, uint64_t file_size, const journal_frames& journal,
                                   std::vector<frame_input> from_journal, recovery_report& report) {
  auto& active = runs_.back();
  PESSOA_TRY(auto file, active.file->file());
  if (found.end.position < file_size) {
    PESSOA_PROBE("torn_tail_cut");
    PESSOA_CHECK(wipe_and_cut(*file, found.end.position, file_size));
    report.torn_bytes_cut = file_size - found.end.position;
    touched_ = true;
  } else if (state_.truncating) {
    // The truncation before may have failed in its sync, and look done without being so: it is done anew.
    PESSOA_CHECK(file->truncate(file_size + frame_alignment));
    PESSOA_CHECK(file->truncate(file_size));
  }
  synced_end_ = std::min(log_end_, found.synced_end);
  auto claimed = found.durable_end;
  if (synced_end_ < log_end_ && !PESSOA_PLANT("trust_the_page_cache"))
    PESSOA_CHECK(write_again(std::move(found), journal, from_journal));
  // The frames to come must not claim more than what is known: nothing is synced yet.
  durable_end_ = std::max(synced_end_, std::min(claimed, log_end_));
  if (!from_journal.empty()) {
    PESSOA_PROBE("journal_replayed");
    PESSOA_CHECK(append(from_journal));
    written_.clear();
    report.frames_from_journal = from_journal.size();
  }
  if (log_end_ < state_.log_start) {
    // What was deleted is gone from the files too: the log goes on where it is said to begin. The new segment
    // comes first, so that there is one at any moment.
    log_end_ = durable_end_ = synced_end_ = state_.log_start;
    tail_ = {};
    epochs_ = {};
    epochs_saved_ = false;
    PESSOA_CHECK(add_segment(state_.log_start));
    if (producers_.size() > 0) PESSOA_CHECK(save_producers(true));
    for (; runs_.size() > 1; runs_.erase(runs_.begin()))
      PESSOA_CHECK(runs_.front().file->remove());
  }
  return drop_snapshots_above(log_end_);
}

} // namespace pessoa::persistence
