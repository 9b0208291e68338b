// pessoa group: consumer groups, which do not exist yet. The word is known, so that the answer is better than
// "unknown".
#include "cli/command.hpp"

namespace pessoa::cli {

void add_group(command root, invocation& inv) {
  auto app = root.add_subcommand("group", "Consumer groups (not there yet)");
  app.prefix_command();
  app.callback([&inv] {
    inv.run = [&term = inv.term] {
      return term.refuse(exit_failed, "consumer groups are not there yet in pessoa " PESSOA_VERSION,
                         "pessoa consume TOPIC -o OFFSET, which reads from a place that you name");
    };
  });
}

} // namespace pessoa::cli
