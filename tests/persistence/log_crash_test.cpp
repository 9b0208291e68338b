// Storage seeds in the suite: logs and their commit service on the simulated disk (docs/simulations.md).
#include "schema/plants.hpp"
#include "simulations/storage/storage_world.hpp"

#include <catch2/catch.hpp>

using namespace pessoa::sim;
namespace plants = pessoa::plants;

namespace {

constexpr uint64_t plant_seeds_max = 500;

struct planted { // switched on for one test
  explicit planted(const std::string& name) { plants::active() = name; }
  ~planted() { plants::active().clear(); }
};

} // namespace

TEST_CASE("crash: 300 seeds lose nothing that was acknowledged", "[persistence][crash]") {
  storage_outcome sum;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    auto one = run_storage_seed(seed);
    INFO("storage seed " << seed << ": " << one.check << ": " << one.failure);
    REQUIRE(one.ok);
    sum.acknowledged += one.acknowledged;
    sum.refused += one.refused;
    sum.failed += one.failed;
    sum.power_losses += one.power_losses;
    sum.kills += one.kills;
    sum.clean_stops += one.clean_stops;
    sum.crashes_in_recovery += one.crashes_in_recovery;
    sum.journal_rounds += one.journal_rounds;
    sum.truncations += one.truncations;
    sum.removals += one.removals;
    sum.deletions += one.deletions;
    sum.torn_tails += one.torn_tails;
    sum.frames_from_journal += one.frames_from_journal;
    sum.losses_reported += one.losses_reported;
  }
  // Seeds that met none of it would prove nothing.
  CHECK(sum.acknowledged > 10'000);
  for (auto met : {sum.refused, sum.failed, sum.power_losses, sum.kills, sum.clean_stops,
                   sum.crashes_in_recovery, sum.journal_rounds, sum.truncations, sum.removals, sum.deletions,
                   sum.torn_tails, sum.frames_from_journal, sum.losses_reported})
    CHECK(met > 5);
}

TEST_CASE("crash: a seed runs the same way twice", "[persistence][crash]") {
  for (uint64_t seed = 1; seed <= 20; ++seed)
    CHECK(run_storage_seed(seed).trace == run_storage_seed(seed).trace);
}

TEST_CASE("crash: every sync and check that is left out is found within 500 seeds", "[persistence][crash]") {
  auto name = GENERATE(as<std::string>{}, "skip_segment_sync", "skip_directory_sync", "answer_before_sync",
                       "skip_journal_sync", "trim_journal_early", "ignore_write_error", "ignore_generation",
                       "recovered_log_not_synced", "accept_bad_frame_crc", "accept_bad_batch_crc",
                       "cut_below_durable_end", "stale_epoch_file", "skip_state_file", "skip_truncation_sync",
                       "skip_forget", "trust_the_page_cache", "scan_behind_truncation", "snapshot_off_by_one",
                       "failed_log_goes_on", "forget_removed_producers", "one_series_of_journals",
                       "tidy_up_after_loss", "trust_a_full_disk", "skip_previous_crc",
                       "truncate_without_wiping", "answer_with_the_batch", "begin_behind_the_time",
                       "age_of_the_first");
  planted bug{name};
  uint64_t seed = 1;
  while (seed <= plant_seeds_max && run_storage_seed(seed).ok)
    ++seed;
  INFO(name);
  CHECK(seed <= plant_seeds_max);
}
