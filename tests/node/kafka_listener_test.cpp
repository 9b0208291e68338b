#include "tests/node/kafka_fixture.hpp"

#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>
#include <kj/io.h>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

using namespace pessoa;
using namespace pessoa::node;
using namespace pessoa::test;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

using ids = std::vector<int32_t>;

blob operator+(blob a, const blob& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
blob part(const blob& of, size_t begin, size_t end) { return {of.begin() + begin, of.begin() + end}; }
blob text(const std::string& from) { return {from.begin(), from.end()}; }

} // namespace

TEST_CASE("kafka_listener: answers leave in the order of the requests, whichever comes first",
          "[node][kafka]") {
  kafka_served s;
  kafka_peer p{s};
  p.send(request_of(act::answer, 0));
  p.send(request_of(act::park, 1) + request_of(act::answer, 2, 1000) + request_of(act::park, 3));
  p.send(request_of(act::answer, 4));
  CHECK(p.answers() == ids{0});
  CHECK(s.listener->now().unanswered == 4);
  s.service->let_go(3);
  s.net.run();
  CHECK(p.answers() == ids{0});
  s.service->let_go(1);
  s.net.run();
  CHECK(p.answers() == ids{0, 1, 2, 3, 4});
  CHECK(s.service->charged == 0); // what an answer held goes when it is written
  CHECK(s.held() == 0);
  CHECK(s.listener->now().unanswered == 0);
  CHECK(s.listener->now().messages_read == 5);
  CHECK(s.listener->now().bytes_written == p.received.size());
  p.hang_up();
  s.check_that_nothing_is_left();
  CHECK(s.refused.empty());
}

TEST_CASE("kafka_listener: a request without an answer takes its turn silently", "[node][kafka]") {
  kafka_served s;
  kafka_peer p{s};
  p.send(request_of(act::stay_mute, 1) + request_of(act::answer, 2) + request_of(act::stay_mute, 3));
  CHECK(p.answers() == ids{2});
  CHECK(s.listener->now().unanswered == 0);
  p.send(request_of(act::park, 4) + request_of(act::stay_mute, 5) + request_of(act::answer, 6));
  CHECK(s.listener->now().unanswered == 3);
  s.service->let_go(4);
  s.net.run();
  CHECK(p.answers() == ids{2, 4, 6});
}

TEST_CASE("kafka_listener: large answers arrive whole, their pieces in order", "[node][kafka]") {
  kafka_served s;
  kafka_peer p{s};
  p.send(request_of(act::answer, 1, 3'000'001) + request_of(act::answer, 2, 64 * 100'000)
         + request_of(act::answer, 3, 1));
  CHECK(p.answers() == ids{1, 2, 3});
  auto filling = std::count(p.received.begin(), p.received.end(), 0xab);
  CHECK(filling == 3'000'001 + 6'400'000 + 1);
}

TEST_CASE("kafka_listener: handlers know who calls and which address was reached", "[node][kafka]") {
  kafka_served s;
  kafka_peer p{s};
  p.send(request_of(act::park, 1));
  REQUIRE(s.service->last);
  CHECK_THAT(s.service->last->peer, Catch::StartsWith("127.0.0.1:"));
  CHECK(s.service->last->reached == host_port{"127.0.0.1", 9092});
  CHECK(s.service->last->to->self() == node_id{7});
}

TEST_CASE("kafka_listener: an answer may end its connection, after it was sent and with a reason in the log",
          "[node][kafka]") {
  kafka_served s;
  kafka_peer p{s};
  p.send(request_of(act::park, 1) + request_of(act::answer_and_close, 2, 300'000)
         + request_of(act::answer, 3));
  CHECK(s.service->served == 2); // nothing behind it is served
  CHECK_FALSE(p.ended);
  s.service->let_go(1);
  s.net.run();
  CHECK(p.answers() == ids{1, 2});
  CHECK(p.ended);
  REQUIRE(s.refused.size() == 1);
  CHECK(s.refused[0].message == "after this answer");
  p.hang_up();
  s.check_that_nothing_is_left();

  kafka_peer q{s};
  q.send(request_of(act::close, 1));
  CHECK(q.received.empty());
  CHECK(q.ended);
  REQUIRE(s.refused.size() == 2);
  CHECK(s.refused[1].message == "no such key");
}

TEST_CASE("kafka_listener: a throttled peer has its answer at once and is not read for a while",
          "[node][kafka]") {
  kafka_served s;
  kafka_peer p{s};
  p.send(request_of(act::throttle, 1, 500) + request_of(act::answer, 2));
  p.send(request_of(act::answer, 3));
  auto before = s.service->served.load();
  CHECK(p.answers().front() == 1);
  CHECK(before <= 2); // what was read with the throttled request may be served
  s.pass(499ms);
  CHECK(s.service->served == before);
  s.pass(1ms);
  CHECK(p.answers() == ids{1, 2, 3});
}

TEST_CASE("kafka_listener: a peer that is throttled while we wait for it is not served before its time",
          "[node][kafka]") {
  kafka_served s;
  kafka_peer p{s};
  p.send(request_of(act::throttle, 1, 500)); // the next read waits already when this is answered
  p.send(request_of(act::answer, 2));
  s.pass(499ms);
  CHECK(p.answers() == ids{1});
  s.pass(1ms);
  CHECK(p.answers() == ids{1, 2});
}

TEST_CASE("kafka_listener: with too many open requests a connection is not read, and the others are",
          "[node][kafka]") {
  kafka_listener_options options;
  options.connection.open_requests_max = 10;
  kafka_served s{options};
  kafka_peer flood{s}, other{s};
  flood.send(request_of(act::answer, 0));
  blob many;
  for (int i = 1; i <= 5000; ++i)
    many = many + request_of(act::park, i);
  flood.send(many);
  CHECK(s.service->served == 11);
  CHECK(s.all->now().used <= 10 * (request_overhead_bytes + 12));
  CHECK(s.listener->now().bytes_read < 5000); // the rest is the sender's
  other.send(request_of(act::answer, 1));
  CHECK(other.answers() == ids{1});
  s.service->let_go(1);
  s.net.run();
  CHECK(s.service->served == 13);
  CHECK(flood.answers() == ids{0, 1});
  flood.hang_up();
  other.hang_up();
  s.check_that_nothing_is_left();
}

TEST_CASE("kafka_listener: before its first answer a peer has only a few requests open", "[node][kafka]") {
  kafka_served s;
  kafka_peer p{s};
  for (int i = 1; i <= 10; ++i)
    p.send(request_of(act::park, i));
  CHECK(s.service->served == 3);
  s.service->let_go(2); // in the middle: it has had its answer, in its turn
  s.net.run();
  CHECK(s.service->served == 10);
  s.service->let_go(1);
  s.net.run();
  CHECK(p.answers() == ids{1, 2});
}

TEST_CASE("kafka_listener: with too many bytes of answers unsent a connection is not read", "[node][kafka]") {
  kafka_served s;
  kafka_peer p{s, false}; // reads nothing
  for (int i = 1; i <= 50; ++i)
    p.send(request_of(act::answer, i, 1'000'000));
  CHECK(s.service->served == 9); // 8 MiB, and the one that fills it up
  p.listen();
  CHECK(p.answers().size() == 50);
  CHECK(s.service->charged == 0);
}

TEST_CASE("kafka_listener: a slow reader is cut, and one that reads slowly but steadily is not",
          "[node][kafka]") {
  kafka_served s;
  kafka_peer p{s, false};
  p.send(request_of(act::answer, 1, 4'000'000));
  SECTION("it takes nothing") {
    s.pass(29s);
    CHECK(s.refused.empty());
    s.pass(4s);
    REQUIRE(s.refused.size() == 1);
    CHECK(s.refused[0].code == ec::overloaded);
    CHECK_THAT(s.refused[0].message, Catch::Contains("takes less than 262144 in 30 s"));
    CHECK(s.service->charged == 0);
    s.pass(5s);
    p.hang_up();
    s.check_that_nothing_is_left();
  }
  SECTION("it takes a little every now and then") {
    for (int i = 0; i < 15; ++i) {
      p.take(256 << 10);
      s.pass(25s);
    }
    CHECK(s.refused.empty());
    p.listen();
    CHECK(p.answers() == ids{1});
  }
}

TEST_CASE("kafka_listener: who says nothing is cut, before its first request soon and after it late",
          "[node][kafka]") {
  kafka_served s;
  kafka_peer silent{s}, known{s}, parked{s};
  known.send(request_of(act::answer, 1));
  parked.send(request_of(act::park, 2));
  s.pass(13s);
  CHECK(silent.ended);
  REQUIRE(s.refused.size() == 1);
  CHECK(s.refused[0].message == "no request within 10 s");
  s.pass(9min);
  known.send(request_of(act::answer, 3));
  s.pass(9min);
  CHECK(s.refused.size() == 1);
  s.pass(2min);
  CHECK(known.ended);
  REQUIRE(s.refused.size() == 2);
  CHECK(s.refused[1].message == "nothing was asked for 600 s");
  CHECK_FALSE(parked.ended); // it waits for us
  s.service->let_go(2);
  s.pass(9min);
  CHECK_FALSE(parked.ended);
}

TEST_CASE("kafka_listener: bad framing ends its own connection and no other", "[node][kafka]") {
  kafka_served s;
  kafka_peer good{s};
  good.send(request_of(act::answer, 1));
  for (auto& hostile :
       {"\xff\xff\xff\xff\x00\x12\x00\x03"s, "\x00\x00\x00\x07\x00\x12\x00\x03"s,
        "\x7f\xff\xff\xff\x00\x12\x00\x03"s, "\x16\x03\x01\x02\x00\x01\x00\x01"s, "SSH-2.0-x\r\n"s}) {
    CAPTURE(hostile);
    auto before = s.refused.size();
    kafka_peer bad{s};
    bad.send(text(hostile));
    CHECK(s.refused.size() == before + 1);
    CHECK(bad.ended);
    CHECK(bad.received.empty());
    kafka_peer late{s};
    late.send(request_of(act::answer, 2)).send(text("\xff\xff\xff\xff"s));
    CHECK(late.answers() == ids{2});
    CHECK(late.ended);
  }
  good.send(request_of(act::answer, 3));
  CHECK(good.answers() == ids{1, 3});
  good.hang_up();
  s.check_that_nothing_is_left();
}

TEST_CASE("kafka_listener: a mistake in a handler ends one connection", "[node][kafka]") {
  kafka_served s;
  kafka_peer good{s};
  for (auto what : {act::reject, act::throw_it}) {
    kafka_peer unlucky{s};
    unlucky.send(request_of(act::park, 1) + request_of(what, 2));
    CHECK(unlucky.ended);
    CHECK(s.refused.back().code == ec::internal);
    CHECK_THAT(s.refused.back().message, Catch::Contains("on purpose"));
    CHECK(s.service->alive == 0);
  }
  good.send(request_of(act::answer, 3));
  CHECK(good.answers() == ids{3});
}

TEST_CASE("kafka_listener: HTTP and Pessoa's clients are told in their own words, and where to go",
          "[node][kafka]") {
  kafka_listener_options options;
  options.connection.http_hint = "HTTP is served on 127.0.0.1:18882";
  options.connection.rpc_hint = "pessoa speaks to 18880";
  kafka_served s{options};
  kafka_peer browser{s};
  browser.send(text("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(browser.ended);
  CHECK_THAT(
      std::string(browser.received.begin(), browser.received.end()),
      Catch::StartsWith("HTTP/1.1 400 ")
          && Catch::EndsWith("speaks the Kafka protocol, not HTTP. HTTP is served on 127.0.0.1:18882.\n"));

  capnp::MallocMessageBuilder bootstrap;
  bootstrap.initRoot<capnp::rpc::Message>().initBootstrap();
  auto words = capnp::messageToFlatArray(bootstrap);
  kafka_peer pessoa{s};
  pessoa.send({words.asBytes().begin(), words.asBytes().end()});
  CHECK(pessoa.ended);
  REQUIRE(pessoa.received.size() % sizeof(capnp::word) == 0);
  auto answer = kj::heapArray<capnp::word>(pessoa.received.size() / sizeof(capnp::word));
  memcpy(answer.begin(), pessoa.received.data(), pessoa.received.size());
  capnp::FlatArrayMessageReader reader{answer};
  CHECK(reader.getRoot<capnp::rpc::Message>().getAbort().getReason()
        == "wrong_protocol: that is the Kafka listener of this cluster; pessoa speaks to 18880");
  REQUIRE(s.refused.size() == 2);
  CHECK_THAT(s.refused[0].message, Catch::StartsWith("the peer speaks HTTP ("));
  CHECK_THAT(s.refused[1].message, Catch::StartsWith("the peer speaks Pessoa's RPC (")
                                       && Catch::EndsWith("), this port the Kafka protocol"));
}

TEST_CASE("kafka_listener: what is parked goes with its connection", "[node][kafka]") {
  kafka_listener_options options;
  options.connection.open_requests_max = 2;
  kafka_served s{options};
  kafka_peer p{s}, unread{s};
  p.send(request_of(act::park, 1));
  unread.send(request_of(act::park, 2) + request_of(act::park, 3)); // nobody reads from it now
  CHECK(s.service->alive == 3);
  p.hang_up();
  CHECK(s.service->alive == 2);
  unread.hang_up();
  s.check_that_nothing_is_left();
  CHECK(s.refused.empty());
}

TEST_CASE("kafka_listener: stopping reads nothing more, and answers what is open", "[node][kafka]") {
  kafka_served s;
  kafka_peer idle{s}, busy{s}, stuck{s};
  idle.send(request_of(act::answer, 1));
  busy.send(request_of(act::park, 2) + request_of(act::park, 3));
  stuck.send(request_of(act::park, 4));
  bool stopped = false;
  s.listener->stop([&] { stopped = true; });
  s.net.run();
  CHECK(idle.ended);
  CHECK(idle.answers() == ids{1});
  busy.send(request_of(act::answer, 5));
  CHECK(s.service->served == 4);
  s.service->let_go(3);
  s.service->let_go(2);
  s.net.run();
  CHECK(busy.answers() == ids{2, 3});
  CHECK(busy.ended);
  idle.hang_up();
  busy.hang_up();
  s.pass(1999ms);
  CHECK_FALSE(stopped); // for the one that is stuck
  s.pass(1ms);
  CHECK(stopped);
  CHECK(stuck.ended);
  s.check_that_nothing_is_left();
  CHECK(s.refused.empty());
  CHECK(s.net.listen("127.0.0.1", 9092).ok());
}

TEST_CASE("kafka_listener: dropping one that was not stopped cuts its connections", "[node][kafka]") {
  kafka_served s;
  kafka_peer p{s};
  p.send(request_of(act::park, 1));
  s.listener.reset();
  s.net.run();
  CHECK(p.ended);
  CHECK(s.service->alive == 0);
  CHECK(s.held() == 0);
}

TEST_CASE("kafka_listener: no more connections than its limits", "[node][kafka]") {
  kafka_listener_options options;
  options.connections.per_address = 2;
  kafka_served s{options};
  kafka_peer a{s}, b{s}, c{s};
  CHECK(c.ended);
  REQUIRE(s.refused.size() == 1);
  CHECK(s.refused[0].code == ec::overloaded);
  a.hang_up();
  kafka_peer d{s};
  d.send(request_of(act::answer, 1));
  CHECK(d.answers() == ids{1});
}

TEST_CASE("kafka_listener: thousands that say nothing, or half a request, keep nobody out",
          "[node][kafka][many]") {
  kafka_listener_options options;
  options.connections = {6000, 6000};
  kafka_served s{options};
  constexpr int silent = 5000, halves = 500;
  std::vector<std::unique_ptr<kafka_peer>> crowd;
  for (int i = 0; i < silent; ++i)
    crowd.push_back(std::make_unique<kafka_peer>(s));
  CHECK(s.listener->now().connections == silent);
  CHECK(s.held() == 0);
  // Half of the first request, as large as one may be, and half of a small one.
  auto large = part(request_of(act::answer, 1, 0, (2 << 20) - 16), 0, 1 << 20);
  auto small = part(request_of(act::answer, 1, 0, 1000), 0, 900);
  for (int i = 0; i < halves; ++i) {
    crowd.push_back(std::make_unique<kafka_peer>(s));
    crowd.back()->send(i % 2 ? large : small);
  }
  CHECK(s.budgets.first_large->now().used >= 32u << 20); // as much as there is, and one more
  CHECK(s.budgets.first_large->now().used < 35u << 20);
  CHECK(s.budgets.first_small->now().used == 0);
  CHECK(s.all->now().used == 0);
  kafka_peer good{s};
  good.send(request_of(act::answer, 1));
  CHECK(good.answers() == ids{1});
  good.send(request_of(act::answer, 2, 0, 1 << 20)); // from the budgets of those who are known
  CHECK(good.answers() == ids{1, 2});
  s.pass(13s); // none of the others has asked for anything
  CHECK(s.listener->now().connections == 1);
  good.send(request_of(act::answer, 3));
  CHECK(good.answers() == ids{1, 2, 3});
  for (auto& p : crowd)
    p->hang_up();
  s.pass(5s);
  good.hang_up();
  s.check_that_nothing_is_left();
}

TEST_CASE("kafka_listener: large requests that stop half-way leave room for small ones, and then make room",
          "[node][kafka][many]") {
  kafka_served s;
  std::vector<std::unique_ptr<kafka_peer>> crowd;
  auto half = part(request_of(act::answer, 2, 0, (16 << 20) - 16), 0, 100'000);
  for (int i = 0; i < 40; ++i) {
    crowd.push_back(std::make_unique<kafka_peer>(s));
    crowd.back()->send(request_of(act::answer, 1)).send(half);
  }
  CHECK(s.all->now().used <= (192u << 20) + (17u << 20));
  kafka_peer good{s};
  good.send(request_of(act::answer, 1) + request_of(act::answer, 2));
  CHECK(good.answers() == ids{1, 2});
  good.send(request_of(act::answer, 3, 0, 1 << 20));
  CHECK(good.answers() == ids{1, 2}); // a large one waits
  s.pass(130s);                       // each has had its 30 s without a byte
  CHECK(good.answers() == ids{1, 2, 3});
  CHECK(s.refused.size() == 40);
  CHECK(s.refused[0].message == "nothing came for 30 s after 99996 of a request's 16777212 bytes");
}

namespace {

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 20'000; ++i) {
    if (condition()) return true;
    ::poll(nullptr, 0, 1);
  }
  return condition();
}

// A blocking client.
struct socket_peer {
  kj::AutoCloseFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  explicit socket_peer(uint16_t port) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  }
  void send(const blob& data) {
    for (size_t at = 0; at < data.size();) {
      auto n = ::send(fd.get(), data.data() + at, data.size() - at, MSG_NOSIGNAL);
      REQUIRE(n > 0);
      at += static_cast<size_t>(n);
    }
  }
  // As much as the kernel takes.
  void pour(const blob& data) {
    (void)!::send(fd.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  blob receive(size_t size) {
    blob out(size);
    REQUIRE(::recv(fd.get(), out.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size));
    return out;
  }
};

} // namespace

TEST_CASE("kafka_listener: over sockets a crowd of silent, half, flooding and deaf peers keeps nobody out",
          "[node][kafka][many]") {
  auto net = make_system_network();
  std::vector<std::shared_ptr<io_loop>> loops{net->make_loop("net-0"), net->make_loop("net-1")};
  auto node = byte_budget::make(64 << 20);
  auto budgets = kafka_listener_budgets::of(node);
  auto service = std::make_shared<told_service>();
  std::atomic<int> cut{0};
  kafka_listener_options options;
  options.connection.slow_reader_deadline = 300ms;
  options.connection.farewell = 200ms;
  stream_listener_hooks hooks;
  hooks.refused = [&](const std::string&, const error& why) {
    if (why.code == ec::overloaded) ++cut;
  };
  auto listener = serve_kafka(
      *net->listen("127.0.0.1", 0), loops, budgets, service,
      [](io_loop&) { return std::make_unique<no_gateway>(); }, options, hooks);
  {
    std::vector<std::unique_ptr<socket_peer>> crowd;
    blob flood;
    for (int i = 0; i < 1000; ++i)
      flood = flood + request_of(act::answer, i, 100'000); // 100 MB of answers
    constexpr int deaf = 50;
    for (int i = 0; i < 400; ++i) {
      crowd.push_back(std::make_unique<socket_peer>(listener->port()));
      if (i % 4 == 1) crowd.back()->send(part(request_of(act::answer, 1, 0, 1 << 20), 0, 5000));
      if (i % 4 == 2) crowd.back()->send(part(request_of(act::answer, 1), 0, 7));
      if (i % 4 == 3 && i < 4 * deaf) crowd.back()->pour(flood); // and reads nothing
    }
    REQUIRE(eventually([&] { return listener->now().accepted == 400; }));
    for (int i = 0; i < 20; ++i) {
      socket_peer good{listener->port()};
      good.send(request_of(act::answer, 7, 1'000'000));
      auto answer = good.receive(8 + 1'000'000);
      CHECK(load_be<int32_t>(answer.data() + 4) == 7);
      CHECK(std::count(answer.begin() + 8, answer.end(), 0xab) == 1'000'000);
    }
    CHECK(node->now().high_water <= 64u << 20);
    CHECK(budgets.first_large->now().high_water < 34u << 20);
    CHECK(eventually([&] { return cut == deaf; }));
  }
  listener->stop();
  CHECK(listener->now().connections == 0);
  CHECK(node->now().used == 0);
  CHECK(service->charged == 0);
}
