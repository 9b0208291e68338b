// The contract's messages as the client's words, and back. The only place of the client that knows both.
#pragma once

#include "client/core/metadata_cache.hpp"
#include "pessoa/admin.hpp"
#include "schema/wire/client.capnp.h"

#include <kj/exception.h>

namespace pessoa::client {

// The node's error, with its own hint and category also for names that this client does not know.
error error_of(wire::Error::Reader in);
// A call that threw instead of answering: the connection ended (disconnected), or what the node did is not
// known.
error read_exception(const kj::Exception& e, const std::string& address);

metadata_answer read_metadata(wire::Metadata::Reader in, bool all_topics);
known_topic read_topic(wire::Topic::Reader in);
topic_description read_description(wire::TopicDescription::Reader in);
cluster_info read_cluster_info(wire::ClusterInfo::Reader in);
cluster_health read_health(wire::Health::Reader in);

void write_config(const std::map<std::string, std::string>& config, capnp::List<wire::Setting>::Builder out);
kj::StringPtr text(const std::string& s); // borrowed
std::string text(capnp::Text::Reader in);

} // namespace pessoa::client
