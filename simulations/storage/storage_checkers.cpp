// What the checks of storage seeds promise, in words; those the world has, too, stand in its own list.
#include "simulations/storage/storage_run.hpp"

namespace pessoa::sim {

const std::vector<std::pair<std::string, std::string>>& storage_checkers() {
  static const std::vector<std::pair<std::string, std::string>> all = {
      {"a_checkpoint_is_durable", "after a checkpoint the whole log is durable"},
      {"a_damaged_journal_does_not_stop_a_start",
       "a journal with a flipped bit opens, and what it lacks is reported"},
      {"a_damaged_log_opens", "a log with a flipped bit opens, for what can be read of it"},
      {"a_failed_log_takes_no_writes", "after its first failed write or sync a log takes no other"},
      {"a_failed_write_ends_the_log", "a commit that fails for anything but room ends the log"},
      {"a_loss_stays_reported", "what a start has reported missing, the next start reports, too"},
      {"a_log_is_there", "a log of which something was acknowledged is there after a start"},
      {"a_log_opens", "on a disk without damage each log opens"},
      {"a_refused_batch_is_not_there", "what a full disk refused is not in the log, now or later"},
      {"a_start_succeeds", "a start on a disk without faults succeeds"},
      {"a_table_goes_for_a_reason", "a table is thrown away for damage only"},
      {"a_table_is_true", "a table's entries are those of one position in its log"},
      {"a_table_keeps_what_was_synced", "a table is not older than what was synced"},
      {"a_table_opens", "a table opens unless its disk fails"},
      {"a_time_is_found_where_it_is", "the first record at or after a time is the one that is told"},
      {"a_truncation_cuts_where_it_should",
       "a truncation ends the log at the batch that holds its offset, in a new generation"},
      {"an_answer_carries_its_generation", "an answer names the generation of the log that it was asked of"},
      {"an_answer_covers_what_was_sent", "what is answered as durable reaches to the end of what was sent"},
      {"an_answer_is_durable", "at the moment of the answer no power cut can take the batch"},
      {"batches_are_whole", "a log ends between two batches"},
      {"damage_has_its_error", "what is damaged is told as damage and as nothing else"},
      {"damage_is_noticed", "a batch with a flipped bit is not served"},
      {"epochs_are_known", "each epoch ends where it did"},
      {"every_byte_is_as_it_was_sent", "what is read is what was sent, byte for byte"},
      {"no_damaged_byte_is_served", "after a flipped bit whatever is served is right"},
      {"no_loss_without_damage", "no loss is reported where nothing was damaged"},
      {"producers_are_remembered", "after a start each producer's last batches are known"},
      {"retention_takes_what_is_old",
       "retention by time or size takes nothing that is to be kept, and all of a log that is wholly too old"},
      {"the_first_start_succeeds", "an empty directory can be started on"},
      {"the_journal_opens", "on a disk without damage the journal opens"},
      {"the_loan_is_back_before_the_answer", "whoever hears the answer has the log for himself"},
      {"the_log_begins_where_it_should", "the start of a log is where removals have put it"},
      {"the_log_ends_where_it_should", "a log ends behind what was sent to it, or cut back"},
      {"what_is_missing_is_reported", "what damage has taken is reported, but for the last commit"},
      {"what_is_there_can_be_read", "everything between start and end can be read"},
      {"what_is_whole_stays",
       "of what lies in a damaged file a start takes away nothing that is whole and was called durable"},
      {"what_was_acknowledged_is_there", "a start finds all that was acknowledged"},
      {"what_was_recovered_is_durable", "what a start has found no power cut can take"},
  };
  return all;
}

} // namespace pessoa::sim
