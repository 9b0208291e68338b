// pessoa version
#include "cli/command.hpp"
#include "cli/json.hpp"

namespace pessoa::cli {

void add_version(command root, invocation& inv) {
  root.version_flag("--version", "pessoa " PESSOA_VERSION);
  auto app = root.add_subcommand("version", "Print the version");
  auto json_output = std::make_shared<bool>(false);
  add_output(app, *json_output);
  app.callback([&inv, json_output] {
    inv.run = [&term = inv.term, json_output] {
      if (*json_output)
        term.line(print(json{{"version", PESSOA_VERSION}}));
      else
        term.line("pessoa " PESSOA_VERSION);
      return exit_ok;
    };
  });
}

} // namespace pessoa::cli
