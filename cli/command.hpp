// The command tree: what each subcommand's file offers, and what it is given.
//
// A subcommand's add_...() declares its flags and, when it was chosen, leaves what is to run in
// `invocation::run`. Nothing connects, reads or writes while the command line is parsed.
#pragma once

#include "cli/console.hpp"
#include "cli/status.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pessoa::cli {

struct invocation {
  console& term;
  std::function<int()> run;
};

void add_bench(CLI::App& root, invocation& inv);
void add_cluster(CLI::App& root, invocation& inv);
void add_completion(CLI::App& root, invocation& inv);
void add_consume(CLI::App& parent, invocation& inv);
void add_dev(CLI::App& root, invocation& inv);
void add_group(CLI::App& root, invocation& inv);
void add_produce(CLI::App& parent, invocation& inv);
void add_profile(CLI::App& root, invocation& inv);
void add_simulate(CLI::App& root, invocation& inv);
void add_start(CLI::App& root, invocation& inv);
void add_topic(CLI::App& root, invocation& inv);
void add_version(CLI::App& root, invocation& inv);

// The whole tree; `root` is the program.
void add_commands(CLI::App& root, invocation& inv);

// -- flags that several commands share ---

// An option whose text is parsed by `parse` (text -> result<T>); what it refuses is a usage error.
template <class T, class Parse>
CLI::Option* add_parsed(CLI::App& app, std::string names, T& target, Parse parse, std::string about) {
  return app
      .add_option_function<std::string>(
          names,
          [&target, parse, names](const std::string& text) {
            auto value = parse(text);
            if (!value) throw CLI::ValidationError(names, value.error().message);
            target = std::move(*value);
          },
          about)
      ->type_name("");
}
CLI::Option* add_text(CLI::App& app, std::string names, std::string& target, std::string about);
CLI::Option* add_text(CLI::App& app, std::string names, std::optional<std::string>& target,
                      std::string about);
// May be given several times, one value each.
CLI::Option* add_texts(CLI::App& app, std::string names, std::vector<std::string>& target, std::string about);
// --output table|json
void add_output(CLI::App& app, bool& json);

// -- running ---

// Parses `arguments` (without the program's name), runs the command, returns the exit status.
int run_command(const std::vector<std::string>& arguments, console& term);

} // namespace pessoa::cli
