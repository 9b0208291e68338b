// A Kafka listener before a service that does what a request says, in one thread and virtual time; and its peers.
//
// A request is key, version, correlation id (Kafka's head without a client id) and a number; an answer is the length, the
// correlation id, and as many bytes as the number says.
#pragma once

#include "node/kafka_listener.hpp"
#include "schema/endian.hpp"
#include "tests/support/one_thread_network.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <set>

namespace pessoa::test {

enum class act : int16_t {
  answer,    // at once
  park,      // answers when the test says so
  stay_mute, // no answer, as acks=0
  answer_and_close,
  close,    // no answer either
  throttle, // answers, and is not read for as many milliseconds as the number says
  reject,   // a bug in a handler
  throw_it, // another
};

using blob = std::vector<uint8_t>;

inline blob request_of(act what, int32_t id, uint32_t number = 0, size_t padding = 0) {
  blob out(16 + padding, 0x5a);
  store_be(out.data(), static_cast<int32_t>(out.size() - 4));
  store_be(out.data() + 4, static_cast<int16_t>(what));
  store_be(out.data() + 6, int16_t{0});
  store_be(out.data() + 8, id);
  store_be(out.data() + 12, number);
  return out;
}

struct no_gateway final : kafka::gateway {
  std::shared_ptr<const actors::routing_snapshot> routes() const override { return nullptr; }
  const clock& time() const override { PESSOA_ASSERT(false); }
  node_id self() const override { return node_id{7}; }
  bool auto_create() const override { return false; }
  int32_t default_partitions() const override { return 1; }
  std::shared_ptr<void> reserve_reply(size_t) override { return nullptr; }
  kj::Promise<void> after(duration) override { return kj::NEVER_DONE; }
  template <class T>
  static kj::Promise<T> never() {
    return kj::NEVER_DONE;
  }
  kj::Promise<result<protocol::produced>> produce(const topic_id&, partition_id,
                                                  std::shared_ptr<actors::produce_command>) override {
    return kj::NEVER_DONE;
  }
  kj::Promise<result<actors::fetched>> fetch(const topic_id&, partition_id,
                                             std::shared_ptr<actors::fetch_command>) override {
    return kj::NEVER_DONE;
  }
  kj::Promise<result<actors::offset_answer>> find_offset(const topic_id&, partition_id,
                                                         std::shared_ptr<actors::offset_query>) override {
    return kj::NEVER_DONE;
  }
  kj::Promise<result<actors::committed_change>> create_topic(protocol::create_topic_request) override {
    return kj::NEVER_DONE;
  }
  kj::Promise<result<actors::committed_change>> delete_topic(std::string) override { return kj::NEVER_DONE; }
  kj::Promise<result<actors::committed_change>> delete_topic(topic_id) override { return kj::NEVER_DONE; }
  kj::Promise<result<protocol::epoch_end>> find_epoch_end(const topic_id&, partition_id,
                                                          std::shared_ptr<actors::epoch_query>) override {
    return kj::NEVER_DONE;
  }
  kj::Promise<kafka::creation_errors> create_topics(std::set<std::string>, instant) override {
    return kj::NEVER_DONE;
  }
  kj::Promise<void> all_ready() override { return kj::READY_NOW; }
  kj::Promise<result<producer_id>> new_producer_id() override { return kj::NEVER_DONE; }
};

// What is counted is counted on several loops; what is parked belongs to one-thread tests.
class told_service final : public kafka::service {
public:
  ~told_service() noexcept(false) override {}

  kj::Promise<kafka::answer> serve(const std::shared_ptr<kafka::caller>& from,
                                   kafka::request_frame frame) override {
    ++served;
    auto what = static_cast<act>(load_be<int16_t>(frame.data.get()));
    auto id = load_be<int32_t>(frame.data.get() + 4);
    auto number = load_be<uint32_t>(frame.data.get() + 8);
    switch (what) {
    case act::park: {
      last = from;
      auto made = kj::newPromiseAndFulfiller<kafka::answer>();
      parked[id] = kj::mv(made.fulfiller);
      ++alive;
      return made.promise.attach(kj::defer([this] { --alive; }), std::move(frame.charge));
    }
    case act::stay_mute:
      return kafka::answer{};
    case act::close:
      return kafka::answer{std::nullopt, {}, error{ec::unsupported_version, "no such key"}, {}};
    case act::reject:
      return kj::Exception{kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::str("on purpose")};
    case act::throw_it:
      throw std::runtime_error("on purpose");
    case act::throttle: {
      auto out = answer_of(id, 0);
      out.mute = std::chrono::milliseconds{number};
      return out;
    }
    case act::answer_and_close: {
      auto out = answer_of(id, number);
      out.close = error{ec::denied, "after this answer"};
      return out;
    }
    case act::answer:
      break;
    }
    return answer_of(id, number);
  }

  void let_go(int32_t id, uint32_t number = 0) {
    auto found = parked.find(id);
    PESSOA_ASSERT(found != parked.end(), id);
    found->second->fulfill(answer_of(id, number));
    parked.erase(found);
  }

  // In several pieces, as handlers send record bytes; a place in a budget goes with it.
  kafka::answer answer_of(int32_t id, uint32_t size) {
    blob head(8);
    store_be(head.data(), static_cast<int32_t>(4 + size));
    store_be(head.data() + 4, id);
    kafka::encoded out;
    out.size = 8 + size;
    out.pieces.push_back(bytes::take(std::move(head)));
    for (size_t left = size; left > 0;) {
      auto piece = std::min<size_t>(left, 100'000);
      out.pieces.push_back(bytes{filling, byte_view{*filling}.first(piece)});
      left -= piece;
    }
    ++charged;
    std::shared_ptr<void> charge{nullptr, [this](void*) { --charged; }};
    return {std::move(out), {std::move(charge)}, std::nullopt, {}};
  }

  std::atomic<int> served{0}, charged{0};
  int alive = 0; // parked requests whose promise somebody holds
  std::map<int32_t, kj::Own<kj::PromiseFulfiller<kafka::answer>>> parked;
  std::shared_ptr<kafka::caller> last;
  std::shared_ptr<const blob> filling = std::make_shared<const blob>(100'000, uint8_t{0xab});
};

struct kafka_served {
  one_thread_network net;
  std::vector<std::shared_ptr<io_loop>> loops{net.make_loop("net-0"), net.make_loop("net-1")};
  std::shared_ptr<node::byte_budget> all = node::byte_budget::make(256 << 20);
  node::kafka_listener_budgets budgets = node::kafka_listener_budgets::of(all);
  std::shared_ptr<told_service> service = std::make_shared<told_service>();
  std::vector<error> refused;
  int opened = 0, closed = 0;
  std::unique_ptr<node::stream_listener> listener;

  explicit kafka_served(node::kafka_listener_options options = {}) {
    node::stream_listener_hooks hooks;
    hooks.opened = [this](auto&) { ++opened; };
    hooks.closed = [this](auto&) { ++closed; };
    hooks.refused = [this](const std::string&, const error& why) { refused.push_back(why); };
    listener = node::serve_kafka(
        *net.listen("127.0.0.1", 9092), loops, budgets, service,
        [](io_loop&) { return std::make_unique<no_gateway>(); }, options, std::move(hooks));
    net.run();
  }
  ~kafka_served() {
    listener.reset();
    net.run();
  }
  // Event by event.
  void pass(duration span) {
    for (net.run(); span.count() > 0; net.run()) {
      auto step = std::min(span, net.until_next_timer().value_or(span));
      net.pass(step);
      span -= step;
    }
  }
  [[nodiscard]] size_t held() const {
    return all->now().used + budgets.first_small->now().used + budgets.first_large->now().used;
  }
  void check_that_nothing_is_left() {
    CHECK(listener->now().connections == 0);
    CHECK(listener->now().unanswered == 0);
    CHECK(opened == closed);
    CHECK(service->alive == 0);
    CHECK(service->charged == 0);
    CHECK(held() == 0);
  }
};

struct kafka_peer {
  explicit kafka_peer(kafka_served& to, bool listens = true) : to(to), stream(to.net.connect(9092)) {
    if (listens) listen();
  }
  kafka_served& to;
  kj::Own<kj::AsyncIoStream> stream;
  blob received;
  bool ended = false;
  kj::Promise<void> writing = kj::READY_NOW, reading = nullptr;

  void listen() {
    reading = read_more().eagerlyEvaluate([this](kj::Exception&&) { ended = true; });
    to.net.run();
  }
  // Takes `size` bytes, and no more.
  void take(size_t size) {
    auto buffer = kj::heapArray<kj::byte>(size);
    auto began = received.size();
    reading = stream->tryRead(buffer.begin(), size, size)
                  .then([this, buffer = kj::mv(buffer)](size_t n) {
                    received.insert(received.end(), buffer.begin(), buffer.begin() + n);
                  })
                  .eagerlyEvaluate(nullptr);
    to.net.run();
    REQUIRE(received.size() == began + size);
  }
  kafka_peer& send(blob data) {
    auto kept = std::make_unique<blob>(std::move(data));
    auto next = writing.then([this, kept = kept.get()] { return stream->write(kept->data(), kept->size()); });
    writing = next.attach(kj::mv(kept)).catch_([](kj::Exception&&) {}).eagerlyEvaluate(nullptr);
    to.net.run();
    return *this;
  }
  void hang_up() {
    reading = nullptr;
    writing = nullptr;
    stream = nullptr;
    to.net.run();
  }
  // The correlation ids of the answers that came, each whole.
  std::vector<int32_t> answers() const {
    std::vector<int32_t> out;
    for (size_t at = 0; received.size() - at >= 8;) {
      auto size = static_cast<size_t>(load_be<int32_t>(received.data() + at));
      if (received.size() - at < 4 + size) break;
      out.push_back(load_be<int32_t>(received.data() + at + 4));
      at += 4 + size;
    }
    return out;
  }

private:
  kj::Promise<void> read_more() {
    auto buffer = kj::heapArray<kj::byte>(64 << 10);
    auto reading = stream->tryRead(buffer.begin(), 1, buffer.size());
    return reading.then([this, buffer = kj::mv(buffer)](size_t n) -> kj::Promise<void> {
      received.insert(received.end(), buffer.begin(), buffer.begin() + n);
      if (n > 0) return read_more();
      ended = true;
      return kj::READY_NOW;
    });
  }
};

} // namespace pessoa::test
