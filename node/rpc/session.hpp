// Bootstrap and Session: the front door. Bootstrap gives nothing but login; a Session hands out what its caller may do.
#pragma once

#include "node/rpc/caller.hpp"
#include "schema/wire/client.capnp.h"

namespace pessoa::node {

wire::Bootstrap::Client make_bootstrap(std::shared_ptr<rpc_caller> caller);

} // namespace pessoa::node
