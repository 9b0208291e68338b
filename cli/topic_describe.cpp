// pessoa topic describe NAME
#include "cli/json.hpp"
#include "cli/table.hpp"
#include "cli/topic.hpp"

namespace pessoa::cli {

namespace {

struct describe_options {
  connection_options connection;
  std::string name;
  bool as_json = false;
};

json as_json(const client::topic_description& found) {
  json partitions = json::array();
  for (auto& p : found.partitions)
    partitions.push_back({{"index", p.partition.index},
                          {"leader", p.partition.leader},
                          {"epoch", p.partition.epoch},
                          {"replicas", p.partition.replicas},
                          {"isr", p.partition.isr},
                          {"logStart", p.log_start},
                          {"highWatermark", p.high_watermark},
                          {"logEnd", p.log_end}});
  json config = json::object();
  for (auto& entry : found.topic.config)
    config[entry.first] = entry.second;
  return {{"name", found.topic.name},
          {"id", found.topic.id},
          {"config", config},
          {"wantedReplicas", found.topic.wanted_replicas},
          {"partitions", partitions}};
}

std::string joined(const std::vector<int32_t>& ids) {
  std::string out;
  for (auto id : ids)
    out += (out.empty() ? "" : ",") + std::to_string(id);
  return out;
}

void print_table(console& term, const client::topic_description& found) {
  term.line("name      " + found.topic.name);
  term.line("id        " + found.topic.id);
  term.line("replicas  " + std::to_string(replicas_of(found.topic)) + " of "
            + std::to_string(found.topic.wanted_replicas) + " wanted");
  term.line("");
  auto number = [](int64_t value) { return value < 0 ? std::string{"?"} : std::to_string(value); };
  table partitions{
      {">partition", ">leader", ">epoch", "replicas", "isr", ">start", ">high watermark", ">end"}};
  for (auto& p : found.partitions)
    partitions.row({std::to_string(p.partition.index),
                    p.partition.leader < 0 ? "none" : std::to_string(p.partition.leader),
                    number(p.partition.epoch), joined(p.partition.replicas), joined(p.partition.isr),
                    number(p.log_start), number(p.high_watermark), number(p.log_end)});
  term.write(partitions.text());
  term.line("");
  table config{{"setting", "value"}};
  for (auto& entry : found.topic.config)
    config.row({entry.first, entry.second});
  term.write(config.text());
}

int describe(console& term, const describe_options& o) {
  auto cluster = connect(o.connection, term);
  if (!cluster) return fail(term, cluster.error());
  auto found = client::admin{*cluster}.describe_topic(o.name);
  if (!found) return fail(term, found.error());
  for (auto& p : found->partitions)
    if (p.error) term.warn("partition " + std::to_string(p.partition.index) + ": " + p.error->message);
  if (replicas_of(found->topic) == 2)
    term.say("two replicas: while one of the two is down, acknowledged means one disk");
  if (o.as_json)
    term.line(print(as_json(*found)));
  else
    print_table(term, *found);
  return exit_ok;
}

} // namespace

void add_topic_describe(command topic, invocation& inv) {
  auto app =
      topic.add_subcommand("describe", "One topic: settings, partitions, where its records begin and end");
  auto o = std::make_shared<describe_options>();
  add_topic_name(app, o->name);
  add_output(app, o->as_json);
  add_connection(app, o->connection);
  app.callback([&inv, o] { inv.run = [&term = inv.term, o] { return describe(term, *o); }; });
}

} // namespace pessoa::cli
