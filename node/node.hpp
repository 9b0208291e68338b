// A node, as seen from main(): one call from settings to exit status.
#pragma once

#include "node/settings.hpp"

namespace pessoa::node {

// Runs a node until SIGTERM or SIGINT; prints one line `ready node=ID rpc=H:P peer=H:P|off kafka=H:P|off
// http=H:P|off` on stdout when it serves, and logs to stderr. Returns the process's exit status: 0 after a
// clean stop, 1 when it could not start or had to stop, with cause and remedy on stderr. Call once, from the
// main thread.
int run_node(const node_settings& settings);

} // namespace pessoa::node
