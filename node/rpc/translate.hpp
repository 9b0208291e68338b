// Routes and ids to wire form: what several capabilities answer with.
#pragma once

#include "node/services.hpp"
#include "schema/wire/client.capnp.h"
#include "schema/wire/convert.hpp"

#include <optional>

namespace pessoa::node {

inline kj::StringPtr text(const std::string& s) { return {s.c_str(), s.size()}; }

void write_partition(int32_t index, const actors::partition_route& route, wire::Partition::Builder out);
void write_topic(const actors::topic_route& topic, wire::Topic::Builder out);
// About how many bytes write_topic() takes in a message.
size_t wire_bytes(const actors::topic_route& topic);
void write_nodes(const actors::routing_snapshot& routes, capnp::List<wire::Node>::Builder out);

} // namespace pessoa::node
