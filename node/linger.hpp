// The last act of a connection that we end.
#pragma once

#include "schema/seams/io_loop.hpp"

namespace pessoa::node {

// Throws away what still comes until the peer ends or `patience` is over; never fails. Our side of the stream
// has ended (shutdownWrite). Closing with unread bytes would reset the connection and take our last words
// from the peer. `stream` must outlive the promise.
kj::Promise<void> linger(kj::AsyncIoStream& stream, kj::Timer& timer, duration patience);

} // namespace pessoa::node
