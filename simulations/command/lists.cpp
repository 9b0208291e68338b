#include "simulations/command/lists.hpp"

#include "simulations/check/durability.hpp"
#include "simulations/run/fault_kinds.hpp"
#include "simulations/run/scenario.hpp"

namespace pessoa::sim {

const named_list& checkers() {
  static const named_list all = {
      {durability_check::name, durability_check::about},
      {"acknowledged_is_there", "what was acknowledged or read is there at the end, at its offset"},
      {"calm_ends_all", "after the faults stop, everything that waits is answered in bounded time"},
      {"calm_is_served", "after the faults stop, everything can be read to its end in bounded time"},
      {"high_watermark_stays", "a partition's high watermark never goes back, whatever dies"},
      {"invariants", "the rules' own invariants hold after every step"},
      {"no_exception_in_a_client", "no exception escapes in a client"},
      {"no_gap", "offsets follow each other without a gap, except where records were removed"},
      {"no_io_after_death", "no code of a dead process reaches the disk"},
      {"no_wrong_bytes", "no client is given bytes that contradict their checksum"},
      {"nothing_invented", "every record that is read was sent, to that topic and partition"},
      {"offsets_hold", "an offset holds one record for ever"},
      {"one_answer", "every record is answered once"},
      {"peace_is_served", "before the faults begin, topics can be created"},
      {"reads_in_order", "a reader is given records in the order of their offsets"},
      {"refused_is_absent", "a record that was definitely refused is not there"},
      {"same_seed_same_trace", "a second run of a seed goes the same way"},
      {"stored_once", "a record of an idempotent producer is stored once"},
  };
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
