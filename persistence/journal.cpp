#include "persistence/journal.hpp"

#include "schema/plants.hpp"

namespace pessoa::persistence {

journal::journal(storage_env& env, std::string directory, uint64_t next_number, uint64_t previous_bytes,
                 limits sizes)
    : env_(env), directory_(std::move(directory)), sizes_(sizes), next_number_(next_number),
      previous_bytes_(previous_bytes) {}

bool journal::usable() const {
  std::lock_guard lock{mutex_};
  return !broken_;
}
bool journal::full() const {
  std::lock_guard lock{mutex_};
  return bytes_ >= sizes_.bytes_max;
}
uint64_t journal::bytes() const {
  std::lock_guard lock{mutex_};
  return bytes_;
}

// -- append ---

result<uint64_t> journal::append(std::vector<entry>& round) {
  std::lock_guard one{append_};
  auto written = write(round);
  if (written.ok()) return written;
  std::lock_guard lock{mutex_};
  if (!broken_) broken_ = written.error();
  return written;
}

// Requires: append_ held.
result<uint64_t> journal::write(std::vector<entry>& round) {
  file* to = nullptr;
  {
    std::lock_guard lock{mutex_};
    if (broken_) return *broken_;
    if (!files_.empty() && files_.back()->open && files_.back()->size < sizes_.file_bytes_max)
      to = files_.back().get();
  }
  if (!to) {
    PESSOA_CHECK(begin_file());
    std::lock_guard lock{mutex_};
    to = files_.back().get();
  }
  // Only this function writes the newest file's size and chain, under append_.
  std::vector<uint8_t> headers(round.size() * journal_record_header_size);
  std::vector<byte_view> parts;
  uint64_t bytes = 0;
  auto previous_crc = to->last_crc;
  for (size_t i = 0; i < round.size(); ++i) {
    auto& record = round[i].record;
    uint64_t length = journal_record_header_size;
    for (auto& piece : round[i].frames)
      length += piece.size();
    if (length > UINT32_MAX)
      return error{ec::internal, "a journal record of " + std::to_string(length) + " bytes"};
    record.length = static_cast<uint32_t>(length);
    record.durable_bytes = to->size;
    record.file_number = to->number;
    record.previous_crc = previous_crc;
    auto* at = headers.data() + i * journal_record_header_size;
    encode_journal_record(record, at);
    previous_crc = record.crc;
    parts.push_back({at, journal_record_header_size});
    for (auto& piece : round[i].frames)
      parts.push_back(piece.view());
    bytes += length;
  }
  {
    // Before the write: when it fails, they may be there all the same.
    std::lock_guard lock{mutex_};
    for (auto& entry : round)
      if (entry.record.kind == journal_kind::frames) to->holds[entry.record.key] = true;
  }
  PESSOA_PROBE("journal_written");
  PESSOA_CHECK(to->open->write_at(to->size, parts));
  if (!PESSOA_PLANT("skip_journal_sync")) PESSOA_CHECK(to->open->sync());
  std::lock_guard lock{mutex_};
  to->size += bytes;
  to->last_crc = previous_crc;
  bytes_ += bytes;
  for (auto& entry : round) {
    auto& key = entry.record.key;
    if (entry.record.kind == journal_kind::forget) {
      for (auto& f : files_) {
        f->leans.erase(key);
        f->holds.erase(key);
      }
      continue;
    }
    to->leans[key] = {entry.record.end, entry.log};
  }
  return bytes;
}

result<void> journal::begin_file() {
  journal_file_header header{next_number_, 0, 0};
  {
    std::lock_guard lock{mutex_};
    header.previous_bytes = files_.empty() ? previous_bytes_ : files_.back()->size;
  }
  auto made = std::make_unique<file>();
  made->number = header.number;
  auto data = encode_journal_file_header(header);
  PESSOA_TRY(made->open, env_.open_file(path(header.number), open_mode::create_new));
  PESSOA_CHECK(made->open->write_at(0, byte_view{data}));
  PESSOA_CHECK(made->open->sync());
  if (!PESSOA_PLANT("skip_directory_sync")) PESSOA_CHECK(env_.sync_directory(directory_));
  made->size = data.size();
  made->last_crc = header.crc;
  std::lock_guard lock{mutex_};
  ++next_number_;
  bytes_ += made->size;
  if (!files_.empty()) files_.back()->open.reset();
  files_.push_back(std::move(made));
  return {};
}

// -- trim ---

bool journal::wants_trim() const {
  std::lock_guard lock{mutex_};
  return !stuck_ && files_.size() > 1 && bytes_ >= sizes_.bytes_max / 2;
}

result<bool> journal::trim_step() {
  std::lock_guard one{trim_};
  {
    std::lock_guard lock{mutex_};
    if (files_.size() < 2) return false; // the newest is being written
  }
  return step();
}

// Requires: trim_ held, a file that no round writes to.
result<bool> journal::step() {
  file* oldest;
  for (;;) {
    std::optional<std::pair<partition_key, lean>> behind;
    {
      std::lock_guard lock{mutex_};
      oldest = files_.front().get();
      // Without it the frames in older files, which nobody may remove yet, would come back.
      if (oldest->forgets_older) return false;
      if (PESSOA_PLANT("trim_journal_early")) oldest->leans.clear();
      if (!oldest->leans.empty()) behind = *oldest->leans.begin();
    }
    if (!behind) break;
    // A log that was cut meanwhile never gets there, but all that was written when a sync begins is synced
    // when it ends, and what lies here was written before.
    auto known = behind->second.log->synced_end();
    bool must_sync = !known.ok() || *known < behind->second.end;
    auto synced = must_sync ? behind->second.log->sync() : known;
    std::lock_guard lock{mutex_};
    if (!synced.ok()) {
      stuck_ = true; // only the journal still has its frames: until the next start the file stays
      return synced.error();
    }
    oldest->leans.erase(behind->first);
    if (must_sync) return true;
  }
  // Durably and in order: a file that came back later could bring back a log that was forgotten since.
  PESSOA_CHECK(env_.remove_file(path(oldest->number)));
  PESSOA_CHECK(env_.sync_directory(directory_));
  std::lock_guard lock{mutex_};
  PESSOA_PROBE("journal_trimmed");
  previous_bytes_ = oldest->size;
  bytes_ -= oldest->size;
  files_.pop_front();
  return true;
}

result<void> journal::flush() {
  std::lock_guard trim{trim_};
  std::lock_guard write{append_};
  for (;;) {
    {
      std::lock_guard lock{mutex_};
      if (files_.empty()) return {};
      files_.back()->open.reset(); // the next round begins another
    }
    PESSOA_TRY(auto more, step());
    if (!more)
      return error{ec::storage_failed,
                   directory_ + " keeps a file as long as those of an earlier life are there"};
  }
}

void journal::old_files_are_gone() {
  std::lock_guard lock{mutex_};
  for (auto& f : files_)
    f->forgets_older = false;
}

result<void> journal::forget(const partition_key& key, segment_sync& log, bool held_before) {
  PESSOA_TRY([[maybe_unused]] auto synced, log.sync());
  std::unique_lock one{append_};
  bool held = held_before;
  std::optional<error> broken;
  {
    std::lock_guard lock{mutex_};
    for (auto& f : files_)
      held = held || f->holds.count(key) > 0;
    broken = broken_;
  }
  if (!held || PESSOA_PLANT("skip_forget")) return {};
  if (!broken) {
    std::vector<entry> round(1);
    round[0].record.kind = journal_kind::forget;
    round[0].record.key = key;
    auto written = write(round);
    if (written.ok()) {
      std::lock_guard lock{mutex_};
      files_.back()->forgets_older = files_.back()->forgets_older || held_before;
      return {};
    }
    broken = written.error();
    std::lock_guard lock{mutex_};
    if (!broken_) broken_ = broken;
  }
  // Nothing can be noted in it any more, so it has to go. What recovery has not yet dropped cannot.
  if (held_before) return *broken;
  one.unlock();
  return flush();
}

} // namespace pessoa::persistence
