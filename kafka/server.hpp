// The service behind the Kafka listener, made. So far it answers ApiVersions and ends the connection on everything else.
//
// Loops: one service serves all of them; a request stays on its caller's loop.
#pragma once

#include "kafka/codec/advertised.hpp"
#include "kafka/service.hpp"
#include "schema/seams/log_sink.hpp"

#include <memory>
#include <optional>
#include <string>

namespace pessoa::kafka {

struct service_options {
  advertised_apis apis;
  std::string version; // of this software
  log_sink* log = nullptr;
  // Where others are told that this node is; nullopt: where the caller reached it.
  std::optional<host_port> advertised;
};

// Requires: options.log.
std::unique_ptr<service> make_service(service_options options);

} // namespace pessoa::kafka
