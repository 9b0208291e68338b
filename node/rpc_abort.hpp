// The last word of a Cap'n Proto RPC conversation, for streams that have no RPC system.
#pragma once

#include "schema/result.hpp"

#include <kj/async-io.h>

namespace pessoa::node {

// Writes an abort message that says `reason`. `stream` must outlive the promise.
kj::Promise<void> write_abort(kj::AsyncIoStream& stream, const error& reason);

} // namespace pessoa::node
