// The list of sites: a test compares it with the sources.
#include "simulations/command/lists.hpp"

namespace pessoa::sim {

const named_list& planted_bugs() {
  static const named_list all = {
      // -- persistence ---
      {"accept_bad_batch_crc", "the batch's checksum is not looked at"},
      {"accept_bad_frame_crc", "the frame header's checksum is not looked at"},
      {"act_on_names_first", "a start does not sync the directory before it acts on the names in it"},
      {"answer_before_sync", "a commit is answered before its sync"},
      {"cut_below_durable_end", "what is lost counts as a torn tail"},
      {"forget_the_cut", "a torn tail that was cut is not synced"},
      {"ignore_generation", "journal frames of before a truncation are taken"},
      {"ignore_write_error", "a failed write is not noticed"},
      {"keep_clean_mark", "the clean-stop mark stays while a node writes"},
      {"recovered_log_not_synced", "a recovered log is not synced before it counts"},
      {"skip_directory_sync", "a new file's directory is not synced"},
      {"skip_forget", "the journal does not learn that a log was closed"},
      {"skip_journal_sync", "the journal is not synced"},
      {"skip_previous_crc", "the chain of frames is not checked"},
      {"skip_segment_sync", "the segment is not synced"},
      {"skip_state_file", "truncations and removals are not recorded"},
      {"skip_truncation_sync", "a cut is not synced"},
      {"stale_epoch_file", "the epochs are written once only"},
      {"trim_journal_early", "journal files go before their segments are synced"},
      {"trust_the_page_cache", "doubtful frames are not written again"},
  };
  return all;
}

const named_list& probes() {
  static const named_list all = {};
  return all;
}

} // namespace pessoa::sim
