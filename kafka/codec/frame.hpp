// Requests and responses with their headers, as they stand on a connection behind the frame's length.
//
// A listener reads the length itself (it must decide before it takes memory), then: read_request_head, which tells the
// API even when its version is unknown; decode_request for the body; encode_response, which writes length, header and
// body. Closing or answering is not decided here.
#pragma once

#include "kafka/codec/api.hpp"
#include "kafka/codec/message.hpp"
#include "kafka/messages/request_header.hpp"
#include "kafka/messages/response_header.hpp"

namespace pessoa::kafka {

struct request_head {
  int16_t key = 0;
  int16_t version = 0;
  int32_t correlation_id = 0;
  const api_info* api = nullptr; // null: an unknown key
  bool version_known = false;    // to the codec. If not, what follows was not read
  std::optional<std::string> client_id;
  size_t body_begin = 0;
};

// `message` is everything behind the length. Errors: malformed_message when the head is cut off or wrong. An unknown
// key or version is none: the caller knows what it means (for ApiVersions an answer, else the connection's end).
result<request_head> read_request_head(const bytes& message);

// Requires: head.api is Request's, and head.version_known. What is left over behind the body is ignored, as Kafka ignores
// it: librdkafka 2.15 asks for all topics with three bytes too many.
template <class Request>
result<Request> decode_request(const bytes& message, const request_head& head,
                               const decode_limits& limits = {}) {
  PESSOA_ASSERT(head.version_known && head.api->key == Request::message_key, head.key, head.version);
  reader in{message.slice(head.body_begin, message.size() - head.body_begin), limits};
  Request out;
  out.decode(in, head.version);
  if (auto read = in.status(); !read.ok())
    return in_message(Request::message_name, head.version, read.error());
  return out;
}

// The length, the header and the body, ready to send.
template <class Response>
result<encoded> encode_response(const Response& response, int16_t version, int32_t correlation_id) {
  PESSOA_CHECK(check_version<Response>(version));
  writer out{writer::framing::length_first};
  response_header header;
  header.correlation_id = correlation_id;
  header.encode(out, info(Response::message_key).response_header(version));
  response.encode(out, version);
  return std::move(out).finish();
}

// The client's side, for tests and tools: header and body behind their length.
template <class Request>
result<encoded> encode_request(const Request& request, int16_t version, int32_t correlation_id,
                               std::optional<std::string> client_id) {
  PESSOA_CHECK(check_version<Request>(version));
  writer out{writer::framing::length_first};
  request_header header;
  header.request_api_key = static_cast<int16_t>(Request::message_key);
  header.request_api_version = version;
  header.correlation_id = correlation_id;
  header.client_id = std::move(client_id);
  header.encode(out, info(Request::message_key).request_header(version));
  request.encode(out, version);
  return std::move(out).finish();
}

// `message` is everything behind the length. Errors: malformed_message, also when it answers another request.
template <class Response>
result<Response> decode_response(const bytes& message, int16_t version, int32_t correlation_id,
                                 const decode_limits& limits = {}) {
  PESSOA_CHECK(check_version<Response>(version));
  reader in{message, limits};
  response_header header;
  header.decode(in, info(Response::message_key).response_header(version));
  PESSOA_CHECK(in.status());
  if (header.correlation_id != correlation_id)
    return error{ec::malformed_message, "the answer to request " + std::to_string(header.correlation_id)
                                            + ", not to " + std::to_string(correlation_id)};
  return decode<Response>(message.slice(in.position(), in.left()), version, limits);
}

} // namespace pessoa::kafka
