// pessoa simulate: hands its words to pessoa-sim, which lies beside this binary. A program of its own, because planted bugs
// have no place in the product.
#include "cli/command.hpp"
#include "cli/processes.hpp"

#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace pessoa::cli {

void add_simulate(command root, invocation& inv) {
  auto app = root.add_subcommand("simulate",
                                 "Run nodes and clients in virtual time, under faults drawn from a seed");
  app.no_help_flag(); // pessoa-sim has its own
  app.prefix_command();
  app.callback([&inv, app] {
    auto words = app.remaining();
    inv.run = [&term = inv.term, words] {
      auto own = own_path();
      auto path = own.substr(0, own.rfind('/') + 1) + "pessoa-sim";
      std::vector<char*> arguments{const_cast<char*>("pessoa simulate")};
      for (auto& word : words)
        arguments.push_back(const_cast<char*>(word.c_str()));
      arguments.push_back(nullptr);
      ::execv(path.c_str(), arguments.data());
      return term.refuse(exit_failed, path + " cannot be run: " + std::strerror(errno),
                         "scripts/build, which puts it beside pessoa");
    };
  });
}

} // namespace pessoa::cli
