// The Producer capability: batches in, offsets out.
#pragma once

#include "node/rpc/caller.hpp"
#include "schema/wire/client.capnp.h"

namespace pessoa::node {

wire::Producer::Client make_producer(std::shared_ptr<rpc_caller> caller);

} // namespace pessoa::node
