// pessoa start: a node in the foreground.
#include "cli/command.hpp"
#include "node/node.hpp"

namespace pessoa::cli {

namespace {

struct start_options {
  std::map<std::string, std::string> values; // by setting
  bool begin_new = false;
  std::vector<std::string> join;
  std::optional<std::string> config;
};

std::string help_of(const node::setting_info& info) {
  std::string out{info.about};
  out += " (" + std::string{info.type};
  if (!info.range.empty()) out += ", " + std::string{info.range};
  if (!info.default_text.empty()) out += "; default " + std::string{info.default_text};
  return out + ")";
}

int start(console& term, start_options& o) {
  if (o.begin_new) o.values["new"] = "on";
  for (auto& address : o.join)
    o.values["join"] += (o.values["join"].empty() ? "" : ",") + address;
  auto loaded = node::load_settings({o.values, term.env(), o.config});
  if (!loaded) return term.usage(loaded.error().message, "pessoa start");
  for (auto& warning : loaded->warnings)
    term.warn(warning);
  return node::run_node(loaded->settings);
}

} // namespace

void add_start(command root, invocation& inv) {
  auto app = root.add_subcommand("start", "Run a node in the foreground");
  app.footer(
      "An empty data directory needs --new (begin a cluster) or --join HOST:PORT (enter one).\n"
      "Each setting may also stand in the environment (--peer-listen is PESSOA_PEER_LISTEN) or, under the "
      "flag's\n"
      "name, in the TOML file of --config; a flag wins over the environment, the environment over the file.");
  auto o = std::make_shared<start_options>();
  for (auto& info : node::setting_table()) {
    if (info.name == "new") {
      app.add_flag("--new", o->begin_new, std::string{info.about});
    } else if (info.name == "join") {
      app.add_texts("--join", o->join, help_of(info));
    } else {
      std::string name{info.name};
      app.add_taken(
          "--" + name,
          [o, name](const std::string& text) {
            o->values[name] = text;
            return result<void>{};
          },
          help_of(info));
    }
  }
  app.add_text("--config", o->config, "A TOML file of settings (PESSOA_CONFIG)");
  app.callback([&inv, o] { inv.run = [&term = inv.term, o] { return start(term, *o); }; });
}

} // namespace pessoa::cli
