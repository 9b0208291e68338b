// All handlers: the list that the server looks up. Each is defined in the file of its name.
#pragma once

#include "kafka/handlers/handler.hpp"
#include "kafka/messages/all.hpp"

namespace pessoa::kafka {

using produce_handler = handler<produce_request, 0, 9>;
using fetch_handler = handler<fetch_request, 4, 12>;
using list_offsets_handler = handler<list_offsets_request, 1, 6>;
using metadata_handler = handler<metadata_request, 0, 12>;
using api_versions_handler = handler<api_versions_request, 0, 4>;

template <>
kj::Promise<answer> produce_handler::handle(exchange x, produce_request asked);
template <>
kj::Promise<answer> fetch_handler::handle(exchange x, fetch_request asked);
template <>
kj::Promise<answer> list_offsets_handler::handle(exchange x, list_offsets_request asked);
template <>
kj::Promise<answer> metadata_handler::handle(exchange x, metadata_request asked);
template <>
kj::Promise<answer> api_versions_handler::handle(exchange x, api_versions_request asked);

// The answer to an ApiVersions request of a version that we do not have (KIP-511).
answer unknown_api_versions(const exchange& x);

} // namespace pessoa::kafka
