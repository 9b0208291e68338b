#include "simulations/command/report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace pessoa::sim {

namespace {

constexpr size_t story_events_max = 40;

} // namespace

std::string json_line(const outcome& of, std::optional<bool> rerun) {
  nlohmann::ordered_json out;
  out["scenario"] = of.scenario;
  out["seed"] = of.seed;
  out["verdict"] = to_string(of.verdict);
  out["reason"] = of.reason;
  out["trace"] = fmt::format("{:016x}", of.trace);
  out["virtualSeconds"] = of.virtual_seconds;
  out["loadSeconds"] = of.load_seconds;
  out["steps"] = of.steps;
  out["stepsOf"] = of.steps_of;
  out["batches"] = of.batches;
  out["acknowledged"] = of.acknowledged;
  out["unknown"] = of.unknown;
  out["refused"] = of.refused;
  out["read"] = of.read;
  out["faults"] = of.faults;
  out["probes"] = of.probes;
  out["rerun"] = rerun ? nlohmann::ordered_json(*rerun) : nlohmann::ordered_json(nullptr);
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string story(const outcome& of, const std::string& replay) {
  auto out =
      fmt::format("seed {} of scenario {} FAILED: {}\n  {}\n\n  the last events, in virtual seconds:\n",
                  of.seed, of.scenario, of.reason, of.why);
  auto skip = of.story.size() > story_events_max ? of.story.size() - story_events_max : 0;
  for (size_t i = skip; i < of.story.size(); ++i)
    out += fmt::format("  {:12.6f}  {}\n", static_cast<double>(of.story[i].at) / second, of.story[i].line);
  out += "\n  settings:\n";
  for (auto& [whose, settings] : of.settings)
    out += fmt::format("    {}: {}\n", whose, settings.empty() ? "all at their default" : settings);
  out += "\n  faults that took effect:";
  for (auto& [kind, count] : of.faults)
    out += fmt::format(" {} {}", kind, count);
  out += fmt::format("\n  again: {}\n", replay);
  return out;
}

std::string speed_report(const batch_result& of) {
  auto per = [](double what, double each) { return each > 0 ? what / each : 0; };
  return fmt::format("{:.0f} virtual seconds, {:.0f} of them with clients at work, in {:.1f} CPU seconds: "
                     "{:.1f} and {:.1f} per CPU "
                     "second\n{:.0f} steps per virtual second; {:.1f} batches per second of work\n",
                     of.virtual_seconds, of.load_seconds, of.cpu_seconds,
                     per(of.virtual_seconds, of.cpu_seconds), per(of.load_seconds, of.cpu_seconds),
                     per(static_cast<double>(of.steps), of.virtual_seconds),
                     per(static_cast<double>(of.batches), of.load_seconds));
}

std::string probe_report(const batch_result& of) {
  constexpr uint64_t large_batch = 1000;
  std::string out = "probes, and the percentage of seeds that reached them:\n";
  for (auto& [name, seeds] : of.reached) {
    auto rare = of.ran >= large_batch ? seeds * 1000 < of.ran : seeds == 0;
    auto percent = of.ran == 0 ? 0 : 100 * static_cast<double>(seeds) / static_cast<double>(of.ran);
    out += fmt::format("  {:32} {:6.2f}{}\n", name, percent, !rare ? "" : seeds == 0 ? "  never" : "  rare");
  }
  return out;
}

} // namespace pessoa::sim
