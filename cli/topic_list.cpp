// pessoa topic list
#include "cli/json.hpp"
#include "cli/table.hpp"
#include "cli/topic.hpp"

namespace pessoa::cli {

namespace {

struct list_options {
  connection_options connection;
  bool as_json = false;
};

int list(console& term, const list_options& o) {
  auto cluster = connect(o.connection, term);
  if (!cluster) return fail(term, cluster.error());
  auto topics = cluster->topics();
  if (!topics) return fail(term, topics.error());
  json rows = json::array();
  table text{{"name", ">partitions", ">replicas", "id"}};
  for (auto& topic : *topics) {
    rows.push_back({{"name", topic.name},
                    {"id", topic.id},
                    {"partitions", topic.partitions.size()},
                    {"replicas", replicas_of(topic)}});
    text.row(
        {topic.name, std::to_string(topic.partitions.size()), std::to_string(replicas_of(topic)), topic.id});
  }
  if (o.as_json)
    term.line(print(rows));
  else if (topics->empty())
    term.say("there are no topics; 'pessoa topic create NAME' makes one");
  else
    term.write(text.text());
  return exit_ok;
}

} // namespace

void add_topic_list(command topic, invocation& inv) {
  auto app = topic.add_subcommand("list", "All topics");
  auto o = std::make_shared<list_options>();
  add_output(app, o->as_json);
  add_connection(app, o->connection);
  app.callback([&inv, o] { inv.run = [&term = inv.term, o] { return list(term, *o); }; });
}

} // namespace pessoa::cli
