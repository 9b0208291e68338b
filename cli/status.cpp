#include "cli/status.hpp"

namespace pessoa::cli {

int status_of(ec code) {
  switch (code) {
  case ec::none:
    return exit_ok;
  case ec::invalid_argument:
  case ec::invalid_topic_name:
  case ec::invalid_config:
    return exit_usage;
  case ec::timed_out:
    return exit_unhealthy;
  case ec::unknown_topic:
  case ec::unknown_topic_id:
  case ec::unknown_partition:
  case ec::not_found:
    return exit_not_found;
  case ec::denied:
    return exit_denied;
  default:
    return exit_failed;
  }
}

} // namespace pessoa::cli
