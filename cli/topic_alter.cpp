// pessoa topic alter NAME
#include "cli/topic.hpp"
#include "cli/values.hpp"

namespace pessoa::cli {

namespace {

struct alter_options {
  connection_options connection;
  std::string name;
  std::optional<int64_t> partitions;
  std::map<std::string, std::string> config;
};

int alter(console& term, const alter_options& o) {
  if (!o.partitions && o.config.empty())
    return term.usage("nothing to alter: name a setting with -c KEY=VALUE or a number with --partitions",
                      "pessoa topic alter");
  auto cluster = connect(o.connection, term);
  if (!cluster) return fail(term, cluster.error());
  announce(term, *cluster);
  client::topic_change change{o.name, {}, o.config};
  if (o.partitions) change.partitions = static_cast<int32_t>(*o.partitions);
  auto altered = client::admin{*cluster}.alter_topic(change);
  if (!altered) return fail(term, altered.error());
  for (auto& entry : o.config) {
    auto now = altered->config.find(entry.first);
    if (now != altered->config.end()) term.say("  " + entry.first + " is " + now->second);
  }
  if (o.partitions)
    term.say("  " + std::to_string(altered->partitions.size())
             + " partitions: from now on some keys go to other partitions than before");
  return exit_ok;
}

} // namespace

void add_topic_alter(command topic, invocation& inv) {
  auto app = topic.add_subcommand("alter", "Change a topic's settings, or add partitions");
  auto o = std::make_shared<alter_options>();
  app.footer(settings_footer());
  add_topic_name(app, o->name);
  app.add_parsed(
      "-p,--partitions", o->partitions,
      [](const std::string& text) { return parse_integer(text, 1, 10'000, "a number of partitions"); },
      "The new total");
  add_topic_config(app, o->config, true);
  add_connection(app, o->connection);
  app.callback([&inv, o] { inv.run = [&term = inv.term, o] { return alter(term, *o); }; });
}

} // namespace pessoa::cli
