// The questions and changes of an admin, as promises on the loop of an engine. What they promise: pessoa/admin.hpp.
#pragma once

#include "client/rpc/engine.hpp"
#include "pessoa/admin.hpp"

namespace pessoa::client {

kj::Promise<result<topic_info>> create_topic(engine& core, const new_topic& topic);
kj::Promise<result<int64_t>> delete_topic(engine& core, std::string_view name); // the index of the change
kj::Promise<result<topic_info>> alter_topic(engine& core, const topic_change& change);
kj::Promise<result<topic_description>> describe_topic(engine& core, std::string_view name);
kj::Promise<result<int64_t>> delete_records(engine& core, const topic_partition& at,
                                            std::optional<int64_t> before);

} // namespace pessoa::client
