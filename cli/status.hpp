// How the command ends: the exit statuses scripts may rely on, and which error leads to which.
#pragma once

#include "schema/error.hpp"

namespace pessoa::cli {

enum exit_status : int {
  exit_ok = 0,
  exit_failed = 1,
  exit_usage = 2,     // the command line cannot mean anything; an unparsable value is this, never a fallback
  exit_unhealthy = 3, // unhealthy, or timed out
  exit_not_found = 4,
  exit_denied = 5,
};

int status_of(ec code);

} // namespace pessoa::cli
