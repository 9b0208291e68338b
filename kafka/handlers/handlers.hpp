// All handlers: the list that the server looks up. Each is defined in the file of its name.
#pragma once

#include "kafka/handlers/handler.hpp"
#include "kafka/messages/all.hpp"

namespace pessoa::kafka {

using produce_handler = handler<produce_request, 0, 9>;
using fetch_handler = handler<fetch_request, 4, 12>;
using list_offsets_handler = handler<list_offsets_request, 1, 6>;
using metadata_handler = handler<metadata_request, 0, 12>;
using find_coordinator_handler = handler<find_coordinator_request, 0, 4>;
using api_versions_handler = handler<api_versions_request, 0, 4>;
using create_topics_handler = handler<create_topics_request, 2, 7>;
using delete_topics_handler = handler<delete_topics_request, 1, 6>;
using init_producer_id_handler = handler<init_producer_id_request, 0, 4>;
using offset_for_leader_epoch_handler = handler<offset_for_leader_epoch_request, 2, 4>;
using describe_configs_handler = handler<describe_configs_request, 0, 4>;

template <>
kj::Promise<answer> produce_handler::handle(exchange x, produce_request asked);
template <>
kj::Promise<answer> fetch_handler::handle(exchange x, fetch_request asked);
template <>
kj::Promise<answer> list_offsets_handler::handle(exchange x, list_offsets_request asked);
template <>
kj::Promise<answer> metadata_handler::handle(exchange x, metadata_request asked);
template <>
kj::Promise<answer> find_coordinator_handler::handle(exchange x, find_coordinator_request asked);
template <>
kj::Promise<answer> api_versions_handler::handle(exchange x, api_versions_request asked);
template <>
kj::Promise<answer> create_topics_handler::handle(exchange x, create_topics_request asked);
template <>
kj::Promise<answer> delete_topics_handler::handle(exchange x, delete_topics_request asked);
template <>
kj::Promise<answer> init_producer_id_handler::handle(exchange x, init_producer_id_request asked);
template <>
kj::Promise<answer> offset_for_leader_epoch_handler::handle(exchange x,
                                                            offset_for_leader_epoch_request asked);
template <>
kj::Promise<answer> describe_configs_handler::handle(exchange x, describe_configs_request asked);

// The answer to an ApiVersions request of a version that we do not have (KIP-511).
answer unknown_api_versions(const exchange& x);

} // namespace pessoa::kafka
