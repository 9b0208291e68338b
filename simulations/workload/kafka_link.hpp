// One connection to a Kafka listener, held as a strict client holds it: requests numbered one after the other, answers in
// their order, each within its time, every byte of them with a meaning in the version that was asked for.
//
// A connection that breaks, or a request that is late, ends the link: whoever waits is answered with `disconnected` or
// `timed_out`, which says of none of them whether it was done. What no broker may send fails the world (checker
// "kafka_is_spoken_right").
//
// Everything inside the program's loop.
#pragma once

#include "kafka/codec/frame.hpp"
#include "kafka/messages/all.hpp"
#include "simulations/world/program.hpp"

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace pessoa::sim {

// Which answer belongs to which request.
template <class Request>
struct kafka_answer;
#define PESSOA_KAFKA_ANSWER(name)                                                                            \
  template <>                                                                                                \
  struct kafka_answer<kafka::name##_request> {                                                               \
    using type = kafka::name##_response;                                                                     \
  };
PESSOA_KAFKA_ANSWER(api_versions)
PESSOA_KAFKA_ANSWER(fetch)
PESSOA_KAFKA_ANSWER(init_producer_id)
PESSOA_KAFKA_ANSWER(list_offsets)
PESSOA_KAFKA_ANSWER(metadata)
PESSOA_KAFKA_ANSWER(produce)
#undef PESSOA_KAFKA_ANSWER
template <class Request>
using kafka_answer_of = typename kafka_answer<Request>::type;

class kafka_link {
public:
  kafka_link(program& in, kj::Own<kj::AsyncIoStream> stream, std::string client_id, world_time patience);
  KJ_DISALLOW_COPY(kafka_link);

  // The answer, or disconnected or timed_out. `extra` is what this request may take on purpose (a parked fetch).
  template <class Request>
  kj::Promise<result<kafka_answer_of<Request>>> ask(const Request& asked, int16_t version,
                                                    world_time extra = 0) {
    auto number = next_++;
    auto made = kafka::encode_request(asked, version, number, client_id_);
    PESSOA_ASSERT(made.ok(), made.error()); // a mistake of the workload
    return send(made->joined(), number, extra).then([this, version, number](result<bytes> got) {
      return read<Request>(std::move(got), version, number);
    });
  }

  // Resolves when the link has ended, after those who waited were answered. Once.
  kj::Promise<void> lost();
  [[nodiscard]] bool ended() const { return end_.has_value(); }

private:
  struct waiting {
    int32_t number;
    kj::TimePoint deadline;
    kj::Own<kj::PromiseFulfiller<result<bytes>>> answer;
  };

  template <class Request>
  result<kafka_answer_of<Request>> read(result<bytes> got, int16_t version, int32_t number) {
    if (!got) return got.error();
    auto read = kafka::decode_response<kafka_answer_of<Request>>(*got, version, number);
    if (!read) wrong(std::string{Request::message_name} + " is answered with " + to_string(read.error()));
    return read;
  }

  kj::Promise<result<bytes>> send(std::vector<uint8_t> message, int32_t number, world_time extra);
  kj::Promise<void> write_on();
  kj::Promise<void> read_on();
  kj::Promise<void> watch();
  void take(bytes message);
  void broken(const kj::Exception& e);
  void end(error why);
  void wrong(const std::string& what);

  program& in_;
  kj::Own<kj::AsyncIoStream> stream_;
  const std::string client_id_;
  const world_time patience_;
  int32_t next_ = 1;
  std::deque<waiting> waiting_; // in the order of their requests
  std::deque<std::vector<uint8_t>> unsent_;
  std::vector<uint8_t> sending_;
  bool writing_now_ = false;
  std::optional<error> end_;
  kj::PromiseFulfillerPair<void> lost_ = kj::newPromiseAndFulfiller<void>();
  kj::byte head_[4] = {};
  kj::Promise<void> writing_{kj::READY_NOW}, reading_{nullptr}, watching_{nullptr}; // last: they go first
};

} // namespace pessoa::sim
