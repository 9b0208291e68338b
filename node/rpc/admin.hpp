// The Admin capability: topics, the cluster's state, its health.
#pragma once

#include "node/rpc/caller.hpp"
#include "schema/wire/client.capnp.h"

namespace pessoa::node {

wire::Admin::Client make_admin(std::shared_ptr<rpc_caller> caller);

} // namespace pessoa::node
