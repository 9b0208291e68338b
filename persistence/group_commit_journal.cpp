// The journal path of a round, and trimming behind it.
#include "persistence/group_commit.hpp"

#include "schema/plants.hpp"

namespace pessoa::persistence {

void group_commit::run_journal(round& now) {
  std::vector<journal::entry> entries;
  std::vector<request*> journalled;
  entries.reserve(now.to_commit.size());
  for (auto* r : now.to_commit) {
    now.own.push_back(r);
    auto base = r->log->log_end();
    auto count = static_cast<uint32_t>(r->frames.size());
    if (!write(*r)) continue;
    auto handle = r->log->background_sync();
    if (!handle || count == 0) {
      sync(*r);
      continue;
    }
    journal::entry entry;
    entry.record.frame_count = count;
    entry.record.key = r->log->key();
    entry.record.generation = static_cast<uint32_t>(r->outcome.generation);
    entry.record.base = base;
    entry.record.end = r->log->log_end();
    entry.frames = r->log->last_written_frames();
    entry.log = std::move(handle);
    entries.push_back(std::move(entry));
    journalled.push_back(r);
  }
  auto begin = time_.now();
  auto written = entries.empty() ? result<uint64_t>{uint64_t{0}} : journal_->append(entries);
  if (!entries.empty()) {
    sync_times_.add(time_.now() - begin);
    std::lock_guard lock{mutex_};
    ++counters_.journal_syncs;
    if (written.ok())
      counters_.journal_bytes += *written;
    else
      ++counters_.failures;
  }
  for (size_t i = 0; i < journalled.size(); ++i) {
    auto& r = *journalled[i];
    if (written.ok()) {
      r.log->note_durable_in_journal(entries[i].record.end);
      r.outcome.durable_end = entries[i].record.end;
    } else {
      PESSOA_PROBE("journal_failed");
      sync(r); // the journal is over, the segments are not
    }
  }
  for (auto* r : now.to_commit)
    r->log.reset();
  trim_if_wanted();
}

void group_commit::trim_if_wanted() {
  if (!journal_->wants_trim()) return;
  std::lock_guard lock{mutex_};
  if (trimming_ || stopping_) return;
  trimming_ = true;
  auto alive = std::make_shared<job_count>(*this);
  // A step a job: rounds get their turn between two syncs.
  pool_.post([this, alive] { trim(); });
}

void group_commit::trim() {
  // An error is the log's own, or the journal's file stays until the next start: nothing to answer here.
  auto more = journal_->trim_step();
  {
    std::lock_guard lock{mutex_};
    trimming_ = false;
    if (!more.ok()) ++counters_.failures;
  }
  if (more.ok() && *more) trim_if_wanted();
}

journal_frames group_commit::recovered(const partition_key& key) {
  std::lock_guard lock{recovery_mutex_};
  return recovery_.take(key);
}

void group_commit::recovered_in_vain(const partition_key& key) {
  std::lock_guard lock{recovery_mutex_};
  recovery_.give_back(key);
}

result<void> group_commit::recovery_complete() {
  std::lock_guard lock{recovery_mutex_};
  PESSOA_CHECK(recovery_.remove());
  journal_->old_files_are_gone();
  return {};
}

result<void> group_commit::flush() { return journal_->flush(); }

result<void> group_commit::detach(partition_log& log) {
  auto handle = log.background_sync();
  if (!handle) return {};
  bool held_before;
  {
    std::lock_guard lock{recovery_mutex_};
    held_before = recovery_.holds(log.key());
  }
  return journal_->forget(log.key(), *handle, held_before);
}

} // namespace pessoa::persistence
