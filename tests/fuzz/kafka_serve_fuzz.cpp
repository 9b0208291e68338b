// Any requests to the Kafka service, over a node that answers as the input says. Input: choices for the node, then frames,
// each a length byte pair and its bytes.
//
// What must hold, beyond not crashing: every request comes to an end when time passes, or its client goes; it is answered
// or closed, and neither only with acks=0; an answer is one whole frame that decodes in its version and carries the request's number; a
// batch that reaches a partition lies in its request, whole and valid; nothing stays reserved when all answers are gone.
#include "kafka/codec/frame.hpp"
#include "kafka/codec/promises.hpp"
#include "kafka/messages/all.hpp"
#include "kafka/server.hpp"
#include "tests/fuzz/byte_source.hpp"
#include "tests/kafka/scripted_gateway.hpp"

using namespace pessoa;
using namespace pessoa::kafka;
using pessoa::kafka::test::scripted_gateway;

namespace {

constexpr duration longest = std::chrono::minutes{11}; // beyond every wait a client can ask for

struct node_choices {
  uint8_t fetch = 0, produce = 0, other = 0;
};

template <class T>
result<T> outcome_of(uint8_t choice, T good) {
  auto& errors = all_errors();
  if (choice < 128) return good;
  auto code = errors[1 + choice % (errors.size() - 1)].code;
  return error{code, "chosen"};
}

void check_batch(const request_frame& frame, const actors::produce_command& command) {
  auto* begin = frame.data.get();
  auto size = command.facts.header.size();
  PESSOA_ASSERT(command.batch.get() >= begin && command.batch.get() + size <= begin + frame.size);
  PESSOA_ASSERT(command.charge != nullptr);
  auto again = validate_batch({command.batch.get(), size}, batch_limits{});
  PESSOA_ASSERT(again.ok(), to_string(again.error()));
}

void set_up(scripted_gateway::script& s, const node_choices& choices, const request_frame* const& current) {
  s.creates = (choices.other & 1) != 0;
  s.room = (choices.other & 2) == 0;
  s.add_topic("t", 3);
  s.add_topic("u", 1, 2);
  s.on_produce = [&current, choices](partition_id, actors::produce_command& command) {
    check_batch(*current, command);
    std::memset(command.batch.get(), 0xff, batch_header_size); // as a partition may stamp it
    return outcome_of(choices.produce, protocol::produced{offset{7}});
  };
  s.on_fetch = [&s, choices](partition_id index,
                             actors::fetch_command& asked) -> kj::Promise<result<actors::fetched>> {
    actors::fetched out;
    out.next = asked.from;
    out.high_watermark = offset{choices.fetch & 7};
    bool has_data = asked.from < out.high_watermark && (choices.fetch >> 3 & 1) == 0;
    auto size = std::min<size_t>(has_data ? 100u << (index.value() % 8) : 0, asked.bytes_max);
    if (size > 0) {
      out.batches = bytes::take(std::vector<uint8_t>(size));
      out.charge = scripted_gateway{{&s, [](auto*) {}}}.reserve_reply(size);
    }
    bool parks = size < asked.bytes_min && asked.deadline > s.clock.now() && (choices.fetch & 16) == 0;
    auto answer = outcome_of(choices.fetch, std::move(out));
    if (!parks) return answer;
    return s.loop.timer()
        .afterDelay((asked.deadline - s.clock.now()).count() * kj::NANOSECONDS)
        .then([answer = std::move(answer)]() mutable { return std::move(answer); });
  };
  s.on_offset = [choices](auto&&...) { return outcome_of(choices.other, actors::offset_answer{}); };
  s.on_epoch = [choices](auto&&...) {
    return outcome_of(choices.other, protocol::epoch_end{leader_epoch{choices.fetch & 3}, offset{4}});
  };
  s.on_change = [choices](auto&&...) { return outcome_of(choices.other, actors::committed_change{}); };
  s.on_id = [choices] { return outcome_of(choices.other, producer_id{9}); };
}

template <class Response>
void check_response(const bytes& message, int16_t version, int32_t correlation_id) {
  decode_limits generous;
  generous.memory_allowance = 64u << 20;
  auto read = decode_response<Response>(message, version, correlation_id, generous);
  PESSOA_ASSERT(read.ok(), to_string(read.error()));
}

void check_answer(const answer& a, const request_head& head) {
  if (!a.message) {
    PESSOA_ASSERT(a.close || head.key == static_cast<int16_t>(api_key::produce), head.key);
    return;
  }
  auto all = a.message->joined();
  PESSOA_ASSERT(all.size() == a.message->size && all.size() >= 8);
  PESSOA_ASSERT(load_be<int32_t>(all.data()) == static_cast<int32_t>(all.size() - 4));
  auto message = bytes::copy(byte_view{all}.subspan(4));
  for_each_message([&]<class Message>() {
    if constexpr (requires { Message::message_key; } && Message::message_name.ends_with("_response")) {
      if (static_cast<int16_t>(Message::message_key) != head.key) return;
      auto promised_versions = promised(Message::message_key);
      // Only ApiVersions answers what is not promised, in version 0.
      auto version = promised_versions.contains(head.version) ? head.version : int16_t{0};
      check_response<Message>(message, version, head.correlation_id);
    }
  });
}

class quiet_log final : public log_sink {
public:
  void write(log_level, std::string_view, std::string_view line) override {
    PESSOA_ASSERT(false, line); // only bugs are logged
  }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::byte_source in{data, size};
  node_choices choices{in.byte(), in.byte(), in.byte()};
  node::test_loop loop;
  auto s = std::make_shared<scripted_gateway::script>(loop);
  const request_frame* current = nullptr;
  set_up(*s, choices, current);
  quiet_log log;
  service_options options;
  options.log = &log;
  auto served = make_service(std::move(options));
  auto from = std::make_shared<caller>();
  from->peer = "peer";
  from->reached = {"127.0.0.1", 9092};
  from->to = std::make_unique<scripted_gateway>(s);
  for (int i = 0; i < 4; ++i) {
    auto part = fuzz::exact(in.take(in.number()));
    if (part.empty()) break;
    request_frame frame;
    frame.size = part.size();
    frame.data = std::shared_ptr<uint8_t[]>(new uint8_t[part.size()]);
    std::memcpy(frame.data.get(), part.data(), part.size());
    frame.charge = std::make_shared<int>(0);
    auto head = read_request_head(bytes::copy(byte_view{part}));
    auto kept = frame;
    current = &kept;
    std::optional<answer> got;
    auto waiting = served->serve(from, std::move(frame))
                       .then([&got](answer&& a) { got = kj::mv(a); })
                       .eagerlyEvaluate(nullptr);
    loop.run();
    if (!got && (choices.other & 4) != 0) { // the client goes
      waiting = nullptr;
      loop.run();
      continue;
    }
    for (int n = 0; n < 40 && !got; ++n)
      s->pass(n < 20 ? std::chrono::seconds{1} : longest);
    PESSOA_ASSERT(got.has_value());
    if (head) check_answer(*got, *head);
    PESSOA_ASSERT(head.ok() || got->close.has_value());
  }
  from->to.reset();
  loop.run();
  PESSOA_ASSERT(s->reserved == 0, s->reserved);
  s->on_fetch = nullptr; // it refers to the script
  return 0;
}
