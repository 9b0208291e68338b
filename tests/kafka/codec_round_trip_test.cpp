// Random messages of every API and version: there and back, cut short, with something behind, with bits turned.
#include "kafka/codec/drawer.hpp"
#include "kafka/codec/message.hpp"
#include "kafka/messages/all.hpp"
#include "tests/kafka/codec_tools.hpp"

#include <sstream>

using namespace pessoa;
using namespace pessoa::kafka;
using namespace pessoa::kafka::test;

namespace {

void require_refused(const error* refused, ec expected) {
  REQUIRE(refused != nullptr);
  REQUIRE(refused->code == expected);
}
template <class T>
void require_refused(const result<T>& got, ec expected = ec::malformed_message) {
  require_refused(got.ok() ? nullptr : &got.error(), expected);
}

std::string described(std::string_view name, int version, int message, uint64_t seed) {
  std::ostringstream out;
  out << name << " v" << version << ", message " << message << ", seed " << seed;
  return out.str();
}

// Calls each(version, message, its bytes) for random messages of every kind and version.
template <class F>
size_t for_random_messages(uint64_t seed, int of_each, F&& each) {
  seeded_random random{seed};
  drawer from{random};
  size_t count = 0;
  for_each_message([&]<class Message>() {
    for (int16_t version = Message::version_min; version <= Message::version_max; ++version)
      for (int i = 0; i < of_each; ++i, ++count) {
        Message drawn;
        drawn.draw(from, version);
        INFO(described(Message::message_name, version, i, seed));
        each(version, drawn, good(encode(drawn, version)));
      }
  });
  return count;
}

} // namespace

TEST_CASE("kafka: every message of every version comes back equal and encodes to the same bytes",
          "[kafka][codec]") {
  size_t bytes_in_all = 0;
  auto count = for_random_messages(20261120, 60,
                                   [&]<class Message>(int16_t version, const Message& drawn, encoded wire) {
                                     auto data = wire.joined();
                                     REQUIRE(data.size() == wire.size);
                                     auto back = good(decode<Message>(owned(data), version));
                                     require_same(back == drawn);
                                     require_same(good(encode(back, version)).joined() == data);
                                     bytes_in_all += data.size();
                                   });
  CHECK(count == 60 * 208);
  CHECK(bytes_in_all > 1'000'000);
}

TEST_CASE("kafka: a message that is cut off anywhere is an error", "[kafka][codec]") {
  for_random_messages(7, 4, [&]<class Message>(int16_t version, const Message&, const encoded& wire) {
    auto data = wire.joined();
    for (size_t size = 0; size < data.size(); ++size) {
      auto got =
          decode<Message>(owned({data.begin(), data.begin() + static_cast<std::ptrdiff_t>(size)}), version);
      INFO("cut to " << size << " of " << data.size());
      require_refused(got);
    }
  });
}

TEST_CASE("kafka: bytes behind a message are an error", "[kafka][codec]") {
  for_random_messages(8, 4, [&]<class Message>(int16_t version, const Message&, const encoded& wire) {
    auto data = wire.joined();
    data.push_back(0);
    auto got = decode<Message>(owned(data), version);
    require_refused(got);
  });
}

TEST_CASE("kafka: a message with bits turned is refused, or is another good message", "[kafka][codec]") {
  seeded_random random{9};
  size_t refused = 0, read = 0;
  for_random_messages(9, 30, [&]<class Message>(int16_t version, const Message&, const encoded& wire) {
    auto data = wire.joined();
    if (data.empty()) return;
    for (auto n = 1 + random.below(4); n > 0; --n)
      data[random.below(data.size())] ^= static_cast<uint8_t>(1u << random.below(8));
    auto got = decode<Message>(owned(data), version);
    if (!got.ok()) {
      require_refused(got);
      ++refused;
      return;
    }
    ++read;
    auto again = good(decode<Message>(owned(good(encode(*got, version)).joined()), version));
    require_same(again == *got);
  });
  CHECK(refused > 1000);
  CHECK(read > 1000);
}

TEST_CASE("kafka: a version outside of what the codec knows is told apart from bad bytes", "[kafka][codec]") {
  for_each_message([&]<class Message>() {
    for (int version : {Message::version_min - 1, Message::version_max + 1, INT16_MIN, INT16_MAX}) {
      INFO(Message::message_name << " v" << version);
      require_refused(decode<Message>({}, static_cast<int16_t>(version)), ec::unsupported_version);
      require_refused(encode(Message{}, static_cast<int16_t>(version)), ec::unsupported_version);
    }
  });
}

TEST_CASE("kafka: every message can be empty in every version", "[kafka][codec]") {
  for_each_message([&]<class Message>() {
    for (int16_t version = Message::version_min; version <= Message::version_max; ++version) {
      INFO(Message::message_name << " v" << version);
      // Null topics mean all, which version 0 says with an empty list.
      if (Message::message_name == "metadata_request" && version == 0) continue;
      auto data = good(encode(Message{}, version)).joined();
      require_same(good(decode<Message>(owned(data), version)) == Message{});
    }
  });
}
