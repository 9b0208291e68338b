// The service behind the Kafka listener: reads a request's head, finds its handler, answers in the request's version.
//
// What it does with requests that have no handler is Kafka's way: ApiVersions of an unknown version is answered in
// version 0 with the versions there are (KIP-511); any other unknown key or version, and a malformed request, ends the
// connection with a reason, which the listener logs. An exception in a handler is a bug of ours: it is logged and ends
// that connection. Stateless between requests: sessions of fetches are not kept, each is answered in full.
//
// Loops: one service serves all of them; a request stays on its caller's loop.
#pragma once

#include "kafka/codec/advertised.hpp"
#include "kafka/service.hpp"
#include "schema/seams/log_sink.hpp"

#include <array>
#include <atomic>

namespace pessoa::kafka {

// Cumulative figures; any thread. Batches are never taken apart or put together again between a client and the log; the
// last four show it, measured where the bytes are handed on.
struct counters {
  std::atomic<uint64_t> requests{0}, refused{0};    // refused: the connection was closed for it
  std::atomic<uint64_t> produced_bytes_in_place{0}; // handed to the log where the request lies in memory
  std::atomic<uint64_t> produced_bytes_moved{0};
  std::atomic<uint64_t> fetched_bytes_in_place{0}; // sent from where the log was read to
  std::atomic<uint64_t> fetched_bytes_moved{
      0}; // copied into the answer: what is too small to be worth a piece
};

struct service_options {
  advertised_apis apis;
  std::string version; // of this software
  log_sink* log = nullptr;
  // Where others are told that this node is; nullopt: where the caller reached it.
  std::optional<host_port> advertised;
  counters* counted = nullptr; // may be null; outlives the service
};

// Requires: options.log.
std::unique_ptr<service> make_service(service_options options);

} // namespace pessoa::kafka
