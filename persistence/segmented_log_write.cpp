// Appending, rolling, syncing. The bytes of a batch go from the caller's buffer to the kernel in one gathered
// write, with the headers of the whole call in one allocation between them.
#include "persistence/segmented_log.hpp"

#include "schema/endian.hpp"
#include "schema/plants.hpp"

#include <algorithm>

namespace pessoa::persistence {

namespace {

constexpr uint8_t zeros[frame_alignment] = {};

} // namespace

struct segmented_log::mark {
  offset log_end;
  size_t segments;
  segment_facts facts;
  tail at;
  epoch_lineage epochs;
};

result<void> segmented_log::usable() const {
  std::lock_guard lock{facts_};
  if (!failed_) return {};
  return error{failed_->code == ec::corrupt_data ? ec::corrupt_data : ec::storage_failed, failed_->message};
}

error segmented_log::fail(error cause) {
  PESSOA_PROBE("log_failed");
  if (PESSOA_PLANT("failed_log_goes_on")) return error{ec::disk_full, cause.message};
  std::lock_guard lock{facts_};
  if (!failed_) failed_ = error{ec::storage_failed, named() + " takes no more writes: " + cause.message};
  return *failed_;
}

// -- append ---

result<std::vector<segmented_log::batch_to_write>>
segmented_log::check(const std::vector<frame_input>& frames) const {
  std::vector<batch_to_write> batches;
  batches.reserve(frames.size());
  offset next = log_end();
  leader_epoch epoch = last_epoch();
  for (auto& frame : frames) {
    auto head = parse_batch_header(frame.batch);
    bool fits = head.ok() && head->size() == frame.batch.size()
                && frame.batch.size() <= framed_batch_bytes_max && head->base_offset == next
                && head->epoch >= epoch && head->epoch.value() >= 0 && head->last_offset_delta >= 0;
    if (!fits)
      return error{ec::internal,
                   named() + ": a batch at offset "
                       + (head.ok() ? std::to_string(head->base_offset.value()) : head.error().message)
                       + " was to be written where " + std::to_string(next.value()) + " comes next"};
    batches.push_back({&frame, *head});
    next = head->next_offset();
    epoch = head->epoch;
  }
  return batches;
}

result<void> segmented_log::write(const std::vector<frame_input>& frames) {
  written_.clear();
  return append(frames);
}

result<void> segmented_log::append(const std::vector<frame_input>& frames) {
  PESSOA_CHECK(usable());
  PESSOA_TRY(auto batches, check(frames));
  mark before{log_end_, runs_.size(), runs_.back().facts, tail_, epochs_};
  auto failing = [&](error cause) -> error {
    // A full disk is no broken disk: what was begun is taken back, and the log goes on when there is space
    // again.
    if (cause.code == ec::disk_full && undo(before).ok()) {
      PESSOA_PROBE("write_undone");
      return cause;
    }
    return fail(std::move(cause));
  };
  std::span<batch_to_write> rest{batches};
  while (!rest.empty()) {
    if (must_roll(frame_length_of(rest[0].input->batch.size()), rest[0].input->append_time))
      if (auto rolled = roll(); !rolled.ok()) return failing(rolled.error());
    // What goes into this segment, in one write.
    auto& facts = runs_.back().facts;
    auto bytes = facts.size;
    auto first = facts.size > 0 ? facts.first_append : rest[0].input->append_time;
    size_t count = 0;
    for (; count < rest.size(); ++count) {
      auto frame = frame_length_of(rest[count].input->batch.size());
      bool full = bytes + frame > static_cast<uint64_t>(settings_.segment_bytes)
                  || rest[count].input->append_time - first >= settings_.segment_ms;
      if (full && count > 0) break;
      bytes += frame;
    }
    if (auto written = write_run(rest.first(count)); !written.ok()) return failing(written.error());
    rest = rest.subspan(count);
  }
  return {};
}

result<void> segmented_log::write_run(std::span<batch_to_write> batches) {
  auto& active = runs_.back();
  PESSOA_TRY(auto file, active.file->file());
  auto headers = std::make_shared<std::vector<uint8_t>>(batches.size() * frame_header_size);
  std::vector<byte_view> parts;
  parts.reserve(batches.size() * 3);
  std::vector<frame_view> views(batches.size());
  auto previous_crc = tail_.last_crc.value_or(0);
  for (size_t i = 0; i < batches.size(); ++i) {
    auto& batch = batches[i].input->batch;
    auto& h = views[i].header;
    views[i].batch = batches[i].head;
    h.frame_length = static_cast<uint32_t>(frame_length_of(batch.size()));
    h.batch_length = static_cast<uint32_t>(batch.size());
    h.topic_hash = topic_hash(key_.topic);
    h.partition = key_.index;
    h.epoch = batches[i].head.epoch;
    h.base = batches[i].head.base_offset;
    h.append_time = batches[i].input->append_time;
    {
      std::lock_guard lock{facts_};
      h.durable_end = durable_end_;
      if (!PESSOA_PLANT("say_less_when_written_again"))
        h.durable_end = std::max(h.durable_end, batches[i].input->durable_end);
      h.synced_end = synced_end_;
    }
    h.generation = state_.generation;
    h.previous_crc = previous_crc;
    h.batch_crc = batches[i].head.crc;
    auto* at = headers->data() + i * frame_header_size;
    encode_frame_header(h, at);
    previous_crc = h.header_crc;
    bytes header{headers, {at, frame_header_size}};
    bytes padding{nullptr, {zeros, padding_of(batch.size())}};
    for (auto& piece : {header, batch, padding}) {
      if (piece.empty()) continue;
      parts.push_back(piece.view());
      written_.push_back(piece);
    }
  }
  auto position = active.facts.size;
  if (auto written = file->write_at(position, parts); !written.ok() && !PESSOA_PLANT("ignore_write_error"))
    return written.error();
  for (auto& view : views) {
    note_frame(active, view, position);
    position += view.header.frame_length;
    note_replay(view.header);
    std::lock_guard lock{facts_};
    if (epochs_.note(view.header.epoch, view.header.base)) epochs_saved_ = false;
    producers_.apply(view.batch, view.header.append_time);
    log_end_ = view.next_offset();
  }
  tail_.last_crc = previous_crc;
  return {};
}

// Takes back what append did since `before`. None of it was answered, journalled or synced as durable.
result<void> segmented_log::undo(const mark& before) {
  std::unique_lock lock{shape_};
  // First what claims that it was durable (a roll syncs), then the segments behind, then the frames: whatever a crash
  // leaves of this, nobody misses what is gone.
  auto& active = runs_[before.segments - 1];
  auto& index = active.file->index();
  auto entries = index.entries();
  size_t kept = 0;
  while (kept < entries.size() && entries[kept].at < before.log_end)
    ++kept;
  index.keep(kept);
  index.set_durable_mark(std::min(synced_end_, before.log_end));
  index.sync();
  if (!index.usable()) PESSOA_CHECK(env_.remove_file(active.file->index_path()));
  while (runs_.size() > before.segments) {
    PESSOA_CHECK(runs_.back().file->remove());
    std::lock_guard facts{facts_};
    runs_.pop_back();
  }
  // What a start takes back it has not made: the journal has it, and a snapshot that knows it may be all that knows the
  // producers of removed records.
  if (producers_loaded_ || PESSOA_PLANT("undo_what_a_start_found"))
    PESSOA_CHECK(drop_snapshots_above(before.log_end));
  PESSOA_CHECK(env_.sync_directory(directory_));
  PESSOA_TRY(auto file, active.file->file());
  PESSOA_TRY(auto size, file->size());
  if (size > before.facts.size) PESSOA_CHECK(wipe_and_cut(*file, before.facts.size, size));
  // It will be answered "nothing was done", so no crash may bring it back.
  PESSOA_CHECK(file->sync());
  tail_ = before.at;
  written_.clear();
  {
    std::lock_guard facts{facts_};
    active.facts = before.facts;
    log_end_ = before.log_end;
    durable_end_ = std::min(durable_end_, log_end_);
    synced_end_ = std::min(synced_end_, log_end_);
    epochs_ = before.epochs;
    epochs_saved_ = false;
  }
  if (!producers_loaded_) return {};
  recovery_report ignored;
  return load_producers(log_end_, ignored);
}

// -- roll ---

bool segmented_log::must_roll(size_t frame_bytes, timestamp append_time) const {
  auto& facts = runs_.back().facts;
  if (facts.size == 0) return false;
  return facts.size + frame_bytes > static_cast<uint64_t>(settings_.segment_bytes)
         || append_time - facts.first_append >= settings_.segment_ms;
}

result<void> segmented_log::roll() {
  PESSOA_PROBE("segment_rolled");
  {
    std::lock_guard lock{facts_};
    if (synced_end_ < log_end_) PESSOA_PROBE("roll_with_unsynced_data");
  }
  PESSOA_TRY([[maybe_unused]] auto synced, sync_segments());
  auto& sealed = runs_.back();
  auto& facts = sealed.facts;
  sealed.file->index().add({facts.end, facts.size, facts.max_time, facts.last_append, index_kind::end});
  sealed.file->index().sync();
  PESSOA_CHECK(add_segment(facts.end));
  runs_[runs_.size() - 2].file->release();
  snapshot_producers_if_due();
  return {};
}

result<void> segmented_log::add_segment(offset base) {
  auto file = std::make_shared<segment>(env_, directory_, key_, base);
  auto made = file->create();
  if (made.ok() && !PESSOA_PLANT("skip_directory_sync")) made = env_.sync_directory(directory_);
  if (!made.ok()) {
    if (made.error().code == ec::disk_full)
      PESSOA_CHECK(file->remove()); // its name must be free for the next try
    return made;
  }
  tail_.last.reset();
  tail_.last_indexed = 0;
  std::lock_guard lock{facts_};
  runs_.push_back({std::move(file), {0, base, no_timestamp, no_timestamp, no_timestamp}});
  return {};
}

// -- sync ---

result<offset> segmented_log::sync() {
  PESSOA_CHECK(usable());
  auto synced = sync_segments();
  written_.clear();
  if (!synced.ok()) return fail(synced.error());
  snapshot_producers_if_due();
  return synced;
}

// Beside the writer: what was written when it begins is synced when it ends.
result<offset> segmented_log::sync_segments() {
  std::lock_guard one{sync_};
  std::shared_ptr<segment> active;
  offset target;
  uint32_t generation;
  {
    std::lock_guard lock{facts_};
    if (failed_) return *failed_;
    if (synced_end_ == log_end_ && epochs_saved_) return synced_end_;
    active = runs_.back().file;
    target = log_end_;
    generation = state_.generation;
  }
  PESSOA_CHECK(save_epochs_if_new());
  // The journal has idle logs synced before it is trimmed: nobody else would close their files again.
  const bool idle = !active->is_open();
  PESSOA_TRY(auto file, active->file());
  if (auto synced = PESSOA_PLANT("skip_segment_sync") ? result<void>{} : file->sync(); !synced.ok()) {
    PESSOA_PROBE("sync_failed");
    return synced.error();
  }
  {
    std::lock_guard lock{facts_};
    if (generation != state_.generation) return synced_end_; // truncated meanwhile: it synced what is left
    synced_end_ = std::max(synced_end_, target);
    durable_end_ = std::max(durable_end_, synced_end_);
  }
  active->index().flush();
  active->index().set_durable_mark(target);
  if (idle && !PESSOA_PLANT("leave_idle_files_open")) active->release();
  return target;
}

result<void> segmented_log::save_epochs_if_new() {
  epoch_lineage saved;
  {
    std::lock_guard lock{facts_};
    if (epochs_saved_) return {};
    saved = epochs_;
  }
  if (!PESSOA_PLANT("stale_epoch_file") || !env_.exists(directory_ + "/epochs"))
    PESSOA_CHECK(replace_file(env_, directory_ + "/epochs", saved.encode()));
  std::lock_guard lock{facts_};
  epochs_saved_ = epochs_ == saved;
  return {};
}

void segmented_log::note_durable_in_journal(offset end) {
  written_.clear();
  {
    std::lock_guard lock{facts_};
    durable_end_ = std::max(durable_end_, std::min(end, log_end_));
  }
  snapshot_producers_if_due();
}

std::vector<bytes> segmented_log::last_written_frames() const { return written_; }

class segmented_log::background final : public segment_sync {
public:
  explicit background(segmented_log& log) : log_(&log) {}

  result<offset> sync() override {
    std::lock_guard lock{gate_};
    if (!log_) return gone();
    auto synced = log_->sync_segments();
    if (!synced.ok()) return log_->fail(synced.error());
    return synced;
  }
  result<offset> synced_end() override {
    std::lock_guard lock{gate_};
    if (!log_) return gone();
    std::lock_guard facts{log_->facts_};
    if (log_->failed_) return *log_->failed_;
    return log_->synced_end_;
  }
  void leave() {
    std::lock_guard lock{gate_};
    log_ = nullptr;
  }

private:
  static error gone() { return {ec::not_found, "the log was closed while it leaned on the journal"}; }
  std::mutex gate_;
  segmented_log* log_;
};

std::shared_ptr<segment_sync> segmented_log::background_sync() {
  if (!background_) background_ = std::make_shared<background>(*this);
  return background_;
}

segmented_log::segmented_log(storage_env& env, std::string directory, partition_key key,
                             log_settings settings)
    : env_(env), directory_(std::move(directory)), key_(key), snapshots_(env, directory_),
      settings_(settings) {}

segmented_log::~segmented_log() {
  if (background_) background_->leave();
}

} // namespace pessoa::persistence
