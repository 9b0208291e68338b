#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include "simulations/run/scenario.hpp"

#include "client/core/client_config.hpp"
#include "node/settings.hpp"
#include "schema/topic_config.hpp"
#include "simulations/run/built_in_scenarios.hpp"
#include "simulations/run/fault_kinds.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace pessoa::sim {

namespace {

error wrong(std::string_view file, const toml::source_region& at, const std::string& what) {
  return {ec::invalid_argument,
          "scenario " + std::string{file} + ", line " + std::to_string(at.begin.line) + ": " + what};
}

struct number {
  const char* key;
  int64_t min, max;
  std::function<void(int64_t)> set;
};

result<void> read_numbers(std::string_view file, const toml::node& value, const std::vector<number>& known) {
  auto* table = value.as_table();
  if (table == nullptr) return wrong(file, value.source(), "a table in braces is expected");
  for (auto&& [key, entry] : *table) {
    auto name = std::string{key.str()};
    auto found = std::find_if(known.begin(), known.end(), [&](auto& n) { return name == n.key; });
    if (found == known.end()) {
      std::vector<std::string_view> names;
      for (auto& n : known)
        names.push_back(n.key);
      auto guess = nearest(name, names);
      return wrong(file, entry.source(),
                   "unknown key " + pessoa::quoted(name)
                       + (guess.empty() ? "" : "; did you mean " + guess + "?"));
    }
    auto* integer = entry.as_integer();
    if (integer == nullptr || integer->get() < found->min || integer->get() > found->max)
      return wrong(file, entry.source(),
                   name + " is a number from " + std::to_string(found->min) + " to "
                       + std::to_string(found->max));
    found->set(integer->get());
  }
  return {};
}

result<void> read_switches(std::string_view file, const toml::node& value,
                           const std::map<std::string, bool*>& known) {
  auto* table = value.as_table();
  if (table == nullptr) return wrong(file, value.source(), "a table in braces is expected");
  for (auto&& [key, entry] : *table) {
    auto found = known.find(std::string{key.str()});
    if (found == known.end() || !entry.is_boolean())
      return wrong(file, entry.source(), "draw knows node, topics and clients, each true or false");
    *found->second = entry.value_or(true);
  }
  return {};
}

// Settings as text, each looked at by `check`.
result<void> read_settings(std::string_view file, const toml::node& value,
                           const std::function<result<void>(const std::string&, const std::string&)>& check,
                           std::map<std::string, std::string>& into) {
  auto* table = value.as_table();
  if (table == nullptr) return wrong(file, value.source(), "a table of settings is expected");
  for (auto&& [key, entry] : *table) {
    auto name = std::string{key.str()};
    auto text = entry.value<std::string>();
    if (!text) return wrong(file, entry.source(), name + ": its value is a text in quotes");
    if (auto fine = check(name, *text); !fine) return wrong(file, entry.source(), fine.error().message);
    into[name] = *text;
  }
  return {};
}

result<void> check_node_setting(const std::string& name, const std::string& value) {
  PESSOA_CHECK(node::load_settings({{{"data", "data"}, {name, value}}, {}, std::nullopt}));
  return {};
}
result<void> check_topic_setting(const std::string& name, const std::string& value) {
  return topic_config{}.set(name, value);
}
result<void> check_client_setting(const std::string& name, const std::string& value) {
  auto checked = client::check_setting(name, value);
  if (!checked.ok()) return error{checked.error().code, checked.error().message};
  return {};
}

result<void> read_faults(std::string_view file, const toml::node& value, std::vector<fault_choice>& into) {
  auto* list = value.as_array();
  if (list == nullptr) return wrong(file, value.source(), "fault is a list of tables { kind, percent }");
  for (auto& entry : *list) {
    auto* table = entry.as_table();
    auto kind = table != nullptr ? (*table)["kind"].value<std::string>() : std::nullopt;
    if (!kind)
      return wrong(file, entry.source(), "a fault needs a kind: 'pessoa simulate --list faults' shows them");
    auto& kinds = fault_kinds();
    if (std::none_of(kinds.begin(), kinds.end(), [&](auto& k) { return *kind == k.name; })) {
      std::vector<std::string_view> names;
      for (auto& k : kinds)
        names.push_back(k.name);
      auto guess = nearest(*kind, names);
      return wrong(file, entry.source(),
                   "unknown fault " + pessoa::quoted(*kind)
                       + (guess.empty() ? "" : "; did you mean " + guess + "?"));
    }
    auto percent = (*table)["percent"].value_or(int64_t{50});
    if (percent < 0 || percent > 100) return wrong(file, entry.source(), "percent is a number from 0 to 100");
    into.push_back({*kind, static_cast<uint32_t>(percent)});
  }
  return {};
}

} // namespace

result<scenario> parse_scenario(std::string_view name, std::string_view text) {
  auto parsed = toml::parse(text);
  if (!parsed) {
    std::ostringstream why;
    why << parsed.error().description();
    return wrong(name, parsed.error().source(), "not TOML: " + why.str());
  }
  scenario out;
  out.name = name;
  auto into = [](auto& field) {
    return [&field](int64_t x) { field = static_cast<std::decay_t<decltype(field)>>(x); };
  };
  for (auto&& [key, value] : parsed.table()) {
    if (key == "title") {
      out.title = value.value_or(std::string{});
    } else if (key == "cluster") {
      PESSOA_CHECK(read_numbers(name, value,
                                {{"seconds", 4, 3600, into(out.seconds)},
                                 {"topics", 1, 1000, into(out.topics)},
                                 {"partitions", 1, 1000, into(out.partitions)}}));
    } else if (key == "workload") {
      PESSOA_CHECK(read_numbers(name, value,
                                {{"writers", 0, 100, into(out.writers)},
                                 {"plain_writers", 0, 100, into(out.plain_writers)},
                                 {"readers", 0, 100, into(out.readers)},
                                 {"administrators", 0, 1, into(out.administrators)},
                                 {"churning_topics", 0, 100, into(out.churning_topics)},
                                 {"resizers", 0, 1, into(out.resizers)},
                                 {"removers", 0, 1, into(out.removers)},
                                 {"kafka_writers", 0, 100, into(out.kafka_writers)},
                                 {"kafka_readers", 0, 100, into(out.kafka_readers)},
                                 {"hostile", 0, 10, into(out.hostile)},
                                 {"directories", 1, directories_max, into(out.directories)},
                                 {"first_directory", 0, directories_max - 1, into(out.first_directory)}}));
      if (auto alone = value.as_table()->size();
          out.directories + out.first_directory > directories_max
          || (out.first_directory > 0 && out.directories == 0)
          || (out.directories > 0 && alone > (out.first_directory > 0 ? 2u : 1u)))
        return wrong(name, value.source(),
                     "directories, of which a seed has at most " + std::to_string(directories_max)
                         + ", stand alone with first_directory: no clients work beside them");
    } else if (key == "fault") {
      PESSOA_CHECK(read_faults(name, value, out.faults));
    } else if (key == "draw") {
      PESSOA_CHECK(read_switches(
          name, value,
          {{"node", &out.draw_node}, {"topics", &out.draw_topics}, {"clients", &out.draw_clients}}));
    } else if (key == "node") {
      PESSOA_CHECK(read_settings(name, value, check_node_setting, out.node));
    } else if (key == "topic") {
      PESSOA_CHECK(read_settings(name, value, check_topic_setting, out.topic));
    } else if (key == "client") {
      PESSOA_CHECK(read_settings(name, value, check_client_setting, out.client));
    } else if (key == "final_crash") {
      if (!value.is_boolean()) return wrong(name, value.source(), "final_crash is true or false");
      out.final_crash = value.value_or(true);
    } else {
      return wrong(
          name, value.source(),
          "unknown key " + pessoa::quoted(key.str())
              + "; there are title, cluster, workload, draw, node, topic, client, fault, final_crash");
    }
  }
  if (out.directories > 0 && parsed.table().size() > (parsed.table().contains("title") ? 2u : 1u))
    return wrong(name, parsed.table().source(),
                 "directories draw their own sizes and faults: beside workload there may be a title only");
  return out;
}

const std::vector<scenario>& known_scenarios() {
  static const std::vector<scenario> all = [] {
    std::vector<scenario> out;
    for (auto& [name, text] : built_in_scenarios()) {
      auto parsed = parse_scenario(name, text);
      PESSOA_ASSERT(parsed.ok(), parsed.error());
      out.push_back(std::move(*parsed));
    }
    return out;
  }();
  return all;
}

result<scenario> find_scenario(const std::string& name_or_file) {
  std::string names;
  for (auto& known : known_scenarios()) {
    if (known.name == name_or_file) return known;
    names += (names.empty() ? "" : ", ") + known.name;
  }
  std::ifstream in{name_or_file, std::ios::binary};
  if (!in)
    return error{ec::not_found, "there is no scenario " + pessoa::quoted(name_or_file)
                                    + " and no such file; built in are " + names};
  std::string text{std::istreambuf_iterator<char>{in}, {}};
  return parse_scenario(std::filesystem::path{name_or_file}.stem().string(), text);
}

} // namespace pessoa::sim
