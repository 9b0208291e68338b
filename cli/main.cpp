// The `pessoa` command. Everything is in the library, so that tests can run it.
#include "cli/command.hpp"

#include <csignal>
#include <unistd.h>

int main(int argc, char** argv) {
  // A reader that goes away is noticed where we write (`| head` ends with 0).
  std::signal(SIGPIPE, SIG_IGN);
  pessoa::cli::console term{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, pessoa::cli::process_environment()};
  return pessoa::cli::run_command({argv + 1, argv + argc}, term);
}
