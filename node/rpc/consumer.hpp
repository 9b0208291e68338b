// The Consumer capability: long-poll fetches and offset look-ups.
#pragma once

#include "node/rpc/caller.hpp"
#include "schema/wire/client.capnp.h"

namespace pessoa::node {

wire::Consumer::Client make_consumer(std::shared_ptr<rpc_caller> caller);

} // namespace pessoa::node
