// pessoa-sim: what `pessoa simulate` runs. Its options and output: docs/simulations.md.
//
// Exit status: 0 no seed failed, 1 one did, 2 a wrong command, above 2 the simulator itself.
#include "simulations/command/batch.hpp"
#include "simulations/command/find_plants.hpp"
#include "simulations/command/lists.hpp"
#include "simulations/command/report.hpp"
#include "simulations/command/shrink.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace {

using namespace pessoa;
using namespace pessoa::sim;

constexpr uint64_t batch_min = 20; // seeds; fewer say nothing as a whole
constexpr int exit_ok = 0, exit_failed = 1, exit_usage = 2, exit_broken = 3;

int usage(const std::string& what) {
  std::fprintf(stderr, "pessoa simulate: %s\n", what.c_str());
  return exit_usage;
}

// "7" or "1..500", both ends included.
bool read_seeds(const std::string& text, uint64_t& first, uint64_t& last) {
  auto number = [](const std::string& digits, uint64_t& out) {
    if (digits.empty() || digits.size() > 19 || digits.find_first_not_of("0123456789") != std::string::npos)
      return false;
    out = std::stoull(digits);
    return true;
  };
  auto dots = text.find("..");
  if (dots == std::string::npos) return number(text, first) && number(text, last);
  return number(text.substr(0, dots), first) && number(text.substr(dots + 2), last) && first <= last;
}

int show_list(const std::string& what) {
  auto list = list_of(what);
  if (!list) return usage("--list knows scenarios, bugs, probes, checkers and faults, not '" + what + "'");
  auto out = nlohmann::ordered_json::array();
  for (auto& [name, about] : *list)
    out.push_back({{"name", name}, {"about", about}});
  std::printf("%s\n", out.dump(2).c_str());
  return exit_ok;
}

int show_found(const batch_options& options) {
  auto found = find_plants(options);
  std::printf("%s", to_markdown(found).c_str());
  if (found.empty()) return exit_broken;
  bool all = std::all_of(found.begin(), found.end(), [](auto& one) { return one.seed && one.ok_without; });
  return all ? exit_ok : exit_failed;
}

int show_shrunk(const batch_options& options, uint64_t seed) {
  std::fprintf(stderr, "making seed %llu smaller:\n", static_cast<unsigned long long>(seed));
  auto found = shrink(options, seed);
  if (!found) {
    std::fprintf(stderr, "seed %llu does not fail\n", static_cast<unsigned long long>(seed));
    return exit_ok;
  }
  std::fprintf(stderr, "\n%s\nthis scenario is enough:\n\n%s\n",
               story(found->out, replay_command(options, seed)).c_str(), to_toml(found->what).c_str());
  std::printf("%s\n", json_line(found->out, std::nullopt).c_str());
  return exit_failed;
}

int run(const batch_options& options) {
  auto result = run_batch(options);
  std::fprintf(stderr, "%llu seeds: %llu failed, %llu idle%s\n", static_cast<unsigned long long>(result.ran),
               static_cast<unsigned long long>(result.failed), static_cast<unsigned long long>(result.idle),
               result.diverged > 0 ? ", and some did not go the same way twice" : "");
  if (result.ran >= batch_min)
    std::fprintf(stderr, "%s%s", speed_report(result).c_str(), probe_report(result).c_str());
  if (result.broken) return exit_broken;
  if (result.failed > 0) return exit_failed;
  // A batch of seeds that show nothing has shown nothing.
  if (result.ran >= batch_min && result.idle * 10 > result.ran) {
    std::fprintf(stderr, "more than a tenth of the seeds were idle: the batch fails\n");
    return exit_failed;
  }
  return exit_ok;
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"Runs whole nodes and real clients in virtual time, under faults drawn from a seed. A failing "
               "seed is told\n"
               "on stderr with the command that replays it; stdout has one JSON object per seed."};
  app.name("pessoa simulate");
  std::string scenario_name, seed_text, seeds_text, plant, list, shrink_text, plants_text;
  batch_options options;
  app.add_option("--scenario", scenario_name,
                 "A built-in scenario, or a TOML file; without it each seed draws one");
  auto* seed = app.add_option("--seed", seed_text, "One seed");
  app.add_option("--seeds", seeds_text, "A..B, both ends included (default 1..20)")->excludes(seed);
  app.add_option("--plant", plant, "Switch on a planted bug: --list bugs");
  app.add_option("--jobs", options.jobs, "Processes side by side")->check(CLI::Range(1, 256));
  app.add_flag("--stop-at-first", options.stop_at_first, "End with the first seed that fails");
  app.add_option("--find-plants", plants_text,
                 "A..B: the first of these seeds that finds each planted bug, as a table");
  app.add_option("--shrink", shrink_text, "Make this failing seed's run smaller");
  app.add_option("--list", list, "scenarios, bugs, probes, checkers or faults, as JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? exit_ok : exit_usage;
  }
  if (!list.empty()) return show_list(list);
  if (!scenario_name.empty()) {
    auto found = find_scenario(scenario_name);
    if (!found.ok()) return usage(found.error().message);
    options.what = std::move(*found);
    options.scenario_argument = scenario_name;
  }
  if (!plant.empty()) {
    auto& bugs = planted_bugs();
    if (std::none_of(bugs.begin(), bugs.end(), [&](auto& b) { return b.first == plant; }))
      return usage("there is no planted bug '" + plant + "': --list bugs shows them");
    options.plant = plant;
  }
  if (!shrink_text.empty()) {
    uint64_t first = 0, last = 0;
    if (!read_seeds(shrink_text, first, last) || first != last)
      return usage("--shrink takes one seed, not '" + shrink_text + "'");
    return show_shrunk(options, first);
  }
  if (!plants_text.empty()) {
    if (!read_seeds(plants_text, options.first, options.last))
      return usage("'" + plants_text + "' is no range of seeds: --find-plants 1..500");
    return show_found(options);
  }
  auto text = !seed_text.empty() ? seed_text : seeds_text.empty() ? std::string{"1..20"} : seeds_text;
  if (!read_seeds(text, options.first, options.last) || (!seed_text.empty() && options.first != options.last))
    return usage("'" + text + "' is no "
                 + (seed_text.empty() ? "range of seeds: --seeds 1..500" : "seed: --seed 7"));
  return run(options);
}
