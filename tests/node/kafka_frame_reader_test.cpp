#include "node/kafka_frame_reader.hpp"
#include "schema/endian.hpp"
#include "tests/node/test_loop.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::node;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

using blob = std::vector<uint8_t>;

blob length_of(int32_t size) {
  blob out(4);
  store_be(out.data(), size);
  return out;
}
blob body_of(size_t size, uint8_t seed) {
  blob out(size);
  for (size_t i = 0; i < size; ++i)
    out[i] = static_cast<uint8_t>(seed + i * 7);
  return out;
}
blob operator+(blob a, const blob& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
blob frame_of(size_t size, uint8_t seed = 1) {
  return length_of(static_cast<int32_t>(size)) + body_of(size, seed);
}
blob part(const blob& of, size_t begin, size_t end) { return {of.begin() + begin, of.begin() + end}; }

constexpr size_t buffer = kafka_frame_reader::buffer_bytes;
constexpr size_t largest_small = buffer - 4;

// A reader on one end of a pipe, the hostile world on the other.
struct gate {
  test_loop loop;
  kj::TwoWayPipe pipe = kj::newTwoWayPipe();
  kafka_request_budgets budgets{byte_budget::make(1 << 20), byte_budget::make(4 << 20),
                                byte_budget::make(1 << 20), byte_budget::make(32 << 20)};
  stream_traffic traffic;
  kj::Promise<void> writing = kj::READY_NOW;
  kj::Own<kj::AsyncIoStream> ours = kj::mv(pipe.ends[0]), world = kj::mv(pipe.ends[1]);
  kafka_frame_reader reader;
  kj::Promise<void> reading = nullptr;
  std::optional<result<std::optional<kafka_frame>>> got;

  explicit gate(const kafka_frame_options& options = {}) : reader(*ours, loop, options, budgets, traffic) {}
  ~gate() {
    reading = nullptr;
    writing = nullptr;
  }

  gate& send(blob data) {
    auto kept = std::make_unique<blob>(std::move(data));
    auto next = writing.then([this, kept = kept.get()] { return world->write(kept->data(), kept->size()); });
    writing = next.attach(kj::mv(kept)).catch_([](kj::Exception&&) {}).eagerlyEvaluate(nullptr);
    loop.run();
    return *this;
  }
  gate& hang_up() {
    writing = writing.then([this] { world->shutdownWrite(); }).eagerlyEvaluate(nullptr);
    loop.run();
    return *this;
  }
  gate& next() {
    got.reset();
    reading = reader.next().then([this](auto outcome) { got = std::move(outcome); }).eagerlyEvaluate(nullptr);
    loop.run();
    return *this;
  }
  [[nodiscard]] bool pending() const { return !got; }
  [[nodiscard]] bool at_end() const { return got && got->ok() && !**got; }
  blob body() {
    REQUIRE(got);
    REQUIRE(got->ok());
    REQUIRE(**got);
    auto& frame = ***got;
    return {frame.data.get(), frame.data.get() + frame.size};
  }
  error failure() {
    REQUIRE(got);
    REQUIRE_FALSE(got->ok());
    return got->error();
  }
  [[nodiscard]] size_t held() const {
    return budgets.first_small->now().used + budgets.first_large->now().used + budgets.small->now().used
           + budgets.large->now().used;
  }
};

} // namespace

TEST_CASE("kafka_frame_reader: requests pass unchanged, cut at every byte", "[node][kafka]") {
  std::vector<size_t> sizes{8, 100, largest_small, largest_small + 1, 9, 5000, 8};
  blob stream;
  for (size_t i = 0; i < sizes.size(); ++i)
    stream = stream + frame_of(sizes[i], static_cast<uint8_t>(i));
  for (size_t cut = 0; cut <= stream.size(); cut += cut < 300 ? 1 : 37) {
    CAPTURE(cut);
    gate g;
    g.send(part(stream, 0, cut));
    bool rest_sent = false;
    for (size_t at = 0; at < sizes.size(); ++at) {
      g.next();
      if (g.pending() && !std::exchange(rest_sent, true)) g.send(part(stream, cut, stream.size()));
      REQUIRE(g.body() == body_of(sizes[at], static_cast<uint8_t>(at)));
    }
    g.got.reset();
    g.hang_up().next();
    REQUIRE(g.at_end());
    REQUIRE(g.held() == 0);
    REQUIRE(g.traffic.read == stream.size());
    REQUIRE(g.traffic.messages == sizes.size());
  }
}

TEST_CASE("kafka_frame_reader: a length is judged before anything is taken for it", "[node][kafka]") {
  struct lie {
    int32_t length;
    const char* answer;
    ec code;
  };
  auto before = GENERATE(true, false);
  CAPTURE(before);
  for (auto& l : std::vector<lie>{{-1, "a request of -1 bytes", ec::malformed_message},
                                  {INT32_MIN, "a request of -2147483648 bytes", ec::malformed_message},
                                  {7, "at least 8 are its head", ec::malformed_message},
                                  {INT32_MAX, "a request of 2147483647 bytes", ec::message_too_large},
                                  {(16 << 20) + 1, "a request of 16777217 bytes", ec::message_too_large}}) {
    CAPTURE(l.length);
    gate g;
    if (!before) g.reader.set_known();
    g.send(frame_of(20)).next();
    g.body();
    g.send(length_of(l.length)).next();
    CHECK(g.failure().code == l.code);
    CHECK_THAT(g.failure().message, Catch::Contains(l.answer));
    g.got.reset();
    CHECK(g.held() == 0);
    CHECK(g.budgets.large->now().high_water + g.budgets.first_large->now().high_water == 0);
  }
}

TEST_CASE("kafka_frame_reader: the first request may be as large as any, from a budget of strangers", "[node][kafka]") {
  gate g;
  SECTION("too large") {
    g.send(length_of((16 << 20) + 1) + body_of(buffer, 1)).next();
    CHECK(g.failure().code == ec::message_too_large);
    CHECK_THAT(g.failure().message, Catch::Contains("at most 16777216 are taken before the first answer"));
  }
  SECTION("before") {
    g.send(frame_of(16 << 20)).next();
    CHECK(g.body().size() == 16 << 20);
    CHECK(g.budgets.first_large->now().used == (16 << 20) + request_overhead_bytes);
    CHECK(g.budgets.large->now().used == 0);
  }
  SECTION("after") {
    g.reader.set_known();
    g.send(frame_of(16 << 20)).next();
    CHECK(g.body().size() == 16 << 20);
    CHECK(g.budgets.large->now().used == (16 << 20) + request_overhead_bytes);
  }
  g.got.reset();
  CHECK(g.held() == 0);
}

TEST_CASE("kafka_frame_reader: other protocols are recognised by their first bytes", "[node][kafka]") {
  struct call {
    std::string first;
    foreign_protocol spoken;
  };
  using f = foreign_protocol;
  for (auto& c : std::vector<call>{
           {"GET /metrics HTTP/1.1\r\n\r\n", f::http},
           {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", f::http2},
           {"SSH-2.0-OpenSSH_9.2\r\n", f::ssh},
           {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, f::tls},
           {"\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00"s, f::pessoa_rpc}, // one segment
           {"\x02\x00\x00\x00\x05\x00\x00\x00\x01\x00\x00\x00"s, f::pessoa_rpc}, // three
           {"GETTING STARTED", f::unknown},
           {"\xff\xff\xff\xff\xff\xff\xff\xff"s, f::unknown},
       }) {
    CAPTURE(c.first);
    for (size_t cut : {size_t{0}, size_t{3}, size_t{5}}) {
      gate g;
      g.next().send({c.first.begin(), c.first.begin() + cut}).send({c.first.begin() + cut, c.first.end()});
      CHECK(g.reader.spoken() == c.spoken);
      CHECK((g.failure().code == ec::wrong_protocol) == (c.spoken != f::unknown));
      if (c.spoken != f::unknown) CHECK_THAT(g.failure().message, Catch::Contains(name_of(c.spoken)));
    }
  }
}

TEST_CASE("kafka_frame_reader: half a request holds memory only when its sender has filled the buffer",
          "[node][kafka]") {
  gate g;
  g.reader.set_known();
  SECTION("a small one") {
    auto frame = frame_of(largest_small);
    g.send(part(frame, 0, frame.size() - 1)).next();
    CHECK(g.pending());
    CHECK(g.held() == 0);
    g.send(part(frame, frame.size() - 1, frame.size()));
    CHECK(g.body().size() == largest_small);
    CHECK(g.budgets.small->now().used == largest_small + request_overhead_bytes);
  }
  SECTION("a large one") {
    auto frame = frame_of(1 << 20);
    g.send(part(frame, 0, buffer - 1)).next();
    CHECK(g.held() == 0);
    g.send(part(frame, buffer - 1, buffer));
    CHECK(g.budgets.large->now().used == (1 << 20) + request_overhead_bytes);
  }
}

TEST_CASE("kafka_frame_reader: while a budget is empty nothing is read, and that is not the peer's time",
          "[node][kafka]") {
  gate g;
  g.reader.set_known();
  auto all = g.budgets.large->take(32 << 20);
  SECTION("a small request is not kept out by large ones") {
    g.send(frame_of(100)).next();
    CHECK(g.body().size() == 100);
  }
  SECTION("a large one waits, with what it has") {
    auto frame = frame_of(100'000);
    g.send(part(frame, 0, 50'000)).next();
    CHECK(g.pending());
    g.loop.pass(1h);
    CHECK_FALSE(g.reader.overdue());
    CHECK(g.traffic.read == buffer);
    all.release();
    g.loop.run();
    CHECK(g.pending());
    CHECK(g.traffic.read == 50'000);
    CHECK_FALSE(g.reader.overdue()); // neither for its first request nor for this one
    g.send(part(frame, 50'000, frame.size()));
    CHECK(g.body().size() == 100'000);
  }
}

TEST_CASE("kafka_frame_reader: a stranger waits for a budget no longer than its deadline", "[node][kafka]") {
  gate g;
  auto all = g.budgets.first_large->take(4 << 20);
  auto frame = frame_of(100'000);
  g.send(part(frame, 0, 50'000)).next();
  g.loop.pass(9s);
  CHECK_FALSE(g.reader.overdue());
  SECTION("there is none") {
    g.loop.pass(1s);
    REQUIRE(g.reader.overdue());
    CHECK(g.reader.overdue()->code == ec::overloaded);
    CHECK(g.reader.overdue()->message == "no room for a first request of 100000 bytes within 10 s");
    g.reading = nullptr; // it leaves the queue
    CHECK(g.budgets.first_large->now().waiting == 0);
  }
  SECTION("then its own time begins") {
    all.release();
    g.loop.run();
    g.loop.pass(9s);
    CHECK_FALSE(g.reader.overdue());
    g.loop.pass(1s);
    REQUIRE(g.reader.overdue());
    CHECK(g.reader.overdue()->message == "no request within 10 s");
  }
}

TEST_CASE("kafka_frame_reader: a stranger must say something in time, and may be quiet afterwards",
          "[node][kafka]") {
  gate g;
  g.next();
  SECTION("not a byte") {}
  SECTION("a byte now and then") {
    for (auto byte : {0, 0, 1}) {
      g.loop.pass(3s);
      g.send({static_cast<uint8_t>(byte)});
      CHECK_FALSE(g.reader.overdue());
    }
  }
  SECTION("a whole request") {
    g.send(frame_of(20)).body();
    g.next();
    g.loop.pass(1h);
    CHECK_FALSE(g.reader.overdue());
    CHECK(g.reader.idle_since());
    return;
  }
  g.loop.pass(10s);
  REQUIRE(g.reader.overdue());
  CHECK(g.reader.overdue()->message == "no request within 10 s");
}

TEST_CASE("kafka_frame_reader: a request that has begun must go on, and not too slowly", "[node][kafka]") {
  gate g;
  g.reader.set_known();
  g.send(frame_of(20)).next();
  g.body();
  g.next();
  auto frame = frame_of(64 << 10); // may take 30 s and 4 s
  SECTION("it stops in the length") {
    g.loop.pass(1h);
    g.send(part(frame, 0, 3));
    CHECK_FALSE(g.reader.idle_since());
    g.loop.pass(29s);
    CHECK_FALSE(g.reader.overdue());
    g.loop.pass(1s);
    REQUIRE(g.reader.overdue());
    CHECK(g.reader.overdue()->message
          == "nothing came for 30 s after 0 of a request's unknown number of bytes");
  }
  SECTION("it stops in the body") {
    g.send(part(frame, 0, 10'004));
    g.loop.pass(30s);
    REQUIRE(g.reader.overdue());
    CHECK(g.reader.overdue()->message == "nothing came for 30 s after 10000 of a request's 65536 bytes");
  }
  SECTION("it drips") {
    g.send(part(frame, 0, 3000));
    for (int second = 1; second < 34; ++second) {
      g.loop.pass(1s);
      g.send({1});
      REQUIRE_FALSE(g.reader.overdue());
    }
    g.loop.pass(1s);
    REQUIRE(g.reader.overdue());
    CHECK(g.reader.overdue()->message
          == "too slow: only 3029 of a request's 65536 bytes came in time, less than 16384 a second");
  }
}

TEST_CASE(
    "kafka_frame_reader: a peer that ends inside a request is told apart from one that ends between two",
    "[node][kafka]") {
  auto frame = frame_of(5000);
  for (size_t cut : {0, 1, 4, 100, 3000, 5003}) {
    CAPTURE(cut);
    gate g;
    g.send(part(frame, 0, cut)).next().hang_up();
    if (cut == 0) {
      CHECK(g.at_end());
    } else {
      CHECK(g.failure().code == ec::disconnected);
    }
    g.got.reset();
  }
}
