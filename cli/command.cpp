#include "cli/command.hpp"

#include "schema/topic_config.hpp"

#include <algorithm>

namespace pessoa::cli {

namespace {

// The deepest subcommand that was reached, and how it is called: "pessoa topic create".
std::pair<const CLI::App*, std::string> deepest(const CLI::App& root) {
  const CLI::App* at = &root;
  std::string name = "pessoa";
  while (true) {
    auto below = at->get_subcommands();
    if (below.empty()) return {at, name};
    at = below.back();
    name += " " + at->get_name();
  }
}

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> out;
  for (auto* option : app.get_options()) {
    for (auto& name : option->get_lnames())
      out.push_back("--" + name);
  }
  return out;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> out;
  for (auto* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    out.push_back(sub->get_name());
  return out;
}

std::string guess(std::string_view word, const std::vector<std::string>& known) {
  return nearest(word, {known.begin(), known.end()});
}

// What is wrong with a word that nothing took.
std::string unknown_word(const std::string& word, const CLI::App& app, const std::string& command) {
  if (word.size() > 1 && word.front() == '-') {
    auto name = word.substr(0, word.find('='));
    auto near = guess(name, flag_names(app));
    return "unknown flag " + pessoa::quoted(name) + " of '" + command + "'"
           + (near.empty() ? "" : "; did you mean " + near + "?");
  }
  auto commands = command_names(app);
  if (commands.empty()) return "unexpected argument " + pessoa::quoted(word) + " of '" + command + "'";
  auto near = guess(word, commands);
  return "unknown command " + pessoa::quoted(word) + " of '" + command + "'"
         + (near.empty() ? "" : "; did you mean " + near + "?");
}

std::string what_is_wrong(const CLI::ParseError& e, const CLI::App& root) {
  auto found = deepest(root);
  auto& app = *found.first;
  auto left = root.remaining(true);
  left.erase(std::remove(left.begin(), left.end(), "--"), left.end());
  bool incomplete = dynamic_cast<const CLI::RequiredError*>(&e) != nullptr;
  bool extra = dynamic_cast<const CLI::ExtrasError*>(&e) != nullptr;
  if (!left.empty() && (extra || (incomplete && !command_names(app).empty())))
    return unknown_word(left.front(), app, found.second);
  if (incomplete && !command_names(app).empty()) {
    std::string names;
    for (auto& name : command_names(app))
      names += (names.empty() ? "" : ", ") + name;
    return "'" + found.second + "' needs a command: " + names;
  }
  return "'" + found.second + "': " + e.what();
}

} // namespace

CLI::Option* add_text(CLI::App& app, std::string names, std::string& target, std::string about) {
  return app.add_option(std::move(names), target, std::move(about))->type_name("");
}

CLI::Option* add_text(CLI::App& app, std::string names, std::optional<std::string>& target,
                      std::string about) {
  return app
      .add_option_function<std::string>(
          std::move(names), [&target](const std::string& text) { target = text; }, std::move(about))
      ->type_name("");
}

CLI::Option* add_texts(CLI::App& app, std::string names, std::vector<std::string>& target,
                       std::string about) {
  // One value per flag: otherwise "-H a=b FILE" would swallow the file.
  return app.add_option(std::move(names), target, std::move(about))
      ->type_name("")
      ->allow_extra_args(false)
      ->take_all();
}

void add_output(CLI::App& app, bool& json) {
  add_parsed(
      app, "--output", json,
      [](const std::string& text) -> result<bool> {
        if (text == "json") return true;
        if (text == "table") return false;
        return error{ec::invalid_argument, pessoa::quoted(text) + " is neither table nor json"};
      },
      "How to print: table or json");
}

void add_commands(CLI::App& root, invocation& inv) {
  root.require_subcommand(1);
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
  invocation inv{term, {}};
  CLI::App root{"Pessoa: an event-streaming platform in which every role is an actor.", "pessoa"};
  add_commands(root, inv);
  // CLI11 takes the arguments from the back.
  std::vector<std::string> reversed{arguments.rbegin(), arguments.rend()};
  try {
    root.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    term.write(root.help());
    return exit_ok;
  } catch (const CLI::CallForAllHelp&) {
    term.write(root.help("", CLI::AppFormatMode::All));
    return exit_ok;
  } catch (const CLI::CallForVersion&) {
    term.line("pessoa " PESSOA_VERSION);
    return exit_ok;
  } catch (const CLI::ParseError& e) {
    return term.usage(what_is_wrong(e, root), deepest(root).second);
  }
  int status = inv.run ? inv.run() : term.usage("there is nothing to do", deepest(root).second);
  term.flush();
  if (status == exit_ok && !term.output_error().empty()) {
    term.say(term.paint(colour::red, "error:") + " " + term.output_error());
    return exit_failed;
  }
  return status;
}

} // namespace pessoa::cli
