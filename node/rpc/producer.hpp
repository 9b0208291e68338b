// The Producer capability: batches in, offsets out.
#pragma once

#include "node/rpc/connection.hpp"
#include "schema/wire/client.capnp.h"

namespace pessoa::node {

wire::Producer::Client make_producer(std::shared_ptr<rpc_connection> connection);

} // namespace pessoa::node
