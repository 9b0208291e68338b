#include "simulations/workload/hostile_bytes.hpp"

#include "kafka/codec/frame.hpp"
#include "kafka/codec/promises.hpp"
#include "kafka/messages/all.hpp"
#include "schema/record_batch.hpp"
#include "schema/wire/client.capnp.h"
#include "simulations/world/streams.hpp"

#include <capnp/message.h>
#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>

#include <algorithm>

namespace pessoa::sim {

namespace {

constexpr size_t noise_bytes_max = 4096;

template <class T>
T pick(random_source& random, std::initializer_list<T> from) {
  return *(from.begin() + static_cast<ptrdiff_t>(random.below(from.size())));
}

void append(raw_bytes& to, const raw_bytes& more) { to.insert(to.end(), more.begin(), more.end()); }

// -- Kafka ---

template <class Request>
raw_bytes kafka_frame(random_source& random, const Request& asked) {
  auto promise = kafka::promised(Request::message_key);
  auto lowest = std::max<int16_t>(promise.min, Request::message_key == kafka::api_key::produce ? 3 : 0);
  auto version = static_cast<int16_t>(between(random, lowest, promise.max));
  auto number = static_cast<int32_t>(random.below(1 << 20));
  auto made = kafka::encode_request(asked, version, number, "hostile");
  PESSOA_ASSERT(made.ok(), made.error());
  return made->joined();
}

kafka::produce_request bad_produce(random_source& random, const std::vector<std::string>& topics) {
  batch_builder builder;
  record_view record;
  record.time = timestamp{1'700'000'000'000};
  record.value = as_bytes("nobody may read this");
  builder.add(record);
  auto batch = builder.finish();
  auto header = parse_batch_header(batch);
  header->crc = ~header->crc;
  write_batch_header(batch.data(), *header);
  kafka::produce_request out;
  out.acks = pick<int16_t>(random, {-1, 0, 1});
  out.timeout_ms = 1000;
  out.topics.emplace_back().name = topics[random.below(topics.size())];
  out.topics.back().partitions.emplace_back().records = kafka::payload{bytes::take(std::move(batch))};
  return out;
}

raw_bytes kafka_request(random_source& random, const std::vector<std::string>& topics) {
  switch (random.below(4)) {
  case 0: {
    kafka::api_versions_request asked;
    asked.client_software_name = "hostile";
    asked.client_software_version = "1";
    return kafka_frame(random, asked);
  }
  case 1: {
    kafka::metadata_request asked;
    asked.topics.emplace().emplace_back().name = topics[random.below(topics.size())];
    asked.allow_auto_topic_creation = true; // versions before 4 cannot say anything else
    return kafka_frame(random, asked);
  }
  case 2:
    return kafka_frame(random, bad_produce(random, topics));
  default:
    return hungry_request(random, topics);
  }
}

// -- Cap'n Proto's RPC ---

raw_bytes flat(capnp::MessageBuilder& message) {
  auto words = capnp::messageToFlatArray(message);
  auto all = words.asBytes();
  return {all.begin(), all.end()};
}

raw_bytes rpc_bootstrap() {
  capnp::MallocMessageBuilder message;
  message.initRoot<capnp::rpc::Message>().initBootstrap().setQuestionId(0);
  return flat(message);
}

raw_bytes rpc_login(random_source& random) {
  capnp::MallocMessageBuilder message;
  auto call = message.initRoot<capnp::rpc::Message>().initCall();
  call.setQuestionId(1);
  call.initTarget().initPromisedAnswer().setQuestionId(0);
  call.setInterfaceId(capnp::typeId<wire::Bootstrap>());
  call.setMethodId(0);
  auto hello = call.initParams().getContent().initAs<wire::Bootstrap::LoginParams>().initHello();
  hello.setProtocol(1);
  hello.setClientId("hostile");
  hello.setSoftware(pick<const char*>(random, {"pessoa-cpp 0.1.0", "", "hostile"}));
  return flat(message);
}

// A method of something that may not be there.
raw_bytes rpc_call(random_source& random) {
  capnp::MallocMessageBuilder message;
  auto call = message.initRoot<capnp::rpc::Message>().initCall();
  call.setQuestionId(2);
  auto target = call.initTarget().initPromisedAnswer();
  target.setQuestionId(static_cast<uint32_t>(random.below(4)));
  if (chance(random, 50)) target.initTransform(1)[0].setGetPointerField(0);
  call.setInterfaceId(chance(random, 50) ? capnp::typeId<wire::Session>() : random.next());
  call.setMethodId(static_cast<uint16_t>(random.below(8)));
  call.initParams();
  return flat(message);
}

raw_bytes rpc_request(random_source& random) {
  auto out = rpc_bootstrap();
  append(out, rpc_login(random));
  if (chance(random, 50)) append(out, rpc_call(random));
  return out;
}

// -- HTTP ---

// Not for /metrics: they tell of the real process, and no two runs would be the same.
raw_bytes http_request(random_source& random) {
  std::string text = pick<const char*>(random, {"GET /readyz", "GET /livez", "HEAD /", "POST /readyz"});
  text += " HTTP/1.1\r\nHost: node\r\n\r\n";
  return {text.begin(), text.end()};
}

} // namespace

// -- ports ---

hostile_port draw_port(random_source& random) {
  return pick(random, {hostile_port::rpc, hostile_port::kafka, hostile_port::kafka, hostile_port::http});
}

hostile_port other_port(random_source& random, hostile_port than) {
  auto out = than;
  while (out == than)
    out = draw_port(random);
  return out;
}

// -- what is said ---

raw_bytes valid_request(random_source& random, hostile_port port, const std::vector<std::string>& topics) {
  switch (port) {
  case hostile_port::rpc:
    return rpc_request(random);
  case hostile_port::http:
    return http_request(random);
  case hostile_port::kafka:
    break;
  }
  return kafka_request(random, topics);
}

raw_bytes hungry_request(random_source& random, const std::vector<std::string>& topics) {
  kafka::fetch_request asked;
  asked.max_wait_ms = pick(random, {0, 500, 30'000});
  asked.min_bytes = pick(random, {0, 1, 1 << 30});
  for (auto& name : topics) {
    auto& topic = asked.topics.emplace_back();
    topic.topic = name;
    for (int32_t i = 0; i < 8; ++i) {
      auto& partition = topic.partitions.emplace_back();
      partition.partition = i;
      partition.partition_max_bytes = 1 << 30;
    }
  }
  return kafka_frame(random, asked);
}

raw_bytes noise(random_source& random) {
  raw_bytes out(static_cast<size_t>(between(random, 1, noise_bytes_max)));
  for (auto& byte : out)
    byte = static_cast<uint8_t>(random.next());
  return out;
}

raw_bytes damaged(random_source& random, raw_bytes request) {
  if (chance(random, 30))
    request.resize(static_cast<size_t>(between(random, 1, static_cast<int64_t>(request.size()))));
  for (auto flips = between(random, 1, 8); flips > 0; --flips) {
    auto bit = random.below(request.size() * 8);
    request[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
  }
  return request;
}

raw_bytes lying(random_source& random, hostile_port port) {
  raw_bytes out;
  auto put_be = [&out](int32_t x) {
    out.resize(out.size() + 4);
    store_be(out.data() + out.size() - 4, x);
  };
  auto put_le = [&out](uint32_t x) {
    for (int i = 0; i < 4; ++i)
      out.push_back(static_cast<uint8_t>(x >> 8 * i));
  };
  switch (port) {
  case hostile_port::kafka:
    put_be(pick<int32_t>(random, {-1, INT32_MIN, 0, 1, 7, 8, 100, 1 << 20, 16 << 20, 100 << 20, INT32_MAX}));
    break;
  case hostile_port::rpc: // segments less one, and the first one's words
    put_le(pick<uint32_t>(random, {0, 0, 1, 15, 16, 511, 1u << 20, UINT32_MAX}));
    put_le(pick<uint32_t>(random, {0, 1, 1000, 1u << 17, 1u << 20, 1u << 29, UINT32_MAX}));
    break;
  case hostile_port::http: {
    std::string text = "POST /readyz HTTP/1.1\r\nContent-Length: ";
    text += pick<const char*>(random, {"-1", "0", "18446744073709551616", "4000000000", "1e9"});
    text += "\r\n\r\n";
    out.assign(text.begin(), text.end());
    break;
  }
  }
  append(out, noise(random));
  return out;
}

} // namespace pessoa::sim
