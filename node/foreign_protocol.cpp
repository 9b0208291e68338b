#include "node/foreign_protocol.hpp"

#include "schema/limits.hpp"

#include <algorithm>

namespace pessoa::node {

namespace {

bool starts_with(byte_view data, std::string_view prefix) {
  // What came may be shorter than the word it begins.
  auto count = std::min(data.size(), prefix.size());
  return count >= 3 && as_text(data.first(count)) == prefix.substr(0, count);
}

uint32_t big_endian(byte_view data, size_t at, size_t count) {
  uint32_t out = 0;
  for (size_t i = 0; i < count; ++i)
    out = out << 8 | data[at + i];
  return out;
}

} // namespace

foreign_protocol recognise(byte_view first) {
  if (starts_with(first, "PRI * HT")) return foreign_protocol::http2;
  for (auto method :
       {"GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ", "PATCH ", "TRACE ", "CONNECT "})
    if (starts_with(first, method)) return foreign_protocol::http;
  if (starts_with(first, "SSH-")) return foreign_protocol::ssh;
  // A TLS record: handshake, version 3.x, a length below 16 KiB, client hello.
  if (first.size() >= 6 && first[0] == 0x16 && first[1] == 0x03 && first[2] <= 4 && first[5] == 1)
    return foreign_protocol::tls;
  // A Kafka request: length, api key, api version.
  if (first.size() >= 8) {
    auto length = big_endian(first, 0, 4), api = big_endian(first, 4, 2), version = big_endian(first, 6, 2);
    if (length >= 8 && length <= (100u << 20) && api <= 100 && version <= 20) return foreign_protocol::kafka;
  }
  // Cap'n Proto's segment table: one less than the number of segments, little-endian.
  if (first.size() >= 4 && first[0] < rpc_segments_max && first[1] == 0 && first[2] == 0 && first[3] == 0)
    return foreign_protocol::pessoa_rpc;
  return foreign_protocol::unknown;
}

const char* name_of(foreign_protocol protocol) {
  switch (protocol) {
  case foreign_protocol::http:
    return "HTTP";
  case foreign_protocol::http2:
    return "HTTP/2";
  case foreign_protocol::kafka:
    return "the Kafka protocol";
  case foreign_protocol::pessoa_rpc:
    return "Pessoa's RPC";
  case foreign_protocol::tls:
    return "TLS";
  case foreign_protocol::ssh:
    return "SSH";
  case foreign_protocol::unknown:
    break;
  }
  return "an unknown protocol";
}

std::string http_refusal(std::string_view what, std::string_view hint) {
  std::string body = "This port speaks " + std::string{what} + ", not HTTP.";
  if (!hint.empty()) body += " " + std::string{hint} + ".";
  body += "\n";
  return "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: "
         + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string quoted(byte_view data, size_t count) {
  static const char digits[] = "0123456789abcdef";
  std::string out = "'";
  for (auto byte : data.first(std::min(data.size(), count))) {
    if (byte >= 0x20 && byte < 0x7f && byte != '\'' && byte != '\\') {
      out += static_cast<char>(byte);
    } else {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return out + (data.size() > count ? "...'" : "'");
}

} // namespace pessoa::node
