// The command tree: what each subcommand's file offers, and what it is given.
//
// A subcommand's add_...() declares its flags and, when it was chosen, leaves what is to run in
// `invocation::run`. Nothing connects, reads or writes while the command line is parsed.
#pragma once

#include "cli/console.hpp"
#include "cli/options.hpp"
#include "cli/status.hpp"

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

void add_bench(command root, invocation& inv);
void add_cluster(command root, invocation& inv);
void add_completion(command root, invocation& inv);
void add_consume(command parent, invocation& inv);
void add_dev(command root, invocation& inv);
void add_group(command root, invocation& inv);
void add_produce(command parent, invocation& inv);
void add_profile(command root, invocation& inv);
void add_simulate(command root, invocation& inv);
void add_start(command root, invocation& inv);
void add_topic(command root, invocation& inv);
void add_version(command root, invocation& inv);

// The whole tree; `root` is the program.
void add_commands(command root, invocation& inv);

// -- options that several commands share ---

// --output table|json
void add_output(command app, bool& json);

// -- running ---

// Parses `arguments` (without the program's name), runs the command, returns the exit status.
int run_command(const std::vector<std::string>& arguments, console& term);

} // namespace pessoa::cli
