// pessoa profile list|use|print
#include "cli/command.hpp"
#include "cli/profile.hpp"
#include "cli/table.hpp"

namespace pessoa::cli {

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (auto& word : words)
    out += (out.empty() ? "" : ",") + word;
  return out;
}

int list_profiles(console& term, bool as_json) {
  profile_store store{term.env()};
  auto selected = store.selected();
  json rows = json::array();
  table text{{"", "name", "bootstrap"}};
  for (auto& name : store.names()) {
    auto found = store.load(name);
    if (!found) {
      term.warn(found.error().message);
      continue;
    }
    rows.push_back({{"name", name}, {"selected", name == selected}, {"bootstrap", found->bootstrap}});
    text.row({name == selected ? "*" : "", name, joined(found->bootstrap)});
  }
  if (as_json)
    term.line(print(rows));
  else if (rows.empty())
    term.say(
        "there are no profiles; 'pessoa dev up' makes one, 'pessoa profile use NAME -b HOST:PORT' another");
  else
    term.write(text.text());
  return exit_ok;
}

int use_profile(console& term, const std::string& name, const std::optional<std::string>& bootstrap) {
  profile_store store{term.env()};
  if (bootstrap) {
    profile made;
    made.name = name;
    std::string_view rest = *bootstrap;
    while (true) {
      auto comma = rest.find(',');
      made.bootstrap.emplace_back(rest.substr(0, comma));
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
    if (auto saved = store.save(made); !saved) return term.fail(saved.error());
  } else if (auto found = store.load(name); !found) {
    return term.fail(found.error());
  }
  if (auto done = store.select(name); !done) return term.fail(done.error());
  term.say("profile " + name + " is selected");
  return exit_ok;
}

int print_profile(console& term, std::string name, bool as_json) {
  profile_store store{term.env()};
  if (name.empty()) name = store.selected();
  if (name.empty())
    return term.fail({ec::not_found, "no profile is selected: name one, or 'pessoa profile use NAME'"});
  auto found = store.load(name);
  if (!found) return term.fail(found.error());
  if (as_json) {
    json out{{"name", name}, {"bootstrap", found->bootstrap}, {"clusterId", nullptr}, {"dev", found->dev}};
    if (!found->cluster_id.empty()) out["clusterId"] = found->cluster_id;
    term.line(print(out));
    return exit_ok;
  }
  term.line("name       " + name);
  term.line("bootstrap  " + joined(found->bootstrap));
  if (!found->cluster_id.empty()) term.line("cluster    " + found->cluster_id);
  return exit_ok;
}

} // namespace

void add_profile(command root, invocation& inv) {
  auto app = root.add_subcommand("profile", "Named clusters, one of them selected");
  app.require_subcommand();
  struct options {
    bool as_json = false;
    std::string name;
    std::optional<std::string> bootstrap;
  };
  auto o = std::make_shared<options>();

  auto list = app.add_subcommand("list", "All profiles");
  add_output(list, o->as_json);
  list.callback([&inv, o] { inv.run = [&term = inv.term, o] { return list_profiles(term, o->as_json); }; });

  auto use = app.add_subcommand("use", "Select a profile; with -b, make it first");
  use.add_text("NAME", o->name, "The profile").required();
  use.add_text("-b,--bootstrap,--bootstrap-server,--brokers", o->bootstrap,
               "HOST:PORT[,...] of a new profile");
  use.callback(
      [&inv, o] { inv.run = [&term = inv.term, o] { return use_profile(term, o->name, o->bootstrap); }; });

  auto show = app.add_subcommand("print", "One profile, by default the selected one");
  show.add_text("NAME", o->name, "The profile");
  add_output(show, o->as_json);
  show.callback(
      [&inv, o] { inv.run = [&term = inv.term, o] { return print_profile(term, o->name, o->as_json); }; });
}

} // namespace pessoa::cli
