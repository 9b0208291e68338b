// Runs storage seeds: storage_seeds [--seeds A..B] [--plant NAME] [--keep-going]
//
// Exit status: 0 when no seed failed, 1 when one did, 2 for a wrong command. The first failing seed is
// printed with the check it failed; `--seeds N..N` runs it again.
#include "schema/plants.hpp"
#include "simulations/storage/storage_world.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unistd.h>

namespace {

volatile uint64_t running_seed = 0;

// An assertion stops the process: the seed must be known then, too.
void on_abort(int) {
  char text[64];
  int size = std::snprintf(text, sizeof text, "seed %llu: an assertion failed\n",
                           static_cast<unsigned long long>(running_seed));
  if (write(1, text, static_cast<size_t>(size)) < 0) _exit(3);
  _exit(1);
}

int usage() {
  std::fprintf(stderr, "usage: storage_seeds [--seeds A..B] [--plant NAME] [--keep-going]\n");
  return 2;
}

} // namespace

int main(int argc, char** argv) {
  using namespace pessoa::sim;
  uint64_t from = 1, to = 500;
  bool keep_going = false;
  for (int i = 1; i < argc; ++i) {
    std::string_view arg = argv[i];
    if (arg == "--help") return usage(), 0;
    if (arg == "--keep-going") {
      keep_going = true;
    } else if (arg == "--plant" && i + 1 < argc) {
      pessoa::plants::active() = argv[++i];
    } else if (arg == "--seeds" && i + 1 < argc) {
      char* end = nullptr;
      from = std::strtoull(argv[++i], &end, 10);
      to = std::strncmp(end, "..", 2) == 0 ? std::strtoull(end + 2, &end, 10) : from;
      if (*end != 0 || to < from) return usage();
    } else {
      return usage();
    }
  }
  std::signal(SIGABRT, on_abort);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  storage_outcome sum;
  uint64_t failed = 0;
  for (uint64_t seed = from; seed <= to; ++seed) {
    running_seed = seed;
    auto one = run_storage_seed(seed);
    if (!one.ok) {
      ++failed;
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), one.failure.c_str());
      if (!keep_going) break;
    }
    sum.trace = sum.trace * 31 + one.trace;
    sum.acknowledged += one.acknowledged;
    sum.refused += one.refused;
    sum.failed += one.failed;
    sum.dropped += one.dropped;
    sum.power_losses += one.power_losses;
    sum.kills += one.kills;
    sum.clean_stops += one.clean_stops;
    sum.crashes_in_recovery += one.crashes_in_recovery;
    sum.journal_rounds += one.journal_rounds;
    sum.segments += one.segments;
    sum.truncations += one.truncations;
    sum.removals += one.removals;
    sum.deletions += one.deletions;
    sum.torn_tails += one.torn_tails;
    sum.frames_from_journal += one.frames_from_journal;
    sum.losses_reported += one.losses_reported;
    sum.flips += one.flips;
  }
  auto n = [](uint64_t x) { return static_cast<unsigned long long>(x); };
  std::printf("seeds %llu..%llu: %llu failed; acknowledged %llu, refused %llu, failed %llu, dropped %llu\n",
              n(from), n(to), n(failed), n(sum.acknowledged), n(sum.refused), n(sum.failed), n(sum.dropped));
  std::printf("  power losses %llu, kills %llu, clean stops %llu, crashes in recovery %llu; truncations "
              "%llu, removals %llu, "
              "deletions %llu\n",
              n(sum.power_losses), n(sum.kills), n(sum.clean_stops), n(sum.crashes_in_recovery),
              n(sum.truncations), n(sum.removals), n(sum.deletions));
  std::printf(
      "  journal rounds %llu, segments %llu, torn tails %llu, frames from the journal %llu, flips %llu, "
      "losses reported "
      "%llu; trace %016llx\n",
      n(sum.journal_rounds), n(sum.segments), n(sum.torn_tails), n(sum.frames_from_journal), n(sum.flips),
      n(sum.losses_reported), n(sum.trace));
  return failed == 0 ? 0 : 1;
}
