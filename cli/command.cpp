#include "cli/command.hpp"

#include "schema/topic_config.hpp"

namespace pessoa::cli {

void add_output(command app, bool& json) {
  app.add_parsed(
      "--output", json,
      [](const std::string& text) -> result<bool> {
        if (text == "json") return true;
        if (text == "table") return false;
        return error{ec::invalid_argument, pessoa::quoted(text) + " is neither table nor json"};
      },
      "How to print: table or json");
}

void add_commands(command root, invocation& inv) {
  root.require_subcommand();
  add_simulate(root, inv);
  add_start(root, inv);
  add_dev(root, inv);
  add_topic(root, inv);
  add_produce(root, inv);
  add_consume(root, inv);
  add_group(root, inv);
  add_cluster(root, inv);
  add_bench(root, inv);
  add_profile(root, inv);
  add_completion(root, inv);
  add_version(root, inv);
}

int run_command(const std::vector<std::string>& arguments, console& term) {
  using enum parsed_line::outcome;
  invocation inv{term, {}};
  command_tree tree{"pessoa", "Pessoa: an event-streaming platform in which every role is an actor."};
  add_commands(tree.root(), inv);
  auto line = tree.parse(arguments);
  switch (line.what) {
  case help:
    term.write(line.text);
    return exit_ok;
  case version:
    term.line("pessoa " PESSOA_VERSION);
    return exit_ok;
  case refused:
    return term.usage(line.text, line.command);
  case chosen:
    break;
  }
  int status = inv.run ? inv.run() : term.usage("there is nothing to do", line.command);
  term.flush();
  if (status == exit_ok && !term.output_error().empty()) {
    term.say(term.paint(colour::red, "error:") + " " + term.output_error());
    return exit_failed;
  }
  return status;
}

} // namespace pessoa::cli
