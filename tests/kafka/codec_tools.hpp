// Verbs for tests of the codec: bytes from hex and text, and errors that say what was expected.
#pragma once

#include "kafka/codec/message.hpp"
#include "tests/schema/batch_tools.hpp"

#include <catch2/catch.hpp>

namespace pessoa::kafka::test {

using pessoa::test::from_hex;
using raw = std::vector<uint8_t>;

// "0003 'abc' ff": hex, and text between quotes.
inline raw message(std::string_view text) {
  raw out;
  while (!text.empty()) {
    auto quote = text.find('\'');
    auto hex = from_hex(text.substr(0, quote));
    out.insert(out.end(), hex.begin(), hex.end());
    if (quote == std::string_view::npos) break;
    auto end = text.find('\'', quote + 1);
    REQUIRE(end != std::string_view::npos);
    out.insert(out.end(), text.begin() + quote + 1, text.begin() + end);
    text.remove_prefix(end + 1);
  }
  return out;
}

inline bytes owned(raw data) { return bytes::take(std::move(data)); }

// What Catch2 makes of an assertion is large: below, and in tests that do something for every message, none depends on a type.
inline void require_good(const error* refused) {
  if (refused != nullptr) FAIL(to_string(*refused));
}
inline void require_same(bool same) { REQUIRE(same); }

template <class T>
T good(result<T> got) {
  require_good(got.ok() ? nullptr : &got.error());
  return std::move(got).value();
}

// The message has exactly these bytes, and they mean exactly this message.
template <class Message>
void check_bytes(const Message& meant, int16_t version, const raw& expected) {
  CHECK(good(encode(meant, version)).joined() == expected);
  require_same(good(decode<Message>(owned(expected), version)) == meant);
}

} // namespace pessoa::kafka::test
