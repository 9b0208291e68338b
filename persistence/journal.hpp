// The journal: one file to sync for a round of many logs. Their segments follow in the background.
//
// Promises: when append() returns ok, the records are durable. A file goes only when every log with frames in
// it has synced its segments since; the oldest goes first, durably. The first failed write or sync ends the
// journal: what it held stays, and the caller syncs segments instead.
//
// append() is for one caller at a time (the round); everything else may run beside it.
// docs/formats/journal.md has the bytes, journal_recovery.hpp the way back.
#pragma once

#include "persistence/journal_format.hpp"
#include "persistence/partition_log.hpp"

#include <deque>
#include <map>
#include <mutex>

namespace pessoa::persistence {

class journal {
public:
  struct limits {
    uint64_t bytes_max; // of all files; beyond it full() holds
    uint64_t file_bytes_max;
  };
  journal(storage_env& env, std::string directory, uint64_t next_number, uint64_t previous_bytes,
          limits sizes);

  // A log's part of a round.
  struct entry {
    journal_record record;     // key, generation, base, end, frame_count
    std::vector<bytes> frames; // partition_log::last_written_frames
    std::shared_ptr<segment_sync> log;
  };
  // Writes and syncs all of them. After an error the journal is over: usable() is false.
  result<uint64_t> append(std::vector<entry>& round);
  [[nodiscard]] bool usable() const;
  [[nodiscard]] bool full() const;
  [[nodiscard]] uint64_t bytes() const;

  // -- trimming: blocking ---
  [[nodiscard]] bool wants_trim() const;
  // One step: syncs one log that leans on the oldest file, or removes that file. False when nothing could be
  // done.
  result<bool> trim_step();
  // Syncs every log that leans on it and removes all files. The error of a log that could not be synced, or
  // storage_failed while a file is needed beside those of before; that file stays.
  result<void> flush();
  // The log is synced, and no frame of it will come back from here, or from the files of before (`held_before`), when this
  // returns ok.
  result<void> forget(const partition_key& key, segment_sync& log, bool held_before);
  // The files of lives before are gone: what was to be forgotten of them need not be known any more.
  void old_files_are_gone();

private:
  struct lean {
    offset end;
    std::shared_ptr<segment_sync> log;
  };
  struct file {
    uint64_t number;
    uint64_t size = 0;                 // of what was synced
    std::unique_ptr<random_file> open; // the newest
    uint32_t last_crc = 0;
    std::map<partition_key, lean> leans;
    std::map<partition_key, bool> holds; // logs with frames here since they were last forgotten
    bool forgets_older = false;          // says that frames in files of before are to be forgotten
  };
  result<void> begin_file();
  result<uint64_t> write(std::vector<entry>& round);
  result<bool> step();
  [[nodiscard]] std::string path(uint64_t number) const {
    return directory_ + "/" + journal_file_name(number);
  }

  storage_env& env_;
  const std::string directory_;
  const limits sizes_;

  std::mutex append_;                       // one writer: a round or a forget
  std::mutex trim_;                         // one trimmer
  mutable std::mutex mutex_;                // what follows; never held over I/O
  std::deque<std::unique_ptr<file>> files_; // oldest first
  uint64_t next_number_;
  uint64_t previous_bytes_;
  uint64_t bytes_ = 0;
  std::optional<error> broken_;
  bool stuck_ = false; // the oldest file holds frames of a log that cannot be synced
};

} // namespace pessoa::persistence
