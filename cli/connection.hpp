// Where a command connects to, and the connection.
//
// -b (also --bootstrap, --bootstrap-server, --brokers), else PESSOA_BOOTSTRAP, else --profile or the selected
// profile, else 127.0.0.1:18880. A profile that knows its cluster's id refuses another cluster behind the
// same address.
#pragma once

#include "cli/command.hpp"

#include "pessoa/client.hpp"

#include <optional>
#include <string>

namespace pessoa::cli {

struct connection_options {
  std::optional<std::string> bootstrap;
  std::optional<std::string> profile;
};
void add_connection(command app, connection_options& options);

struct target {
  std::string bootstrap;  // HOST:PORT[,...]
  std::string origin;     // "--bootstrap", "PESSOA_BOOTSTRAP", "profile dev" or "default"
  std::string cluster_id; // empty: any
};
// Errors: invalid_argument (an address that is none), not_found (no such profile).
result<target> resolve(const connection_options& options, console& term);

// The settings every connection of the command line has.
client::settings settings_for(const target& to);
client::result<client::cluster> connect(const connection_options& options, console& term);

// Cause and remedy on stderr; returns the exit status.
int fail(console& term, const client::error& e);
// Before a change: "cluster ID (ADDRESS)" on stderr.
void announce(console& term, const client::cluster& cluster);

} // namespace pessoa::cli
