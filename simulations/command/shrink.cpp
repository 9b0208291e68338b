#include "simulations/command/shrink.hpp"

#include "schema/plants.hpp"
#include "simulations/run/fault_kinds.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

namespace pessoa::sim {

namespace {

// Every kind by name, so that one can be left out.
scenario spelled_out(scenario what) {
  if (what.faults.empty() && what.directories == 0)
    for (auto& kind : fault_kinds())
      what.faults.push_back({kind.name, kind.percent});
  return what;
}

class shrinking {
public:
  shrinking(scenario what, outcome out, uint64_t seed)
      : best_{std::move(what), std::move(out), 1}, seed_(seed) {}

  // Keeps the smaller scenario if it fails in the same way.
  bool keep(const scenario& smaller, const std::string& how) {
    ++best_.tries;
    auto out = run_seed(smaller, seed_);
    bool same = out.verdict == verdict::failed && out.reason == best_.out.reason;
    std::fprintf(stderr, "  %-40s %s\n", how.c_str(), same ? "still fails" : "needed");
    if (!same) return false;
    best_.what = smaller;
    best_.out = std::move(out);
    return true;
  }
  // Smaller values for a number, down to `least`, as far as it goes.
  void lower(int64_t least, const std::string& name, const std::function<int64_t(const scenario&)>& get,
             const std::function<void(scenario&, int64_t)>& set) {
    for (auto now = get(best_.what); now > least; now = get(best_.what)) {
      auto smaller = best_.what;
      set(smaller, least + (now - least) / 2);
      if (!keep(smaller, fmt::format("{} {} instead of {}", name, get(smaller), now))) return;
    }
  }
  [[nodiscard]] const scenario& what() const { return best_.what; }
  shrunk finish() { return std::move(best_); }

private:
  shrunk best_;
  uint64_t seed_;
};

} // namespace

std::optional<shrunk> shrink(const batch_options& options, uint64_t seed) {
  plants::active() = options.plant;
  auto whole = spelled_out(scenario_of(options, seed));
  auto first = run_seed(whole, seed);
  if (first.verdict != verdict::failed) return std::nullopt;
  if (whole.directories > 0) {
    whole.first_directory = *first.failed_directory;
    whole.directories = 1;
    return shrunk{whole, run_seed(whole, seed), 2};
  }
  shrinking best{whole, std::move(first), seed};
  for (auto& choice : whole.faults) {
    auto smaller = best.what();
    std::erase_if(smaller.faults, [&](auto& c) { return c.kind == choice.kind; });
    if (smaller.faults.empty()) break;
    best.keep(smaller, "without " + choice.kind);
  }
  if (best.what().final_crash) {
    auto smaller = best.what();
    smaller.final_crash = false;
    best.keep(smaller, "without the crash before the last look");
  }
  auto settings = [&](const std::string& whose, auto member) {
    auto smaller = best.what();
    if (!std::exchange(smaller.*member, false)) return;
    best.keep(smaller, "settings of " + whose + " at their default");
  };
  settings("nodes", &scenario::draw_node);
  settings("topics", &scenario::draw_topics);
  settings("clients", &scenario::draw_clients);
  auto number = [&](int64_t least, const std::string& name, auto member) {
    best.lower(
        least, name, [member](const scenario& s) { return static_cast<int64_t>(s.*member); },
        [member](scenario& s, int64_t x) { s.*member = static_cast<std::decay_t<decltype(s.*member)>>(x); });
  };
  number(4, "seconds", &scenario::seconds);
  number(0, "hostile clients", &scenario::hostile);
  number(0, "Kafka readers", &scenario::kafka_readers);
  number(0, "Kafka writers", &scenario::kafka_writers);
  number(0, "resizers", &scenario::resizers);
  number(0, "removers", &scenario::removers);
  number(0, "administrators", &scenario::administrators);
  number(0, "churning topics", &scenario::churning_topics);
  number(0, "readers", &scenario::readers);
  number(0, "plain writers", &scenario::plain_writers);
  number(0, "writers", &scenario::writers);
  number(1, "topics", &scenario::topics);
  number(1, "partitions", &scenario::partitions);
  return best.finish();
}

namespace {

std::string table_of(const char* name, const std::map<std::string, std::string>& settings) {
  if (settings.empty()) return {};
  std::string out;
  for (auto& [key, value] : settings)
    out += fmt::format("{}\"{}\" = \"{}\"", out.empty() ? "" : ", ", key, value);
  return fmt::format("{} = {{ {} }}\n", name, out);
}

} // namespace

std::string to_toml(const scenario& what) {
  if (what.directories > 0)
    return fmt::format("title = \"{}\"\nworkload = {{ directories = {}, first_directory = {} }}\n",
                       what.title, what.directories, what.first_directory);
  auto out = fmt::format("title = \"{}\"\ncluster = {{ seconds = {}, topics = {}, partitions = {} }}\n"
                         "workload = {{ writers = {}, plain_writers = {}, readers = {}, administrators = {}, "
                         "churning_topics = {}, resizers = {}, removers = {}, "
                         "kafka_writers = {}, kafka_readers = {}, hostile = {} }}\n"
                         "draw = {{ node = {}, topics = {}, clients = {} }}\n",
                         what.title, what.seconds, what.topics, what.partitions, what.writers,
                         what.plain_writers, what.readers, what.administrators, what.churning_topics,
                         what.resizers, what.removers, what.kafka_writers, what.kafka_readers, what.hostile,
                         what.draw_node, what.draw_topics, what.draw_clients);
  out += table_of("node", what.node) + table_of("topic", what.topic) + table_of("client", what.client);
  out += fmt::format("final_crash = {}\nfault = [\n", what.final_crash);
  for (auto& choice : what.faults)
    out += fmt::format("  {{ kind = \"{}\", percent = {} }},\n", choice.kind, choice.percent);
  return out + "]\n";
}

} // namespace pessoa::sim
