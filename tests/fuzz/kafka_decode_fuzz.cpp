// Any bytes as any Kafka message of any version. Input: a mode, the number of a message, its version, then the bytes.
//
// Mode 0: the bytes are the body. Mode 1: they are a whole request, whose head says what it is. Mode 2: they draw a
// message, which must come back equal; what is left of them then damages its bytes.
//
// What must hold, beyond not crashing: what is decoded encodes in the same version, and decodes to the same again; a
// refusal is malformed_message; decoded values occupy no more than their bound; records lie inside the message.
#include "kafka/codec/drawer.hpp"
#include "kafka/codec/frame.hpp"
#include "kafka/messages/all.hpp"
#include "tests/fuzz/byte_source.hpp"

using namespace pessoa;
using namespace pessoa::kafka;

namespace {

constexpr decode_limits limits{1000, 4, 16 << 10};

// The fuzzer's bytes as a random source: eight a number, zeros behind their end.
class drawn_from final : public random_source {
public:
  explicit drawn_from(fuzz::byte_source& in) : in_(in) {}
  // The first byte counts most: below() looks at the high bits.
  uint64_t next() override { return uint64_t{in_.byte()} << 56; }

private:
  fuzz::byte_source& in_;
};

void check_inside(const std::optional<payload>& records, byte_view message) {
  if (!records || records->empty()) return;
  PESSOA_ASSERT(records->view().data() >= message.data()
                && records->view().data() + records->size() <= message.data() + message.size());
}

template <class Message>
void check_again(const Message& read, int16_t version) {
  auto wire = encode(read, version);
  PESSOA_ASSERT(wire.ok(), to_string(wire.error()));
  auto data = wire->joined();
  PESSOA_ASSERT(data.size() == wire->size);
  auto back = decode<Message>(bytes::copy(data), version);
  PESSOA_ASSERT(back.ok(), to_string(back.error()));
  PESSOA_ASSERT(*back == read);
  PESSOA_ASSERT(encode(*back, version)->joined() == data);
}

template <class Message>
void check_body(const bytes& body, int16_t version) {
  reader in{body, limits};
  Message read;
  read.decode(in, version);
  PESSOA_ASSERT(in.memory() <= limits.memory_allowance + limits.memory_factor * body.size(), in.memory());
  if (auto done = in.finish(); !done.ok()) {
    PESSOA_ASSERT(done.error().code == ec::malformed_message, to_string(done.error()));
    return;
  }
  if constexpr (std::is_same_v<Message, produce_request>)
    for (auto& topic : read.topics)
      for (auto& partition : topic.partitions)
        check_inside(partition.records, body.view());
  check_again(read, version);
}

// Calls what<Message>(version) for one of all messages, in one of its versions.
template <class F>
void with_message(uint8_t number, uint8_t version, F&& what) {
  int count = 0, at = 0;
  for_each_message([&]<class Message>() { ++count; });
  for_each_message([&]<class Message>() {
    if (at++ == number % count)
      what.template operator()<Message>(static_cast<int16_t>(
          Message::version_min + version % (Message::version_max - Message::version_min + 1)));
  });
}

template <class Message>
constexpr bool is_request = Message::message_name.ends_with("_request");

void check_request(const bytes& message) {
  auto head = read_request_head(message);
  if (!head.ok()) {
    PESSOA_ASSERT(head.error().code == ec::malformed_message);
    return;
  }
  if (!head->version_known) return;
  for_each_message([&]<class Message>() {
    if constexpr (is_request<Message>) {
      if (head->api->key == Message::message_key)
        check_body<Message>(message.slice(head->body_begin, message.size() - head->body_begin),
                            head->version);
    }
  });
}

template <class Message>
void check_drawn(fuzz::byte_source& in, int16_t version) {
  Message drawn;
  drawn_from random{in};
  drawer from{random};
  drawn.draw(from, version);
  check_again(drawn, version);
  auto data = encode(drawn, version)->joined();
  if (data.empty()) return;
  for (int i = 0; i < 4; ++i)
    data[in.number() % data.size()] ^= in.byte();
  check_body<Message>(bytes::take(std::move(data)), version);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::byte_source in{data, size};
  uint8_t mode = in.byte(), number = in.byte(), version = in.byte();
  if (mode % 3 == 1) {
    check_request(bytes::take(fuzz::exact(in.rest())));
  } else if (mode % 3 == 2) {
    with_message(number, version, [&]<class Message>(int16_t v) { check_drawn<Message>(in, v); });
  } else {
    auto body = bytes::take(fuzz::exact(in.rest()));
    with_message(number, version, [&]<class Message>(int16_t v) { check_body<Message>(body, v); });
  }
  return 0;
}
