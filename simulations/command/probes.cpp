// Places that a good set of seeds must reach: a test compares the list with the sources.
#include "simulations/command/lists.hpp"

namespace pessoa::sim {

const named_list& probes() {
  static const named_list all = {
      // -- actors ---
      {"deletion_finished_by_a_start", "a start removed what an interrupted deletion had left"},
      {"fetch_abandoned", "the caller of a parked fetch went away"},
      {"log_opened_late", "a log that could not be opened at first was opened later"},
      {"segment_removed_by_request", "DeleteRecords freed a segment"},
      {"segment_removed_by_retention", "retention freed a segment"},
      {"stopped_while_opening", "a stop came while logs were still to be opened"},
      {"topic_deleted", "a partition of a deleted topic was removed"},
      // -- client ---
      {"connection_lost_with_requests", "a connection ended under a produce request"},
      {"producer_id_given_up", "a producer took a new id, because copies of its batches may still arrive"},
      {"reader_reset", "a reader's place was outside the log"},
      {"retry_acknowledged", "a repetition was acknowledged"},
      {"sequences_settled", "a producer numbered its batches anew after one was lost"},
      // -- persistence ---
      {"doubtful_frames_written_again", "frames that no sync had vouched for were written again"},
      {"full_disk_ended", "there was room again after writes had been refused"},
      {"full_disk_refused", "a write was refused because the disk was nearly full"},
      {"index_rebuilt", "a sealed segment's index was made anew"},
      {"journal_failed", "the journal could not be written"},
      {"journal_replayed", "a log got frames back from the journal"},
      {"journal_trimmed", "an old file of the journal was removed"},
      {"journal_written", "a commit went through the journal"},
      {"log_failed", "a log took no more writes after an error"},
      {"loss_reported", "a start found that durable records were missing"},
      {"no_space_on_index", "the disk was full when an index was written"},
      {"opened_clean", "a log was opened the short way, after a clean stop"},
      {"producers_from_snapshot", "a snapshot of producers was read"},
      {"producers_saved", "a snapshot of producers was written"},
      {"records_removed_from_the_start", "the start of a log was moved"},
      {"roll_with_unsynced_data", "a segment was sealed that was not synced"},
      {"segment_rolled", "a new segment was begun"},
      {"snapshot_damaged", "a snapshot of producers could not be read"},
      {"sync_failed", "a segment's sync failed"},
      {"table_rebuilt", "a table in doubt was thrown away, to be filled again from its log"},
      {"torn_tail_cut", "a start cut a torn tail"},
      {"write_undone", "a write that did not fit was taken back"},
      // -- protocol ---
      {"answered_unknown", "a request was answered unknown_result, because its log failed"},
      {"decided_batches_undone", "batches that had got offsets were refused"},
      {"dedup_hit", "a repetition was known"},
      {"dedup_hit_after_restart", "a repetition was known of a batch that an earlier leader wrote"},
      {"dedup_hit_waits", "a repetition waited for the batch that it repeats"},
      {"epoch_bumped", "a registration raised an epoch"},
      {"fetch_out_of_range", "a fetch was outside the log"},
      {"fetch_timed_out", "a parked fetch was answered at its deadline"},
      {"held_behind_a_refusal", "a batch had to wait for one before it that was refused"},
      {"log_start_moved", "a leader moved its log start"},
      {"out_of_order_refused", "a batch was refused for its sequence"},
      {"overloaded", "a batch was refused because too many bytes waited"},
      {"parked_fetch_answered", "a parked fetch was answered with data"},
      {"produce_timed_out", "a produce request was answered at its deadline"},
      {"producer_expired", "a producer was forgotten"},
      {"producer_ids_allocated", "a block of producer ids was allocated"},
      {"stale_epoch_refused", "a request of an older epoch was refused"},
      // -- the world ---
      {"power_cut_in_write", "the power went in the middle of a change of the disk"},
      {"recovery_interrupted", "a life after the first ended before it was ready"},
      {"start_failed", "a start gave up"},
  };
  return all;
}

} // namespace pessoa::sim
