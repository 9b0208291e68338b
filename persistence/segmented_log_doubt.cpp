// Frames that can be read after a crash and may still not be on the disk.
//
// A sync that fails leaves pages clean that never reached the disk; the next process reads them and its sync
// says ok (failures S8). So what is not known to have been synced is written again before it counts. Never in
// place: a frame that somebody was told is safe may be among them. What the journal holds is cut and appended
// from there; anything else is copied to a segment of its own, and only then taken from the old one.
#include "persistence/segmented_log.hpp"

#include "schema/plants.hpp"

#include <algorithm>

namespace pessoa::persistence {

// Leaves the log ending where what is known to be synced ends, or with the doubtful frames in a new segment.
// `from_journal` is what is to be appended after this.
result<void> segmented_log::write_again(scan found, const journal_frames& journal,
                                        std::vector<frame_input>& from_journal) {
  PESSOA_PROBE("doubtful_frames_written_again");
  auto& facts = found.before; // a mark inside a batch vouches for what lies before it
  auto known = facts.end;
  offset ignored{0};
  auto held = lacking(journal, known, ignored);
  bool in_journal = false;
  auto epochs_before = epochs_;
  epochs_before.truncate(known);
  if (!held.empty() && epochs_ascend(held, epochs_before.last())) {
    PESSOA_TRY(auto last, parse_batch_header(held.back().batch));
    in_journal = last.next_offset() >= log_end_;
  }
  auto& active = runs_.back();
  if (!in_journal) {
    // Without room for them nobody can say what is on the disk: the log waits, and is opened again when there is room.
    PESSOA_TRY(auto space, env_.space(directory_));
    auto needed = 2 * (active.facts.size - facts.size) + (64u << 10);
    if (space.free_bytes < needed) {
      if (PESSOA_PLANT("trust_a_full_disk")) return {};
      return error{
          ec::disk_full,
          named() + ": what was not known to be synced is written again before it counts, which needs "
              + std::to_string(needed) + " bytes, and " + std::to_string(space.free_bytes) + " are free"};
    }
  }
  tail_.last_crc = found.crc_before;
  auto& index = active.file->index();
  auto entries = index.entries();
  size_t kept = 0;
  while (kept < entries.size() && entries[kept].at < known)
    ++kept;
  index.keep(kept);
  tail_.last.reset();
  tail_.last_indexed = kept == 0 ? 0 : entries[kept - 1].position;
  active.facts = facts;
  if (!tail_.last_crc && facts.size > 0) {
    PESSOA_TRY(tail_.last_crc, last_crc_of(active, key_));
  }
  log_end_ = known;
  epochs_.truncate(known);
  epochs_saved_ = false;
  durable_end_ = synced_end_ = known;
  if (!in_journal) return copy_tail(known, std::move(found.doubtful));
  PESSOA_TRY(auto file, active.file->file());
  PESSOA_CHECK(file->truncate(facts.size));
  from_journal = std::move(held);
  return {};
}

result<void> segmented_log::copy_tail(offset known, std::deque<doubted> doubtful) {
  std::vector<frame_input> frames;
  for (auto& frame : doubtful)
    frames.push_back({std::move(frame.batch), frame.view.header.append_time, frame.view.header.durable_end});
  auto folder = directory_ + "/copy";
  PESSOA_CHECK(env_.remove_tree(folder));
  PESSOA_CHECK(env_.create_directories(folder));
  auto copy = std::make_shared<segment>(env_, folder, key_, known);
  PESSOA_CHECK(copy->create());
  bool replaces = known == runs_.back().file->base();
  auto old = runs_.back();
  if (replaces) runs_.pop_back();
  runs_.push_back({copy, {0, known, no_timestamp, no_timestamp, no_timestamp}});
  tail_.last.reset();
  tail_.last_indexed = 0;
  PESSOA_TRY(auto batches, check(frames));
  PESSOA_CHECK(write_run(batches));
  written_.clear();
  PESSOA_TRY(auto file, copy->file());
  PESSOA_CHECK(file->sync());
  file.reset();
  auto entries = copy->index().entries();
  copy->release();
  // Under its own name it replaces the doubtful segment, or stands behind it until that is cut: load_sealed()
  // knows both.
  auto placed = std::make_shared<segment>(env_, directory_, key_, known);
  old.file->release();
  PESSOA_CHECK(env_.remove_file(placed->index_path()));
  PESSOA_CHECK(env_.rename(copy->path(), placed->path()));
  PESSOA_CHECK(env_.sync_directory(directory_));
  for (auto& entry : entries)
    placed->index().add(entry);
  runs_.back().file = placed;
  if (!replaces) {
    PESSOA_TRY(auto cut, old.file->file());
    PESSOA_CHECK(cut->truncate(old.facts.size));
    PESSOA_CHECK(cut->sync());
    old.file->index().add(
        {known, old.facts.size, old.facts.max_time, old.facts.last_append, index_kind::end});
    old.file->index().sync();
    old.file->release();
  }
  return env_.remove_tree(folder);
}

} // namespace pessoa::persistence
