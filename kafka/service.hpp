// The seam between a connection and the requests on it: the listener (node/) brings whole frames in their order, the
// service answers each, in its own time. The listener writes the answers in the order of the requests.
//
// What is asked of a partition is asked before serve() returns: requests of one connection reach it in their order.
#pragma once

#include "kafka/codec/writer.hpp"
#include "kafka/gateway.hpp"
#include "schema/seams/io_loop.hpp"

#include <memory>
#include <optional>
#include <string>

namespace pessoa::kafka {

// A frame's body, behind its length. Nobody else has a reference: batches in it may be stamped where they lie. The memory
// and its place in the budgets go with the last reference.
struct request_frame {
  std::shared_ptr<uint8_t[]> data;
  size_t size = 0;
  std::shared_ptr<void> charge;

  // The same bytes for reading; keeps data and charge.
  [[nodiscard]] bytes view() const;
};

// One connection, as handlers see it. Only on its loop; lives as long as the connection or the last request on it.
struct caller {
  std::string peer;            // "127.0.0.1:53122", for logs
  host_port reached;           // the address of ours that the client reached
  std::string client_id = "?"; // of the last request, quoted
  std::string software = "?";  // name and version as ApiVersions told them, quoted
  std::unique_ptr<gateway> to; // the node
};

struct answer {
  std::optional<encoded> message;             // nullopt: the request gets none (acks=0)
  std::vector<std::shared_ptr<void>> charges; // places in a budget: let go of when the message is written
  std::optional<error> close;                 // after the message the connection ends, for this reason
  duration mute{0};                           // after the message the connection is not read for so long
};

class service {
public:
  virtual ~service() noexcept(false) = default;
  // Never rejects. Dropping the promise abandons what is parked for it.
  virtual kj::Promise<answer> serve(const std::shared_ptr<caller>& from, request_frame frame) = 0;
};

} // namespace pessoa::kafka
