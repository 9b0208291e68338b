// A whole message from bytes and back: decode<metadata_request>(body, version), encode(answer, version).
//
// A version that the codec does not know is unsupported_version, whatever the bytes; everything else that is wrong with
// the bytes is malformed_message. Payloads of the result are slices of `body` (kafka/codec/payload.hpp).
#pragma once

#include "kafka/codec/reader.hpp"
#include "kafka/codec/writer.hpp"

#include <string>

namespace pessoa::kafka {

inline error no_such_version(std::string_view name, int16_t version) {
  std::string what{name};
  what.append(" has no version ").append(std::to_string(version));
  return {ec::unsupported_version, std::move(what)};
}

template <class Message>
result<void> check_version(int16_t version) {
  if (version >= Message::version_min && version <= Message::version_max) return {};
  return no_such_version(Message::message_name, version);
}

inline error in_message(std::string_view name, int16_t version, const error& e) {
  return {e.code, std::string{name} + " v" + std::to_string(version) + " " + e.message};
}

template <class Message>
result<Message> decode(bytes body, int16_t version, const decode_limits& limits = {}) {
  PESSOA_CHECK(check_version<Message>(version));
  reader in{std::move(body), limits};
  Message out;
  out.decode(in, version);
  if (auto done = in.finish(); !done.ok()) return in_message(Message::message_name, version, done.error());
  return out;
}

template <class Message>
result<encoded> encode(const Message& message, int16_t version) {
  PESSOA_CHECK(check_version<Message>(version));
  writer out;
  message.encode(out, version);
  return std::move(out).finish();
}

} // namespace pessoa::kafka
