#include "node/stream_filter.hpp"
#include "tests/node/test_loop.hpp"

#include <capnp/message.h>
#include <capnp/rpc-twoparty.h>
#include <capnp/serialize-async.h>
#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::node;
using namespace std::chrono_literals;

namespace {

using blob = std::vector<kj::byte>;

blob table_of(const std::vector<uint32_t>& sizes, std::optional<uint32_t> count_field = {}) {
  blob out;
  auto put = [&](uint32_t v) {
    for (int i = 0; i < 4; ++i)
      out.push_back(static_cast<kj::byte>(v >> (8 * i)));
  };
  put(count_field.value_or(static_cast<uint32_t>(sizes.size()) - 1));
  for (auto s : sizes)
    put(s);
  if (out.size() % 8) put(0);
  return out;
}

blob message_of(const std::vector<uint32_t>& sizes, kj::byte seed = 1) {
  auto out = table_of(sizes);
  size_t words = 0;
  for (auto s : sizes)
    words += s;
  for (size_t i = 0; i < words * 8; ++i)
    out.push_back(static_cast<kj::byte>(seed + i * 7));
  return out;
}

blob operator+(blob a, const blob& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// A filter on one end of a pipe, the hostile world on the other.
struct gate {
  test_loop loop;
  kj::TwoWayPipe pipe = kj::newTwoWayPipe();
  std::shared_ptr<byte_budget> before = byte_budget::make(1 << 20), after = byte_budget::make(64 << 20);
  stream_traffic traffic;
  std::vector<error> refusals;
  kj::Promise<void> writing = kj::READY_NOW;
  std::optional<stream_filter> filter;
  kj::Own<kj::AsyncIoStream> world = kj::mv(pipe.ends[1]);

  explicit gate(stream_filter_options options = {}) {
    options.traffic = &traffic;
    filter.emplace(kj::mv(pipe.ends[0]), loop, options, before, after,
                   [this](const error& e) { refusals.push_back(e); });
  }
  ~gate() { filter.reset(); }

  void send(blob data) {
    auto kept = std::make_unique<blob>(std::move(data));
    auto next = writing.then([this, kept = kept.get()] { return world->write(kept->data(), kept->size()); });
    writing = next.attach(kj::mv(kept)).catch_([](kj::Exception&&) {}).eagerlyEvaluate(nullptr);
    loop.run();
  }

  struct reading {
    blob data;
    std::optional<size_t> got;
    std::string failure;
    kj::Promise<void> work = nullptr;
    [[nodiscard]] bool pending() const { return !got && failure.empty(); }
  };
  // Lives until the test is over.
  reading& read(size_t min_bytes, size_t max_bytes) {
    readings.push_back(std::make_unique<reading>());
    auto& r = *readings.back();
    r.data.resize(max_bytes);
    r.work = filter->tryRead(r.data.data(), min_bytes, max_bytes)
                 .then([&r](size_t n) {
                   r.got = n;
                   r.data.resize(n);
                 })
                 .eagerlyEvaluate([&r](kj::Exception&& e) {
                   r.failure = e.getDescription().cStr();
                   if (e.getType() != kj::Exception::Type::DISCONNECTED)
                     r.failure = "NOT DISCONNECTED " + r.failure;
                 });
    loop.run();
    return r;
  }
  reading& read(size_t bytes) { return read(bytes, bytes); }
  std::vector<std::unique_ptr<reading>> readings;
};

} // namespace

TEST_CASE("stream_filter: messages pass unchanged, cut at every byte", "[node][filter]") {
  auto stream = message_of({3}, 1) + message_of({1, 0, 2}, 2) + message_of(std::vector<uint32_t>(16, 1), 3)
                + message_of({300, 2}, 4); // the last is longer than the filter's buffer
  size_t step = GENERATE(1, 7, 24, 1000);  // how much the reader asks for
  for (size_t cut = 0; cut <= stream.size(); cut += cut < 300 ? 1 : 97) {
    CAPTURE(cut, step);
    gate g;
    g.send({stream.begin(), stream.begin() + cut});
    g.send({stream.begin() + cut, stream.end()});
    blob got;
    while (got.size() < stream.size()) {
      auto& r = g.read(1, std::min(step, stream.size() - got.size()));
      REQUIRE_FALSE(r.pending());
      REQUIRE(r.failure.empty());
      got.insert(got.end(), r.data.begin(), r.data.end());
    }
    REQUIRE(got == stream);
    REQUIRE(g.filter->messages_read() == 4);
    REQUIRE(g.traffic.read == stream.size());
    REQUIRE(g.traffic.messages == 4);
    g.world->shutdownWrite();
    CHECK(g.read(1).got == 0u); // an end between messages is an end
    CHECK(g.refusals.empty());
  }
}

TEST_CASE("stream_filter: a byte at a time gives the same", "[node][filter]") {
  gate g;
  auto stream = message_of({3, 1}, 1) + message_of({2}, 2);
  auto& r = g.read(stream.size());
  for (auto b : stream) {
    CHECK(r.pending());
    g.send({b});
  }
  CHECK(r.data == stream);
}

TEST_CASE("stream_filter: Cap'n Proto reads its messages through it", "[node][filter]") {
  gate g;
  capnp::MallocMessageBuilder builder{8, capnp::AllocationStrategy::FIXED_SIZE};
  auto list = builder.initRoot<capnp::AnyPointer>().initAs<capnp::List<capnp::Data>>(5);
  for (capnp::uint i = 0; i < 5; ++i)
    list.init(i, 5000 + i).asBytes()[i] = 42;
  auto writing = capnp::writeMessage(*g.world, builder).eagerlyEvaluate(nullptr);
  auto reading = capnp::readMessage(*g.filter);
  auto message = reading.wait(g.loop.scope());
  auto got = message->getRoot<capnp::AnyPointer>().getAs<capnp::List<capnp::Data>>();
  REQUIRE(got.size() == 5);
  for (capnp::uint i = 0; i < 5; ++i) {
    CHECK(got[i].size() == 5000 + i);
    CHECK(got[i][i] == 42);
  }
}

TEST_CASE("stream_filter: a lying segment table is refused before a byte of it is seen", "[node][filter]") {
  struct lie {
    const char* what;
    blob bytes;
    ec code;
    const char* sentence;
  };
  constexpr auto huge = UINT32_MAX;
  auto lies = std::vector<lie>{
      {"17 segments", table_of(std::vector<uint32_t>(17, 1)), ec::malformed_message, "17 segments"},
      {"a count that wraps to none", table_of({1}, huge), ec::malformed_message, "4294967296 segments"},
      {"511 segments, which Cap'n Proto would take", table_of({1}, 510), ec::malformed_message,
       "511 segments"},
      {"a segment of 32 GiB", table_of({huge}), ec::message_too_large, "34359738368 bytes"},
      {"sizes that overflow 32 bits together", table_of(std::vector<uint32_t>(16, huge)),
       ec::message_too_large, "549755813832 bytes"},
      {"one word above the limit", table_of({(1 << 20) / 8 - 1 + 1}), ec::message_too_large, "1048584 bytes"},
      {"no word at all", table_of({0}), ec::malformed_message, "without a word"},
      {"16 empty segments", table_of(std::vector<uint32_t>(16, 0)), ec::malformed_message, "without a word"},
  };
  for (auto& l : lies) {
    for (bool first : {true, false}) {
      CAPTURE(l.what, first);
      gate g;
      if (!first) {
        auto good = message_of({2});
        g.send(good);
        CHECK(g.read(good.size()).data == good);
      }
      g.send(l.bytes + blob(64));
      auto& r = g.read(1, 64);
      REQUIRE_FALSE(r.pending());
      CHECK_FALSE(r.got);
      CHECK_THAT(r.failure, Catch::Contains(l.sentence));
      REQUIRE(g.refusals.size() == 1);
      CHECK(g.refusals[0].code == l.code);
      CHECK_FALSE(g.read(1).failure.empty()); // for ever
      CHECK(g.refusals.size() == 1);
      CHECK(g.before->now().used == 0);
      CHECK(g.before->now().high_water == (first ? 0u : 24u));
    }
  }
}

TEST_CASE("stream_filter: the limit is small before the login and large after it", "[node][filter]") {
  stream_filter_options options;
  options.bytes_before_login_max = 1024;
  options.bytes_max = 4096;
  gate g{options};
  auto largest_before = message_of({1024 / 8 - 1}), above = message_of({1024 / 8}),
       largest = message_of({4096 / 8 - 1});
  g.send(largest_before);
  CHECK(g.read(largest_before.size()).data == largest_before);
  SECTION("before") {
    g.send(above);
    CHECK_THAT(g.read(1, 10).failure, Catch::Contains("at most 1024 are taken before the login"));
  }
  SECTION("after") {
    g.filter->set_logged_in();
    g.send(above + largest);
    CHECK(g.read(above.size()).data == above);
    CHECK(g.read(largest.size()).data == largest);
    g.send(message_of({4096 / 8}));
    CHECK_THAT(g.read(1, 10).failure, Catch::Contains("a message of 4104 bytes, at most 4096 are taken"));
  }
}

TEST_CASE("stream_filter: there are few messages before the login", "[node][filter]") {
  stream_filter_options options;
  options.messages_before_login_max = 3;
  gate g{options};
  auto one = message_of({1});
  g.send(one + one + one + one + one);
  SECTION("more are refused") {
    for (int i = 0; i < 3; ++i)
      CHECK(g.read(16).data == one);
    CHECK_THAT(g.read(16).failure, Catch::Contains("more than 3 messages"));
    CHECK(g.refusals.at(0).code == ec::denied);
  }
  SECTION("after it there is no such limit") {
    g.filter->set_logged_in();
    for (int i = 0; i < 5; ++i)
      CHECK(g.read(16).data == one);
  }
}

TEST_CASE("stream_filter: a read stays pending while the budget is empty", "[node][filter]") {
  gate g;
  g.filter->set_logged_in();
  auto held = g.after->take(64 << 20);
  auto m = message_of({10});
  g.send(m);
  auto& r = g.read(m.size());
  CHECK(r.pending());
  g.loop.pass(1h); // and no deadline counts
  CHECK(r.pending());
  CHECK(g.refusals.empty());
  held.release();
  g.loop.run();
  CHECK(r.data == m);
  CHECK(g.after->now().used == m.size());
  // The ticket goes when the next message is asked for, not before.
  auto& next = g.read(8);
  CHECK(next.pending());
  CHECK(g.after->now().used == 0);
}

TEST_CASE("stream_filter: messages are charged to the budget of their time", "[node][filter]") {
  gate g;
  auto m = message_of({10});
  g.send(m);
  g.read(m.size());
  CHECK(g.before->now().used == m.size());
  CHECK(g.after->now().used == 0);
  g.filter->set_logged_in();
  g.send(m);
  g.read(m.size());
  CHECK(g.before->now().used == 0);
  CHECK(g.after->now().used == m.size());
}

TEST_CASE("stream_filter: a stream that goes gives its bytes back", "[node][filter]") {
  gate g;
  SECTION("in the middle of a message") {
    g.send(message_of({10}));
    g.read(16);
    CHECK(g.before->now().used == 88);
  }
  SECTION("while it waits") {
    auto held = g.before->take(1 << 20);
    g.send(message_of({10}));
    g.read(16);
    CHECK(g.before->now().waiting == 1);
    g.readings.clear();
  }
  g.readings.clear();
  g.filter.reset();
  CHECK(g.before->now().used == 0);
  CHECK(g.before->now().waiting == 0);
}

TEST_CASE("stream_filter: a login must come in time", "[node][filter]") {
  gate g;
  auto& r = g.read(8);
  SECTION("nothing comes") {}
  SECTION("messages come, but no login") {
    for (int i = 0; i < 9; ++i) {
      g.send(message_of({1}));
      g.loop.pass(1s);
      g.read(8);
      g.read(8);
    }
  }
  SECTION("a part of a message comes") { g.send({1}); }
  SECTION("a login that waits for the budget is late too") {
    auto held = g.before->take(1 << 20);
    g.send(message_of({1}));
    g.loop.pass(11s);
    CHECK(g.refusals.at(0).code == ec::timed_out);
  }
  g.loop.pass(10s);
  REQUIRE(g.refusals.size() == 1);
  CHECK(g.refusals[0] == error{ec::timed_out, "no login within 10 s"});
  CHECK_FALSE(r.pending());
}

TEST_CASE("stream_filter: after the login a peer may be silent between messages", "[node][filter]") {
  gate g;
  g.filter->set_logged_in();
  auto& r = g.read(16);
  g.loop.pass(1000h);
  CHECK(r.pending());
  g.send(message_of({1}));
  CHECK(r.got == 16u);
  CHECK(g.refusals.empty());
}

TEST_CASE("stream_filter: a message that has begun must keep coming", "[node][filter]") {
  gate g;
  g.filter->set_logged_in();
  auto m = message_of({100'000}); // so large that its rate gives it 78 s in all
  size_t begun = GENERATE(1, 8, 9, 15, 100);
  CAPTURE(begun);
  auto& r = g.read(m.size());
  g.loop.pass(100h);
  g.send({m.begin(), m.begin() + begun});
  g.loop.pass(29s);
  REQUIRE(r.pending());
  g.send({m[begun]}); // one more byte, and 30 more seconds
  g.loop.pass(29s);
  bool header = begun + 1 < 8;
  // A header has 30 s in all.
  if (!header) {
    CHECK(r.pending());
    g.loop.pass(2s);
  }
  CHECK_FALSE(r.pending());
  REQUIRE(g.refusals.size() == 1);
  CHECK(g.refusals[0].code == ec::timed_out);
  CHECK(g.after->now().used == 0);
}

TEST_CASE("stream_filter: a drip of bytes is too slow", "[node][filter]") {
  gate g;
  g.filter->set_logged_in();
  auto m = message_of({100'000}); // 800 kB: 30 s and 48 s
  auto& r = g.read(m.size());
  size_t sent = 0;
  for (; sent < 200 && r.pending(); ++sent) {
    g.send({m[sent]});
    g.loop.pass(1s);
  }
  CHECK(sent >= 77);
  CHECK(sent <= 80);
  CHECK_THAT(r.failure, Catch::Contains("too slow: only"));
}

TEST_CASE("stream_filter: an end inside a message is told", "[node][filter]") {
  auto m = message_of({2, 3});
  for (size_t cut = 1; cut < m.size(); ++cut) {
    CAPTURE(cut);
    gate g;
    auto& r = g.read(m.size());
    g.send({m.begin(), m.begin() + cut});
    g.world->shutdownWrite();
    g.loop.run();
    REQUIRE(g.refusals.size() == 1);
    CHECK(g.refusals[0].code == ec::disconnected);
    CHECK_THAT(r.failure, Catch::Contains("after " + std::to_string(cut) + (cut < 16 ? " bytes" : " of")));
  }
}

TEST_CASE("stream_filter: other protocols are recognised by their first bytes", "[node][filter]") {
  struct call {
    std::string first;
    foreign_protocol spoken;
  };
  using f = foreign_protocol;
  using namespace std::string_literals;
  for (auto& c : std::vector<call>{
           {"GET /metrics HTTP/1.1\r\n\r\n", f::http},
           {"DELETE / HTTP/1.1\r\n\r\n", f::http},
           {"OPTIONS * HTTP/1.1\r\n\r\n", f::http},
           {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", f::http2},
           {"SSH-2.0-OpenSSH_9.2\r\n", f::ssh},
           {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, f::tls},
           {"\x00\x00\x00\x2a\x00\x12\x00\x03\x00\x00\x00\x01"s, f::kafka},
           {"\x00\x01\x00\x00\x00\x00\x00\x09\x00\x00\x00\x01"s, f::kafka},
           {"GETTING STARTED", f::unknown},
           {"\xff\xff\xff\xff\xff\xff\xff\xff"s, f::unknown},
       }) {
    CAPTURE(c.first);
    gate g;
    g.send({c.first.begin(), c.first.end()});
    auto& r = g.read(8);
    CHECK_FALSE(r.failure.empty());
    REQUIRE(g.refusals.size() == 1);
    CHECK(g.filter->spoken() == c.spoken);
    CHECK(g.refusals[0].code == (c.spoken == f::unknown ? ec::malformed_message : ec::wrong_protocol));
    if (c.spoken != f::unknown) CHECK_THAT(g.refusals[0].message, Catch::Contains(name_of(c.spoken)));
  }
}

TEST_CASE("stream_filter: who speaks HTTP is answered in HTTP and sees nothing else", "[node][filter]") {
  stream_filter_options options;
  options.http_hint = "HTTP is served on 127.0.0.1:18882";
  gate g{options};
  std::string request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  g.send({request.begin(), request.end()});
  auto& r = g.read(8);
  CHECK_FALSE(r.failure.empty());
  auto abort_of_ours = g.filter->write("binary", 6).eagerlyEvaluate(nullptr);
  auto lingering = g.filter->linger(2s).eagerlyEvaluate(nullptr);
  auto answer = g.world->readAllText();
  auto text = std::string{answer.wait(g.loop.scope()).cStr()};
  CHECK(text.rfind("HTTP/1.1 400 Bad Request\r\n", 0) == 0);
  CHECK_THAT(text, Catch::EndsWith("not HTTP. HTTP is served on 127.0.0.1:18882.\n"));
  CHECK_THAT(text, !Catch::Contains("binary"));
  auto body = text.substr(text.find("\r\n\r\n") + 4);
  CHECK_THAT(text, Catch::Contains("Content-Length: " + std::to_string(body.size()) + "\r\n"));
}

TEST_CASE("stream_filter: lingering takes what still comes and ends in time", "[node][filter]") {
  gate g;
  g.send(table_of(std::vector<uint32_t>(17, 1)));
  g.read(8);
  bool over = false;
  auto lingering = g.filter->linger(2s).then([&] { over = true; }).eagerlyEvaluate(nullptr);
  for (int i = 0; i < 10; ++i)
    g.send(blob(5000));
  g.loop.pass(1s);
  CHECK_FALSE(over);
  CHECK(g.world->readAllBytes().wait(g.loop.scope()).size() == 0); // our side has ended
  SECTION("when the peer ends") {
    g.world->shutdownWrite();
    g.loop.run();
  }
  SECTION("or when patience is over") { g.loop.pass(1s); }
  CHECK(over);
}

TEST_CASE("stream_filter: its owner may refuse, and the pending read ends", "[node][filter]") {
  gate g;
  auto& r = g.read(8);
  g.filter->refuse({ec::overloaded, "the outgoing queue is full"});
  g.loop.run();
  CHECK(r.failure == "overloaded: the outgoing queue is full");
  g.filter->refuse({ec::internal, "again"});
  CHECK(g.refusals.size() == 1);
}

TEST_CASE("stream_filter: what is written passes through", "[node][filter]") {
  gate g;
  auto reading = g.world->readAllText();
  auto a = kj::StringPtr{"one, "}, b = kj::StringPtr{"two"};
  g.filter->write(a.begin(), a.size()).wait(g.loop.scope());
  kj::ArrayPtr<const kj::byte> pieces[] = {b.asBytes(), a.asBytes()};
  g.filter->write(kj::arrayPtr(pieces, 2)).wait(g.loop.scope());
  g.filter->shutdownWrite();
  CHECK(reading.wait(g.loop.scope()) == "one, twoone, ");
  CHECK(g.traffic.written == 13);
}

TEST_CASE("stream_filter: it tells when the peer does not read any more", "[node][filter]") {
  gate g;
  bool gone = false;
  auto watching = g.filter->whenWriteDisconnected().then([&] { gone = true; }).eagerlyEvaluate(nullptr);
  g.world = nullptr;
  g.loop.run();
  CHECK(gone);
}
