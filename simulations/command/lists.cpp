#include "simulations/command/lists.hpp"

#include "simulations/check/durability.hpp"
#include "simulations/check/loss_check.hpp"
#include "simulations/check/progress.hpp"
#include "simulations/check/resources.hpp"
#include "simulations/check/survival.hpp"
#include "simulations/run/fault_kinds.hpp"
#include "simulations/run/scenario.hpp"
#include "simulations/storage/storage_run.hpp"
#include "simulations/workload/administrator.hpp"

namespace pessoa::sim {

const named_list& checkers() {
  static const named_list all = [] {
    named_list out = {
        {durability_check::name, durability_check::about},
        {"acknowledged_is_there", "what was acknowledged or read is there at the end, at its offset"},
        {"calm_ends_all", "after the faults stop, everything that waits is answered in bounded time"},
        {"calm_is_served",
         "after the faults stop, what is sent is stored, and everything can be read to its end"},
        {"clean_means_closed", "a stop is called clean only when every log was closed in order"},
        {"correct_clients_go_on", "no client is told that it did something wrong"},
        {"deleted_is_gone", "nothing is left on the disk of topics that were deleted"},
        {"deletions_have_their_turn",
         "a removal of records waits for the commit that runs, and for no other"},
        {"epoch_is_served_once", "each leader of a partition has a higher epoch than all before it"},
        {"high_watermark_stays", "a partition's high watermark never goes back, whatever dies"},
        {"invariants", "what the rules of nodes and clients say about themselves holds after every step"},
        {"kafka_is_spoken_right", "no Kafka client is told what no honest one may hear, or cannot be read"},
        {loss_check::name, loss_check::about},
        {survival::memory, "a node's memory stays within its budget and what strangers may hold"},
        {"metadata_is_one", "whoever has come to one record of the metadata log knows the same, in every life"},
        {"no_exception_in_a_client", "no exception escapes in a client"},
        {"no_gap", "offsets follow each other without a gap, except where records were removed"},
        {"no_internal_error", "no partition goes offline for a mistake of our own"},
        {"no_io_after_death", "no code of a dead process reaches the disk"},
        {survival::unexpected_end, "a node's process ends by itself only when its disk gave it a reason"},
        {"no_wrong_bytes", "no client is given bytes that contradict their checksum"},
        {"nothing_overdue", "a request is answered at its deadline at the latest"},
        {"nothing_invented", "every record that is read was sent, to that topic and partition"},
        {administrator::check, administrator::about},
        {"one_owner", "a second process on a data directory is refused, and changes nothing"},
        {"starts_stay", "a log never begins before a start that was told"},
        {"offsets_hold", "an offset holds one record for ever"},
        {"one_answer", "every record is answered once"},
        {"order_is_kept",
         "what an idempotent producer got acknowledged lies in the order in which it was sent"},
        {"peace_is_served", "before the faults begin, topics can be created"},
        {"readers_find_the_start", "a partition can be read from where it is said to begin"},
        {"reads_are_committed", "no reader is given a record at or above the high watermark"},
        {"process_lives",
         "no assertion is broken, and every step ends (--find-plants; a batch ends with it)"},
        {"producer_ids_are_new", "a producer id is given once"},
        {"reads_are_durable", "a reader is given only what lies below a high watermark"},
        {"reads_in_order", "a reader is given records in the order of their offsets"},
        {"reserve_is_kept", "no record is taken while less than the reserve is free"},
        {"refused_is_absent", "a record that was definitely refused is not there"},
        {resources::bounded, resources::bounded_about},
        {resources::rest, resources::rest_about},
        {"same_seed_same_trace", "a second run of a seed goes the same way"},
        {"sequences_hold", "an idempotent producer is told that a batch is missing only when one is"},
        {"stored_once", "a record of an idempotent producer is stored once"},
        {progress_check::name, progress_check::about},
        {"what_stands_is_found", "no producer is told that there is no topic that was there before it asked"},
    };
    out.insert(out.end(), storage_checkers().begin(), storage_checkers().end());
    return out;
  }();
  return all;
}

std::optional<named_list> list_of(const std::string& what) {
  if (what == "bugs") return planted_bugs();
  if (what == "probes") return probes();
  if (what == "checkers") return checkers();
  named_list out;
  if (what == "scenarios") {
    for (auto& known : known_scenarios())
      out.emplace_back(known.name, known.title);
    return out;
  }
  if (what == "faults") {
    for (auto& kind : fault_kinds())
      out.emplace_back(kind.name, kind.about);
    return out;
  }
  return std::nullopt;
}

} // namespace pessoa::sim
