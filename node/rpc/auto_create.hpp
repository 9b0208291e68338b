// Topics that come into being because somebody is about to write to them.
#pragma once

#include "node/rpc/caller.hpp"

#include <kj/async.h>

#include <map>
#include <set>
#include <string>

namespace pessoa::node {

// Why topics could not be created, by name.
using creation_errors = std::map<std::string, error>;

// Creates the topics with the cluster's defaults, one after the other, and waits until this node leads them as far as it
// should. Who was faster is as good: a topic that exists already is no error. What has not had its turn by the deadline is
// not created, and says so. Dropping the promise leaves what was begun.
kj::Promise<creation_errors> create_topics(std::shared_ptr<rpc_caller> caller, std::set<std::string> names,
                                           instant deadline);

} // namespace pessoa::node
