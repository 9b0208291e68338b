// The log behind partition_log.hpp: a row of segments, the last of which is written, and what is derived from
// them.
//
// Files along nouns: segmented_log_open.cpp (opening, sealed segments), segmented_log_recover.cpp (the active
// segment after a crash, the journal's frames), segmented_log_write.cpp (append, roll, sync),
// segmented_log_read.cpp, segmented_log_cut.cpp (truncation, retention).
//
// Locks: `shape_` is held shared while files are read and exclusively while segments or their ends are taken
// away; `facts_` guards everything the getters show and is never held over I/O. Order: sync_, shape_, facts_.
// Fields without a lock belong to the one writer.
//
// Invariants: synced_end <= durable_end <= log_end; log_start <= log_end; segments are contiguous; all but
// the last end at or below synced_end; the epoch file knows every epoch below synced_end.
#pragma once

#include "persistence/epoch_lineage.hpp"
#include "persistence/frame_walk.hpp"
#include "persistence/partition_log.hpp"
#include "persistence/producer_snapshots.hpp"
#include "persistence/segment.hpp"

#include <array>
#include <atomic>
#include <deque>
#include <shared_mutex>

namespace pessoa::persistence {

class segmented_log final : public partition_log {
public:
  segmented_log(storage_env& env, std::string directory, partition_key key, log_settings settings);
  ~segmented_log() override;

  // Requires: called once, before anything else.
  result<void> open(bool clean_stop, journal_frames journal, recovery_report& report);

  // -- partition_log ---
  [[nodiscard]] partition_key key() const override { return key_; }
  [[nodiscard]] const std::string& directory() const override { return directory_; }
  [[nodiscard]] offset log_start() const override;
  [[nodiscard]] offset log_end() const override;
  [[nodiscard]] offset durable_end() const override;
  [[nodiscard]] uint64_t generation() const override;
  [[nodiscard]] leader_epoch last_epoch() const override;
  [[nodiscard]] std::vector<epoch_start> lineage() const override;
  [[nodiscard]] std::pair<leader_epoch, offset> end_of_epoch(leader_epoch epoch) const override;
  [[nodiscard]] producer_table producers() const override;
  [[nodiscard]] uint64_t size_bytes() const override;
  [[nodiscard]] size_t segment_count() const override;
  [[nodiscard]] std::optional<error> failed() const override;
  [[nodiscard]] bool may_use_reserve() const override;

  result<void> write(const std::vector<frame_input>& frames) override;
  result<offset> sync() override;
  void note_durable_in_journal(offset end) override;
  [[nodiscard]] std::vector<bytes> last_written_frames() const override;
  result<void> truncate(offset to) override;
  result<uint64_t> remove_before(offset start) override;
  [[nodiscard]] std::optional<offset> retention_start(timestamp now, offset limit) const override;
  void apply(log_settings settings) override;
  result<void> checkpoint() override;
  void release_files() override;
  std::shared_ptr<segment_sync> background_sync() override;

  result<read_batches> read(offset from, offset limit, size_t bytes_max) const override;
  result<std::optional<time_position>> offset_for_time(timestamp at, offset limit) const override;

private:
  class background;
  struct run { // a segment and what is in it
    std::shared_ptr<segment> file;
    segment_facts facts;
  };
  struct tail { // where the next frame goes
    std::optional<uint32_t> last_crc;
    uint64_t last_indexed = 0;       // position of the newest index entry
    std::optional<index_entry> last; // what the index could say of the newest frame
    bool index_next = false;         // a start will want to begin at the next frame
  };

  // -- opening (segmented_log_open.cpp, segmented_log_recover.cpp) ---
  struct doubted { // a frame that is not known to be synced
    frame_view view;
    uint64_t position;
    bytes batch;
  };
  struct scan {
    walk_end end;
    offset from{0};        // base offset of the first frame scanned
    offset durable_end{0}; // the largest recorded
    offset synced_end{0};  // the largest recorded, or marked
    // Where what is known to be synced ends: the segment's facts there, the frame before, and what follows.
    segment_facts before;
    std::optional<uint32_t> crc_before;
    std::deque<doubted> doubtful;
    std::vector<epoch_start> epochs;     // first frame of each epoch met
    const char* contradiction = nullptr; // files that no crash can leave like this
    std::string why;                     // it stopped where it did
  };
  result<void> sync_recovered();
  result<void> load_state(recovery_report& report);
  result<void> find_segments(recovery_report& report);
  result<bool> load_sealed(run& sealed, offset next_base, recovery_report& report);
  result<bool> open_clean(recovery_report& report);
  struct recovered_producers {
    offset from{0}; // what lies below is in the snapshot
    producer_table table;
  };
  result<void> load_producers(offset end, recovery_report& report);
  result<recovered_producers> replay_producers(offset end, recovery_report& report);
  result<void> replay_run(run& r, offset from, producer_table& table, recovery_report& report);
  result<void> rebuild_epochs(recovery_report& report);
  void lose(std::string what, recovery_report& report);
  [[nodiscard]] std::string named() const;
  result<void> recover(const journal_frames& journal, recovery_report& report);
  result<walk_start> choose_start(recovery_report& report);
  result<scan> scan_active(const walk_start& from, uint64_t file_size, const journal_frames& journal,
                           recovered_producers& producers, recovery_report& report);
  // What the last clean stop left, unless the log was truncated since.
  result<std::optional<log_checkpoint>> checkpoint_of_generation();
  result<void> settle_epochs(const scan& found, recovery_report& report);
  result<void> settle(scan found, uint64_t file_size, const journal_frames& journal,
                      std::vector<frame_input> from_journal, recovery_report& report);
  result<void> write_again(scan found, const journal_frames& journal, std::vector<frame_input>& from_journal);
  result<void> copy_tail(offset known, std::deque<doubted> doubtful);
  [[nodiscard]] bool is_current(const journal_frames::entry& entry) const;
  [[nodiscard]] std::vector<frame_input> lacking(const journal_frames& journal, offset end,
                                                 offset& reached) const;
  static bool epochs_ascend(const std::vector<frame_input>& frames, leader_epoch from);
  void note_frame(run& active, const frame_view& view, uint64_t position);
  static void extend(segment_facts& facts, const frame_view& view, uint64_t position);
  static result<std::optional<uint32_t>> last_crc_of(const run& sealed, const partition_key& key);

  // -- writing (segmented_log_write.cpp) ---
  struct batch_to_write {
    const frame_input* input;
    batch_header head;
  };
  result<std::vector<batch_to_write>> check(const std::vector<frame_input>& frames) const;
  result<void> append(const std::vector<frame_input>& frames);
  result<void> write_run(std::span<batch_to_write> batches);
  [[nodiscard]] bool must_roll(size_t frame_bytes, timestamp append_time) const;
  result<void> roll();
  result<void> add_segment(offset base);
  struct mark; // what append can go back to
  result<void> undo(const mark& before);
  result<void> save_state() { return save_state(state_); }
  result<void> save_state(const log_state& state);
  result<void> save_epochs_if_new();
  result<offset> sync_segments();
  void note_replay(const frame_header& frame);
  void snapshot_producers_if_due();
  void snapshot_producers();
  result<void> save_producers(bool durable);
  result<void> drop_snapshots_above(offset end);
  error fail(error cause);
  [[nodiscard]] result<void> usable() const;

  // -- reading (segmented_log_read.cpp) ---
  struct spot {
    std::shared_ptr<segment> file;
    segment_facts facts;
    uint64_t position = 0;
    bool active = false;
  };
  [[nodiscard]] result<spot> locate(offset from) const;
  [[nodiscard]] std::optional<uint64_t> hinted(offset from, offset base) const;
  void hint(offset next, offset base, uint64_t position) const;
  void keep_few_open(const spot& used) const;
  result<uint64_t> seek(const spot& at, offset wanted) const; // position of the frame that holds it

  // -- cutting (segmented_log_cut.cpp) ---
  static result<void> wipe_and_cut(random_file& file, uint64_t from, uint64_t size);
  result<void> cut_files(offset to);
  result<void> keep_producers_of(offset start);
  result<void> remove_leftovers();
  void settle_idle();

  storage_env& env_;
  const std::string directory_;
  const partition_key key_;
  producer_snapshots snapshots_;

  std::mutex sync_; // one sync of this log at a time: the writer's or the background's
  mutable std::shared_mutex shape_;
  mutable std::mutex facts_;
  log_settings settings_;
  std::vector<run> runs_;
  offset log_end_{0};
  offset durable_end_{0};
  offset synced_end_{0};
  log_state state_;
  epoch_lineage epochs_;
  bool epochs_saved_ = true;
  producer_table producers_;
  std::optional<error> failed_;

  tail tail_;
  std::vector<bytes> written_; // of the last write, until it is durable
  bool producers_loaded_ = false;
  bool touched_ = false;           // recovery changed the active file
  uint64_t unsnapshot_bytes_ = 0;  // written since the newest producer snapshot
  uint64_t replay_bytes_ = 0;      // of that, what a start would have to read
  offset snapshot_end_{0};         // of the newest
  offset durable_snapshot_end_{0}; // of the newest that was synced in this life
  std::shared_ptr<background> background_;

  struct read_hint {
    offset next{-1};
    offset base{0};
    uint64_t position = 0;
  };
  mutable std::mutex hints_;
  mutable std::array<read_hint, 8> read_hints_;
  mutable size_t next_hint_ = 0;
  mutable std::weak_ptr<segment> open_sealed_;
};

} // namespace pessoa::persistence
