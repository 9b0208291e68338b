#include "node/http_server.hpp"
#include "node/metrics.hpp"
#include "tests/node/test_loop.hpp"

#include <catch2/catch.hpp>

#include <kj/io.h>

#include <atomic>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

using namespace pessoa;
using namespace pessoa::node;
using namespace std::chrono_literals;

namespace {

// One connection over a pipe, in time that stands still.
struct http_over_pipe {
  test_loop loop;
  http_handlers handlers;
  http_server_options options;
  std::vector<error> refusals;
  std::vector<std::string> not_ready;
  std::string received;
  bool ended = false, served = false;
  kj::TwoWayPipe pipe = kj::newTwoWayPipe();
  kj::Promise<void> serving = nullptr, reading = nullptr, writing = kj::READY_NOW;

  http_over_pipe() {
    handlers.why_not_ready = [this] { return not_ready; };
    handlers.metrics = [] { return std::string{"pessoa_x 1\n"}; };
    options.rpc_hint = "clients are served on 127.0.0.1:18880";
    options.on_refused = [this](const std::string&, const error& e) { refusals.push_back(e); };
  }
  void start() {
    serving = serve_http(kj::mv(pipe.ends[0]), "test", loop, handlers, options)
                  .then([this] { served = true; })
                  .eagerlyEvaluate([this](kj::Exception&&) { served = true; });
    reading = read().eagerlyEvaluate([this](kj::Exception&&) { ended = true; });
  }
  kj::Promise<void> read() {
    auto buffer = kj::heapArray<char>(4096);
    auto one = pipe.ends[1]->tryRead(buffer.begin(), 1, buffer.size());
    return one.then([this, buffer = kj::mv(buffer)](size_t n) -> kj::Promise<void> {
      received.append(buffer.begin(), n);
      if (n == 0) {
        ended = true;
        return kj::READY_NOW;
      }
      return read();
    });
  }
  void send(std::string text) {
    auto kept = kj::heap<std::string>(std::move(text));
    auto next = writing.then([this, k = kept.get()] { return pipe.ends[1]->write(k->data(), k->size()); });
    writing = next.attach(kj::mv(kept)).eagerlyEvaluate([](kj::Exception&&) {});
    loop.run();
  }
  std::string exchange(std::string request) {
    start();
    send(std::move(request));
    return received;
  }
};

std::string body_of(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }

} // namespace

TEST_CASE("http: the pages", "[node][http]") {
  http_over_pipe h;
  SECTION("live") {
    auto answer = h.exchange("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_THAT(answer,
               Catch::StartsWith("HTTP/1.1 200 OK\r\n") && Catch::Contains("\r\nConnection: close\r\n"));
    CHECK(body_of(answer) == "live\n");
  }
  SECTION("ready") { CHECK(body_of(h.exchange("GET /readyz?verbose HTTP/1.0\r\n\r\n")) == "ready\n"); }
  SECTION("not ready, with every reason") {
    h.not_ready = {"recovering: 3 of 10 partitions", "no metadata yet"};
    auto answer = h.exchange("GET /readyz HTTP/1.1\r\n\r\n");
    CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 503 "));
    CHECK(body_of(answer) == "recovering: 3 of 10 partitions\nno metadata yet\n");
  }
  SECTION("metrics") {
    auto answer = h.exchange("GET /metrics HTTP/1.1\r\n\r\n");
    CHECK_THAT(answer, Catch::Contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    CHECK_THAT(answer, Catch::Contains("\r\nContent-Length: 11\r\n"));
    CHECK(body_of(answer) == "pessoa_x 1\n");
  }
  SECTION("HEAD is GET without the body") {
    auto answer = h.exchange("HEAD /metrics HTTP/1.1\r\n\r\n");
    CHECK_THAT(answer,
               Catch::StartsWith("HTTP/1.1 200 OK\r\n") && Catch::Contains("\r\nContent-Length: 11\r\n"));
    CHECK(body_of(answer).empty());
  }
  SECTION("the index") {
    CHECK(body_of(h.exchange("GET / HTTP/1.1\r\n\r\n")) == "pessoa: /livez /readyz /metrics\n");
  }
  SECTION("no such page") {
    CHECK_THAT(h.exchange("GET /../etc/passwd HTTP/1.1\r\n\r\n"), Catch::StartsWith("HTTP/1.1 404 "));
  }
  SECTION("other methods") {
    auto answer = h.exchange("DELETE /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 405 ") && Catch::Contains("\r\nAllow: GET, HEAD\r\n"));
  }
  SECTION("a page that throws") {
    h.handlers.metrics = []() -> std::string { throw std::runtime_error("on purpose"); };
    CHECK_THAT(h.exchange("GET /metrics HTTP/1.1\r\n\r\n"),
               Catch::StartsWith("HTTP/1.1 500 ") && Catch::Contains("on purpose"));
  }
  CHECK(h.ended); // one request per connection
  h.pipe.ends[1] = nullptr;
  h.loop.run();
}

TEST_CASE("http: a head may come in any pieces", "[node][http]") {
  std::string request = "GET /livez HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n";
  for (size_t cut = 1; cut < request.size(); ++cut) {
    CAPTURE(cut);
    http_over_pipe h;
    h.start();
    h.send(request.substr(0, cut));
    CHECK(h.received.empty());
    h.send(request.substr(cut));
    CHECK(body_of(h.received) == "live\n");
  }
}

TEST_CASE("http: what could be read in two ways is refused", "[node][http]") {
  struct odd {
    const char* what;
    std::string head;
    int status;
  };
  for (auto& o : std::vector<odd>{
           {"a body", "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 413},
           {"a negative length", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 413},
           {"a length that is none", "GET / HTTP/1.1\r\ncontent-length: 0x0\r\n\r\n", 413},
           {"a list of lengths", "GET / HTTP/1.1\r\nContent-Length: 0, 0\r\n\r\n", 413},
           {"two lengths", "GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 400},
           {"chunks", "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 413},
           {"chunks, disguised", "GET / HTTP/1.1\r\nTRANSFER-ENCODING:\tidentity \r\n\r\n", 413},
           {"a blank before the colon", "GET / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n", 400},
           {"a folded line", "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", 400},
           {"a bare line feed", "GET / HTTP/1.1\r\nX: a\nContent-Length: 5\r\n\r\n", 400},
           {"a bare carriage return", "GET / HTTP/1.1\r\nX: a\rY: b\r\n\r\n", 400},
           {"a NUL", std::string("GET / HTTP/1.1\r\nX: \0\r\n\r\n", 24), 400},
           {"a header without a name", "GET / HTTP/1.1\r\n: x\r\n\r\n", 400},
           {"a header without a colon", "GET / HTTP/1.1\r\nHost\r\n\r\n", 400},
           {"no version", "GET /\r\n\r\n", 400},
           {"another version", "GET / HTTP/2.0\r\n\r\n", 505},
           {"no path", "GET  HTTP/1.1\r\n\r\n", 400},
           {"a blank in the path", "GET /a b HTTP/1.1\r\n\r\n", 400},
           {"a whole address", "GET http://example.org/ HTTP/1.1\r\n\r\n", 400},
       }) {
    CAPTURE(o.what);
    http_over_pipe h;
    CHECK_THAT(h.exchange(o.head), Catch::StartsWith("HTTP/1.1 " + std::to_string(o.status) + " "));
    CHECK(h.ended);
  }
}

TEST_CASE("http: a head has a largest size", "[node][http]") {
  http_over_pipe h;
  h.start();
  h.send("GET / HTTP/1.1\r\n");
  for (int i = 0; i < 20; ++i)
    h.send("X-" + std::to_string(i) + ": " + std::string(1000, 'x') + "\r\n");
  CHECK_THAT(h.received, Catch::StartsWith("HTTP/1.1 431 "));
}

TEST_CASE("http: slow and idle clients are ended in time", "[node][http]") {
  http_over_pipe h;
  h.start();
  SECTION("idle: without a word") {
    h.loop.pass(5s);
    CHECK(h.received.empty());
    CHECK(h.served);
  }
  SECTION("slow: with one") {
    for (char c : std::string{"GET / HTTP/"}) {
      h.send(std::string{c});
      h.loop.pass(1s);
    }
    CHECK_THAT(h.received, Catch::StartsWith("HTTP/1.1 408 "));
  }
  SECTION("who does not read its answer") {
    h.reading = nullptr;
    h.send("GET / HTTP/1.1\r\n\r\n");
    h.loop.pass(29s);
    CHECK_FALSE(h.served);
    h.loop.pass(1s);
    CHECK(h.served);
  }
  SECTION("who reads it and does not end") {
    h.send("GET / HTTP/1.1\r\n\r\n");
    CHECK(h.ended);
    CHECK_FALSE(h.served);
    h.loop.pass(1s);
    CHECK(h.served);
  }
}

TEST_CASE("http: other protocols are told and logged at their first bytes", "[node][http]") {
  struct call {
    std::string first;
    const char* name;
  };
  using namespace std::string_literals;
  for (auto& c : std::vector<call>{{"\x00\x00\x00\x00\x05\x00\x00\x00"s, "Pessoa's RPC"},
                                   {"\x00\x00\x00\x2a\x00\x12\x00\x03"s, "the Kafka protocol"},
                                   {"SSH-2.0-x\r\n", "SSH"},
                                   {"hello\r\n", "no HTTP"}}) {
    CAPTURE(c.name);
    http_over_pipe h;
    auto answer = h.exchange(c.first);
    CHECK(body_of(answer) == "this port speaks HTTP; clients are served on 127.0.0.1:18880\n");
    REQUIRE(h.refusals.size() == 1);
    CHECK(h.refusals[0].code == ec::wrong_protocol);
    CHECK_THAT(h.refusals[0].message, Catch::Contains(c.name));
  }
}

namespace {

// A blocking client.
std::string ask(uint16_t port, const std::string& request) {
  kj::AutoCloseFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return "refused";
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return "cut";
  std::string out;
  char buffer[4096];
  ssize_t n;
  while ((n = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0)
    out.append(buffer, static_cast<size_t>(n));
  return out;
}

http_handlers small_handlers() {
  http_handlers out;
  out.why_not_ready = [] { return std::vector<std::string>{}; };
  out.metrics = [] { return std::string(1 << 20, '#'); };
  return out;
}

} // namespace

TEST_CASE("http_server: serves over sockets, bounds its connections, and stops", "[node][http]") {
  auto net = make_system_network();
  auto loop = net->make_loop("http");
  http_server_options options;
  options.connections_max = 2;
  std::atomic<int> refused{0};
  options.on_refused = [&](auto&, const error& e) { refused += e.code == ec::overloaded ? 1 : 0; };
  auto started = http_server::start(*net, loop, small_handlers(), options);
  REQUIRE(started.ok());
  auto& server = *started;
  auto port = server->port();
  CHECK(server->address() == "127.0.0.1:" + std::to_string(port));
  CHECK(body_of(ask(port, "GET /livez HTTP/1.1\r\n\r\n")) == "live\n");
  CHECK(body_of(ask(port, "GET /metrics HTTP/1.1\r\n\r\n")).size() == 1 << 20);

  // Two idle connections fill it; the third is closed at once.
  kj::AutoCloseFd idle[2];
  for (auto& fd : idle) {
    fd = kj::AutoCloseFd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  }
  // Connections made before are over a moment later than their answers.
  for (int i = 0; i < 1000 && refused == 0; ++i)
    ask(port, "GET /livez HTTP/1.1\r\n\r\n");
  CHECK(refused > 0);

  auto second = http_server::start(*net, loop, small_handlers(), {.port = port});
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == ec::address_in_use);

  server.reset();
  run_on(*loop, [] {}); // it goes when the loop gets to it
  CHECK(ask(port, "GET /livez HTTP/1.1\r\n\r\n") == "refused");
  CHECK(net->listen("127.0.0.1", port).ok());
}
