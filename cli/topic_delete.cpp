// pessoa topic delete NAME --yes
#include "cli/topic.hpp"

#include <unistd.h>

namespace pessoa::cli {

namespace {

struct delete_options {
  connection_options connection;
  std::string name;
  bool yes = false;
};

// Asks a person; nobody else is asked.
bool confirmed(console& term, const std::string& name) {
  term.say("this deletes topic " + name + " and its records for ever. Type its name to go on:");
  std::string answer;
  char c = 0;
  while (::read(term.input(), &c, 1) == 1 && c != '\n')
    answer.push_back(c);
  return answer == name;
}

int remove(console& term, const delete_options& o) {
  if (!o.yes && !term.input_is_terminal())
    return term.usage("deleting " + o.name + " deletes its records: say so with --yes",
                      "pessoa topic delete");
  auto cluster = connect(o.connection, term);
  if (!cluster) return fail(term, cluster.error());
  announce(term, *cluster);
  if (!o.yes && !confirmed(term, o.name)) {
    term.say("nothing was deleted");
    return exit_failed;
  }
  if (auto deleted = client::admin{*cluster}.delete_topic(o.name); !deleted)
    return fail(term, deleted.error());
  term.say("topic " + o.name + " is deleted");
  return exit_ok;
}

} // namespace

void add_topic_delete(command topic, invocation& inv) {
  auto app = topic.add_subcommand("delete", "Delete a topic and its records");
  auto o = std::make_shared<delete_options>();
  add_topic_name(app, o->name);
  app.add_flag("--yes", o->yes, "Do not ask");
  add_connection(app, o->connection);
  app.callback([&inv, o] { inv.run = [&term = inv.term, o] { return remove(term, *o); }; });
}

} // namespace pessoa::cli
