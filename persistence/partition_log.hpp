// One copy of a partition's log: segment files of checksummed, chained frames, and what is derived from them.
//
// Segments, epoch lineage and producer state are one object (architecture, idea 1): exactly one actor owns it
// at a time, lends it to an epoch and gets it back. Indexes, lineage and producer snapshots lie beside the
// segments and are rebuilt from them when in doubt. docs/formats/segment.md describes the files.
//
// Threads: write, sync, truncate, remove_before, roll and close are called by one thread at a time (one
// commit job in flight per log); read, offset_for_time and the getters may run beside them.
//
// Blocking: everything that says so touches files and belongs on the storage pool. Getters never block on
// I/O.
//
// Failure: the first failed write or sync ends the store (rules.md 1). From then on every write says
// storage_failed; an error means "unknown", never "not there". disk_full before the first byte of a write
// leaves the log usable.
#pragma once

#include "persistence/storage_env.hpp"
#include "schema/ids.hpp"
#include "schema/producer_table.hpp"
#include "schema/record_batch.hpp"
#include "schema/topic_config.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pessoa::persistence {

// A stamped batch on its way to the disk. The batch's own header says base offset and epoch.
struct frame_input {
  bytes batch;
  timestamp append_time; // wall time at the leader; retention goes by it (failures N5)
  // Of one that a start writes anew: what it has said to be durable before. Its new frame says no less.
  offset durable_end{0};
};

// Where a leadership epoch began.
struct epoch_start {
  leader_epoch epoch;
  offset start;
  friend bool operator==(const epoch_start&, const epoch_start&) = default;
};

struct log_settings {
  int64_t segment_bytes = 1ll << 30;
  int64_t segment_ms = 7ll * 24 * 3600 * 1000;
  int64_t index_interval_bytes = 64 << 10;
  uint64_t producer_snapshot_bytes = 64 << 10; // that a start may have to read behind the newest snapshot
  int64_t retention_ms = -1;
  int64_t retention_bytes = -1;
  size_t producers_max = 10'000; // per partition (simulation.md 3.4)
  int64_t producer_expiry_ms = 24 * 3600 * 1000;
  bool may_use_reserve = false; // the metadata log: on a full disk topics can still be deleted

  // With what a topic says in the place of what is here.
  [[nodiscard]] log_settings with(const topic_config& config) const;
};

// What opening found and did; for the log line, /metrics and the coverage probes.
struct recovery_report {
  bool clean = false;      // the clean-stop mark vouched for it
  uint64_t bytes_read = 0; // bounded by what was not known durable
  uint64_t torn_bytes_cut = 0;
  uint64_t frames_from_journal = 0;
  bool index_rebuilt = false;
  bool producers_rebuilt = false;
  std::optional<std::string> loss; // damage below the recorded durable end: this replica has lost data
};

// What the journal holds for one log, oldest first; the log takes what it lacks (recovery only). Passed on as
// it comes from commit_service::recovered.
struct journal_frames {
  struct entry {
    frame_input frame;
    uint32_t generation; // of the log when it was written: a later truncation took it away
  };
  std::vector<entry> entries;
  struct lost_frames {
    uint32_t generation;
    offset end;
  };
  std::vector<lost_frames> lost; // were in the journal and are damaged there; the segments may have them
  std::optional<std::string>
      damage; // the journal is damaged and nobody can say whose frames: every log is in doubt
};

// The background sync of one log's segments, for the commit service. Safe beside everything else; outlives
// the log.
class segment_sync {
public:
  virtual ~segment_sync() = default;
  // Syncs all that was written before the call. The end that is now synced in the segments. Blocking. Errors:
  // storage_failed (the log has failed), not_found (the log is gone).
  virtual result<offset> sync() = 0;
  // The same without I/O: what is known.
  [[nodiscard]] virtual result<offset> synced_end() = 0;
};

struct read_batches {
  bytes data;      // whole batches, one after another, as they came from the client
  offset first{0}; // base offset of the first batch; may be below the offset asked for
  offset next{0};  // one past the last record in `data`
};

class partition_log {
public:
  // Opens or creates the log in `directory` and recovers it: the torn tail is cut, what the journal has and
  // the log lacks is appended, and everything is synced (file and directory) before it counts as durable.
  // Damage below what is known to have been durable is never cut: the log then opens with report.loss and
  // failed() set, can be read up to the damage, and takes no writes. Blocking. Errors: storage_failed,
  // disk_full, unsupported_version.
  static result<std::unique_ptr<partition_log>> open(storage_env& env, std::string directory,
                                                     partition_key key, log_settings settings,
                                                     bool clean_stop, journal_frames journal,
                                                     recovery_report& report);
  virtual ~partition_log(); // closes files, syncs nothing

  // -- facts, never blocking ---
  [[nodiscard]] virtual partition_key key() const = 0;
  [[nodiscard]] virtual const std::string& directory() const = 0;
  [[nodiscard]] virtual offset log_start() const = 0;
  [[nodiscard]] virtual offset log_end() const = 0;     // one past the last record written
  [[nodiscard]] virtual offset durable_end() const = 0; // one past the last record known to be on disk
  // Counts truncations; a commit's answer carries it, and an answer of another generation is dropped
  // (failures R25).
  [[nodiscard]] virtual uint64_t generation() const = 0;
  [[nodiscard]] virtual leader_epoch last_epoch() const = 0;          // no_epoch when empty
  [[nodiscard]] virtual std::vector<epoch_start> lineage() const = 0; // ascending
  // OffsetForLeaderEpoch (kafka-protocol.md 3): the largest known epoch <= `epoch` and the start of the next
  // one.
  [[nodiscard]] virtual std::pair<leader_epoch, offset> end_of_epoch(leader_epoch epoch) const = 0;
  [[nodiscard]] virtual producer_table producers() const = 0; // of what was written
  [[nodiscard]] virtual uint64_t size_bytes() const = 0;
  [[nodiscard]] virtual size_t segment_count() const = 0;
  [[nodiscard]] virtual std::optional<error> failed() const = 0;

  // -- writing: blocking, one caller at a time ---
  // Appends the frames to the active segment (page cache), rolling where the settings say. Requires: each
  // batch begins at log_end, epochs do not go back. After ok, log_end is behind the last one; nothing is
  // durable yet. Roll syncs the segment it leaves, and the directory.
  virtual result<void> write(const std::vector<frame_input>& frames) = 0;
  // Makes all that was written durable, file and names. Returns the durable end.
  virtual result<offset> sync() = 0;
  // The frames up to `end` are durable elsewhere (in the journal): raises durable_end without syncing the
  // segment.
  virtual void note_durable_in_journal(offset end) = 0;
  // Encoded frames of what the last write() appended, for the journal: pieces that lie one after another in
  // the segment (header, batch, padding), the batches shared and not copied. Empty once they are durable.
  virtual std::vector<bytes> last_written_frames() const = 0;
  // The handle that lets the commit service sync the segments behind the journal; null means: sync this log
  // in every round.
  virtual std::shared_ptr<segment_sync> background_sync() { return nullptr; }
  // May be written while the disk is below the reserve (the metadata log: topics can still be deleted).
  [[nodiscard]] virtual bool may_use_reserve() const { return false; }
  // Removes everything from `to` on. Requires: to >= log_start and a whole-batch boundary (else the whole
  // batch goes). Durable when it returns. Bumps generation.
  virtual result<void> truncate(offset to) = 0;
  // Retention and DeleteRecords: raises log_start (never beyond `start`), and unlinks whole segments below
  // it. The new start is durable before a file goes. Returns bytes freed.
  virtual result<uint64_t> remove_before(offset start) = 0;
  // What retention by time and size would remove at wall time `now`: the new log start, if it moves. Never
  // beyond `limit` (the high watermark). Cheap.
  [[nodiscard]] virtual std::optional<offset> retention_start(timestamp now, offset limit) const = 0;
  // Settings that may change while it is open.
  virtual void apply(log_settings settings) = 0;
  // Writes producer snapshot and index ends so that a clean start reads nothing. For the clean stop.
  virtual result<void> checkpoint() = 0;
  // Closes all files; they are opened again on demand. An idle log holds no open file, and leaves beside its
  // segments what lets a start after a kill read a few KiB of it. Blocking; as writing, one caller at a time.
  virtual void release_files() = 0;

  // -- reading: blocking, beside writers ---
  // Whole batches from the one that contains `from`, below `limit` (exclusive; high watermark or log end), at
  // most `bytes_max` but at least one batch (KIP-74). Every frame and batch checksum is verified: a damaged
  // byte is never returned (ec::corrupt_data). Empty data when from >= limit. Errors: offset_out_of_range.
  virtual result<read_batches> read(offset from, offset limit, size_t bytes_max) const = 0;
  // The first record with time >= `at` below `limit`: its offset, time and epoch. nullopt when there is none.
  struct time_position {
    offset at;
    timestamp time;
    leader_epoch epoch;
  };
  virtual result<std::optional<time_position>> offset_for_time(timestamp at, offset limit) const = 0;
};

} // namespace pessoa::persistence
