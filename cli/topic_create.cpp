// pessoa topic create NAME
#include "cli/json.hpp"
#include "cli/topic.hpp"
#include "cli/values.hpp"

#include <fmt/format.h>

namespace pessoa::cli {

namespace {

struct create_options {
  connection_options connection;
  std::string name;
  std::optional<int64_t> partitions;
  std::optional<int64_t> replicas;
  std::map<std::string, std::string> config;
  bool if_not_exists = false;
  bool as_json = false;
};

std::string plural(size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

json summary(const client::topic_info& topic) {
  return {{"name", topic.name},
          {"id", topic.id},
          {"partitions", topic.partitions.size()},
          {"replicas", replicas_of(topic)}};
}

int create(console& term, const create_options& o) {
  auto cluster = connect(o.connection, term);
  if (!cluster) return fail(term, cluster.error());
  announce(term, *cluster);
  client::new_topic wanted{o.name, {}, {}, o.config};
  if (o.partitions) wanted.partitions = static_cast<int32_t>(*o.partitions);
  if (o.replicas) wanted.replicas = static_cast<int32_t>(*o.replicas);
  auto created = create_topic(term, *cluster, wanted);
  if (!created && created.error().code == ec::topic_exists && o.if_not_exists) {
    term.say("topic " + o.name + " exists already");
    created = cluster->topic(o.name);
  }
  if (!created) return fail(term, created.error());
  if (o.as_json) term.line(print(summary(*created)));
  return exit_ok;
}

} // namespace

client::result<client::topic_info> create_topic(console& term, const client::cluster& cluster,
                                                const client::new_topic& wanted) {
  auto created = client::admin{cluster}.create_topic(wanted);
  if (!created) return created;
  auto partitions = created->partitions.size();
  auto replicas = replicas_of(*created);
  term.say(fmt::format("topic {} is created: {}, {}", wanted.name, plural(partitions, "partition"),
                       plural(replicas, "replica")));
  if (partitions == 1)
    term.say(
        "  one consumer of a group can work on it; adding partitions later moves keys to other partitions");
  if (created->wanted_replicas > static_cast<int32_t>(replicas))
    term.say(fmt::format("  {} replicas are wanted; they come as nodes join", created->wanted_replicas));
  auto retention = created->config.find("retention.ms");
  if (retention != created->config.end() && retention->second != "-1") {
    auto ms = parse_integer(retention->second, 0, INT64_MAX, "retention.ms");
    auto kept = ms && *ms >= 86'400'000 ? fmt::format("{:.3g} days", static_cast<double>(*ms) / 86'400'000)
                                        : retention->second + " ms";
    term.say("  records are kept " + kept + "; -c retention.ms=-1 keeps them for ever");
  }
  // rules.md 2: with two replicas one may be away, and then there is one disk.
  if (replicas == 2) term.say("  while one of the two is down, acknowledged means one disk");
  return created;
}

void add_topic_create(command topic, invocation& inv) {
  auto app = topic.add_subcommand("create", "Create a topic");
  auto o = std::make_shared<create_options>();
  app.footer(settings_footer());
  add_topic_name(app, o->name);
  app.add_parsed(
      "-p,--partitions", o->partitions,
      [](const std::string& text) { return parse_integer(text, 1, 10'000, "a number of partitions"); },
      "How many partitions (1)");
  app.add_parsed(
      "-r,--replicas,--replication-factor", o->replicas,
      [](const std::string& text) { return parse_integer(text, 1, 32'767, "a number of replicas"); },
      "How many copies of each (3, or as many as there are nodes)");
  add_topic_config(app, o->config, false);
  app.add_flag("--if-not-exists", o->if_not_exists, "Succeed if it is there already");
  add_output(app, o->as_json);
  add_connection(app, o->connection);
  app.callback([&inv, o] { inv.run = [&term = inv.term, o] { return create(term, *o); }; });
}

} // namespace pessoa::cli
