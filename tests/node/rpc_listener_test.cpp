#include "node/rpc_listener.hpp"
#include "schema/wire/client.capnp.h"
#include "tests/node/test_loop.hpp"

#include <capnp/rpc-twoparty.h>
#include <catch2/catch.hpp>
#include <kj/async-unix.h>

#include <poll.h>

using namespace pessoa;
using namespace pessoa::node;
using namespace std::chrono_literals;

namespace {

// Answers metadata with as many bytes as `timeoutMs` says; never answers `admin`; ends the connection on
// `producer`.
class dummy_session final : public wire::Session::Server {
public:
  dummy_session(std::shared_ptr<connection_context> context, std::atomic<int>& alive)
      : context_(std::move(context)), alive_(alive) {
    ++alive_;
  }
  ~dummy_session() noexcept(false) { --alive_; }
  kj::Promise<void> metadata(MetadataContext call) override {
    auto size = call.getParams().getRequest().getTimeoutMs();
    auto topic = call.getResults().initMetadata().initTopics(1)[0];
    topic.initName(size);
    return kj::READY_NOW;
  }
  kj::Promise<void> admin(AdminContext call) override {
    call.allowCancellation(); // else it would live on without its connection
    return kj::NEVER_DONE;
  }
  kj::Promise<void> producer(ProducerContext) override {
    context_->close({ec::denied, "no producers today"});
    return kj::READY_NOW;
  }

private:
  std::shared_ptr<connection_context> context_;
  std::atomic<int>& alive_;
};

class dummy_bootstrap final : public wire::Bootstrap::Server {
public:
  dummy_bootstrap(std::shared_ptr<connection_context> context, std::atomic<int>& alive)
      : context_(std::move(context)), alive_(alive) {}
  kj::Promise<void> login(LoginContext call) override {
    if (call.getParams().getHello().getClientId() == "stranger") {
      call.getResults().initError().setName("denied");
      return kj::READY_NOW;
    }
    context_->set_logged_in();
    call.getResults().initWelcome().setVersion(context_->peer());
    call.getResults().setSession(kj::heap<dummy_session>(context_, alive_));
    return kj::READY_NOW;
  }

private:
  std::shared_ptr<connection_context> context_;
  std::atomic<int>& alive_;
};

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 20'000; ++i) {
    if (condition()) return true;
    ::poll(nullptr, 0, 1);
  }
  return condition();
}

// A listener on two loops.
struct served {
  std::unique_ptr<network> net = make_system_network();
  std::vector<std::shared_ptr<io_loop>> loops{net->make_loop("net-0"), net->make_loop("net-1")};
  std::shared_ptr<byte_budget> budget = byte_budget::make(64 << 20);
  std::atomic<int> sessions{0}, opened{0}, closed{0};
  std::mutex mutex;
  std::vector<error> refusals;
  std::unique_ptr<rpc_listener> listener;

  explicit served(rpc_listener_options options = {}) {
    auto started =
        rpc_listener::start(*net, loops, budget,
                            [this](std::shared_ptr<connection_context> c) -> wire::Bootstrap::Client {
                              if (fail_next.exchange(false))
                                throw std::runtime_error("no memory for a bootstrap");
                              return kj::heap<dummy_bootstrap>(std::move(c), sessions);
                            },
                            options,
                            {[this](const connection_context&) { ++opened; },
                             [this](const connection_context&) { ++closed; },
                             [this](const std::string&, const error& why) {
                               std::lock_guard guard{mutex};
                               refusals.push_back(why);
                             },
                             {}});
    REQUIRE(started.ok());
    listener = std::move(*started);
  }
  // The hooks refer to us.
  ~served() {
    if (!stopped) listener->stop();
  }
  std::atomic<bool> fail_next{false};
  bool stopped = false;

  std::vector<error> refused() {
    std::lock_guard guard{mutex};
    return refusals;
  }
  void check_that_nothing_is_left() {
    REQUIRE(eventually([&] { return listener->now().connections == 0; }));
    CHECK(eventually([&] { return sessions == 0 && opened == closed; }));
    CHECK(budget->now().used == 0);
    CHECK(listener->now().before_login.used == 0);
  }
};

// The client's side, on the test's own thread.
struct client_side {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;

  kj::Own<kj::AsyncIoStream> connect(served& s) {
    return io.provider->getNetwork()
        .parseAddress("127.0.0.1", s.listener->port())
        .wait(scope)
        ->connect()
        .wait(scope);
  }
  // What the server sent until it closed.
  std::string everything_from(kj::AsyncIoStream& stream) {
    auto bytes = stream.readAllBytes().wait(scope);
    return {bytes.asChars().begin(), bytes.size()};
  }
};

struct rpc_client {
  client_side& side;
  kj::Own<kj::AsyncIoStream> stream;
  capnp::TwoPartyClient rpc;
  wire::Bootstrap::Client bootstrap;
  rpc_client(client_side& side, served& s)
      : side(side), stream(side.connect(s)), rpc(*stream),
        bootstrap(rpc.bootstrap().castAs<wire::Bootstrap>()) {}

  wire::Session::Client login() {
    auto request = bootstrap.loginRequest();
    request.initHello().setClientId("test");
    auto answer = request.send().wait(side.scope);
    CHECK_THAT(answer.getWelcome().getVersion().cStr(), Catch::StartsWith("127.0.0.1:"));
    return answer.getSession();
  }
  std::string failure_of(kj::Promise<void> promise) {
    std::string out;
    promise.then([] {}, [&](kj::Exception&& e) { out = e.getDescription().cStr(); }).wait(side.scope);
    return out;
  }
  std::string failure_of_login(const std::string& padding = "") {
    auto request = bootstrap.loginRequest();
    request.initHello().setClientId(kj::StringPtr{padding.c_str(), padding.size()});
    return failure_of(request.send().ignoreResult());
  }
  size_t metadata(wire::Session::Client& session, uint32_t size) {
    auto request = session.metadataRequest();
    request.initRequest().setTimeoutMs(size);
    return request.send().wait(side.scope).getMetadata().getTopics()[0].getName().size();
  }
};

} // namespace

TEST_CASE("rpc_listener: clients log in and call, on several loops", "[node][rpc]") {
  served s;
  {
    client_side side;
    std::vector<std::unique_ptr<rpc_client>> clients;
    for (int i = 0; i < 8; ++i) {
      clients.push_back(std::make_unique<rpc_client>(side, s));
      auto session = clients.back()->login();
      CHECK(clients.back()->metadata(session, 100'000) == 100'000);
    }
    auto figures = s.listener->now();
    CHECK(figures.connections == 8);
    CHECK(figures.accepted == 8);
    CHECK(figures.refused == 0);
    CHECK(figures.messages_read >= 8 * 3);
    CHECK(figures.bytes_written > 8 * 100'000);
  }
  s.check_that_nothing_is_left();
  CHECK(s.refused().empty());
}

TEST_CASE("rpc_listener: a large message is taken after the login, and refused with the reason before it",
          "[node][rpc]") {
  served s;
  client_side side;
  std::string large(2 << 20, 'x');
  {
    rpc_client before{side, s};
    CHECK_THAT(before.failure_of_login(large),
               Catch::Contains("message_too_large: a message of")
                   && Catch::Contains("at most 1048576 are taken before the login"));
  }
  {
    rpc_client after{side, s};
    after.login();
    CHECK(after.failure_of_login(large).empty());
    CHECK_THAT(after.failure_of_login(std::string(17 << 20, 'x')),
               Catch::Contains("at most 16777216 are taken"));
  }
  s.check_that_nothing_is_left();
  CHECK(s.refused().size() == 2);
}

TEST_CASE("rpc_listener: garbage ends its own connection and no other", "[node][rpc]") {
  served s;
  client_side side;
  rpc_client good{side, s};
  auto session = good.login();
  std::vector<std::string> hostile{
      std::string(100, '\xff'),
      std::string("\x00\x00\x00\x00\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff",
                  16), // a message of nonsense
      std::string(
          "\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00",
          24),
      std::string("\x00\x00\x00\x00\x00\x10\x00\x00half a message", 22),
      "SSH-2.0-test\r\n",
      std::string("\x00\x00\x00\x2a\x00\x12\x00\x03\x00\x00\x00\x01", 12),
  };
  for (auto& bytes : hostile) {
    auto stream = side.connect(s);
    stream->write(bytes.data(), bytes.size()).wait(side.scope);
    stream->shutdownWrite();
    side.everything_from(*stream);
    CHECK(good.metadata(session, 10) == 10);
  }
  CHECK(eventually([&] { return s.listener->now().connections == 1; }));
  CHECK(s.listener->now().accepted == 1 + hostile.size());
}

TEST_CASE("rpc_listener: who comes with HTTP gets an answer in HTTP", "[node][rpc]") {
  rpc_listener_options options;
  options.connection.filter.http_hint = "HTTP is served on 127.0.0.1:18882";
  served s{options};
  client_side side;
  auto stream = side.connect(s);
  std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  stream->write(request.data(), request.size()).wait(side.scope);
  auto answer = side.everything_from(*stream);
  CHECK_THAT(answer,
             Catch::StartsWith("HTTP/1.1 400 ") && Catch::EndsWith("HTTP is served on 127.0.0.1:18882.\n"));
  stream = nullptr;
  s.check_that_nothing_is_left();
  REQUIRE(s.refused().size() == 1);
  CHECK(s.refused()[0].code == ec::wrong_protocol);
}

TEST_CASE("rpc_listener: no more connections than its limits, and room again when one goes", "[node][rpc]") {
  rpc_listener_options options;
  SECTION("in all") { options.connections.all = 3; }
  SECTION("from one address") { options.connections.per_address = 3; }
  served s{options};
  client_side side;
  std::vector<std::unique_ptr<rpc_client>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<rpc_client>(side, s));
    clients.back()->login();
  }
  rpc_client fourth{side, s};
  CHECK_THAT(fourth.failure_of_login(), Catch::Contains("overloaded: there are 3 connections"));
  CHECK(s.listener->now().connections == 3);
  REQUIRE(s.refused().size() == 1);
  CHECK(s.refused()[0].code == ec::overloaded);
  clients.pop_back();
  REQUIRE(eventually([&] { return s.listener->now().connections == 2; }));
  rpc_client fifth{side, s};
  fifth.login();
}

TEST_CASE("rpc_listener: who is turned away can finish what it was saying, and hears why", "[node][rpc]") {
  rpc_listener_options options;
  options.connections.all = 1;
  served s{options};
  client_side side;
  auto first = side.connect(s);
  auto second = side.connect(s);
  CHECK_THAT(side.everything_from(*second), Catch::Contains("overloaded"));
  // A closed socket would answer the first of these with a reset, and the second would fail.
  for (int i = 0; i < 2; ++i)
    CHECK_NOTHROW(second->write("a request", 9).wait(side.scope));
}

TEST_CASE("rpc_listener: who does not log in is cut", "[node][rpc]") {
  rpc_listener_options options;
  options.connection.filter.login_deadline = 50ms;
  served s{options};
  client_side side;
  auto silent = side.connect(s);
  rpc_client stranger{side, s};
  stranger.failure_of_login("stranger");           // an answer, if it was quick, but no login
  CHECK(side.everything_from(*silent).size() > 0); // our last words
  silent = nullptr;
  REQUIRE(eventually([&] { return s.refused().size() == 2; }));
  side.scope.poll();
  CHECK_THAT(stranger.failure_of_login(), Catch::Contains("timed_out: no login within 50 ms"));
  for (auto& why : s.refused())
    CHECK(why.code == ec::timed_out);
}

TEST_CASE("rpc_listener: a peer that does not read its answers is cut", "[node][rpc]") {
  rpc_listener_options options;
  options.connection.outgoing_bytes_max = 64 << 10;
  options.connection.slow_reader_deadline = 100ms;
  options.connection.farewell = 100ms;
  served s{options};
  client_side side;
  {
    rpc_client client{side, s};
    auto session = client.login();
    // poll() sends, and also reads what has come meanwhile; a server on another core can keep it reading for long. So ask
    // until it returns with far more unread than the sockets' buffers take; from then on the client's loop stands still.
    constexpr int unread_wanted = 10, asked_at_once = 20, rounds_max = 100; // answers of 4 MiB
    std::vector<kj::Promise<void>> answers;
    int asked = 0, read = 0;
    for (int round = 0; round < rounds_max && asked - read < unread_wanted; ++round) {
      for (int i = 0; i < asked_at_once; ++i, ++asked) {
        auto request = session.metadataRequest();
        request.initRequest().setTimeoutMs(4 << 20);
        answers.push_back(request.send().then([&read](auto&&) { ++read; }).eagerlyEvaluate(nullptr));
      }
      side.scope.poll();
    }
    REQUIRE(asked - read >= unread_wanted);
    CHECK(eventually([&] { return s.listener->now().connections == 0; }));
    REQUIRE(s.refused().size() == 1);
    CHECK(s.refused()[0].code == ec::overloaded);
    CHECK_THAT(s.refused()[0].message, Catch::Contains("reads too slowly"));
  }
  s.check_that_nothing_is_left();
}

TEST_CASE("rpc_listener: a capability may end its connection and say why", "[node][rpc]") {
  served s;
  client_side side;
  rpc_client client{side, s};
  auto session = client.login();
  auto parked = session.adminRequest().send().ignoreResult();
  auto closing = session.producerRequest().send().ignoreResult();
  CHECK_THAT(client.failure_of(kj::mv(parked)), Catch::Contains("denied: no producers today"));
  CHECK(eventually([&] { return s.refused().size() == 1; }));
}

TEST_CASE("rpc_listener: a factory that throws ends that connection", "[node][rpc]") {
  served s;
  client_side side;
  s.fail_next = true;
  rpc_client unlucky{side, s};
  CHECK_FALSE(unlucky.failure_of_login().empty());
  REQUIRE(eventually([&] { return s.refused().size() == 1; }));
  CHECK_THAT(s.refused()[0].message, Catch::Contains("no memory for a bootstrap"));
  rpc_client lucky{side, s};
  lucky.login();
  CHECK(s.listener->now().connections == 1);
}

TEST_CASE("rpc_listener: stopping tells the clients, frees the port and leaves nothing behind",
          "[node][rpc]") {
  served s;
  client_side side;
  std::vector<std::unique_ptr<rpc_client>> clients;
  std::vector<kj::Promise<void>> parked;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<rpc_client>(side, s));
    auto session = clients.back()->login();
    parked.push_back(session.adminRequest().send().ignoreResult()); // never answered
  }
  auto port = s.listener->port();
  auto stopped = std::make_shared<std::atomic<bool>>(false);
  s.stopped = true;
  s.listener->stop([stopped] { *stopped = true; });
  for (int i = 0; i < 5; ++i)
    CHECK_THAT(clients[i]->failure_of(kj::mv(parked[i])),
               Catch::Contains("shutting_down: the node is stopping"));
  clients.clear();
  CHECK(eventually([&] { return stopped->load(); }));
  s.check_that_nothing_is_left();
  CHECK(s.net->listen("127.0.0.1", port).ok());
}

TEST_CASE("rpc_listener: a client that hears nothing does not keep it from stopping", "[node][rpc]") {
  rpc_listener_options options;
  options.connection.farewell = 50ms;
  served s{options};
  client_side side;
  auto silent = side.connect(s);
  rpc_client client{side, s};
  client.login();
  REQUIRE(eventually([&] { return s.listener->now().connections == 2; }));
  s.stopped = true;
  s.listener->stop(); // the clients' loop stands still meanwhile
  s.check_that_nothing_is_left();
  CHECK(s.refused().size() == 2);
}

TEST_CASE("rpc_listener: dropping one that was not stopped waits for nobody, and cuts its connections",
          "[node][rpc]") {
  test_loop loop; // in this thread: whoever waited for it would wait for ever
  struct : listening_socket {
    uint16_t port() const override { return 1; }
    std::string address() const override { return "127.0.0.1:1"; }
  } nowhere;
  struct no_connections final : acceptor {
    kj::Promise<connection> accept() override { return kj::NEVER_DONE; }
  };
  struct listening_loop final : io_loop {
    explicit listening_loop(test_loop& l) : on(l) {}
    ~listening_loop() noexcept override {}
    void post(std::function<void()> task) override { on.post(std::move(task)); }
    kj::Timer& timer() override { return on.timer(); }
    kj::Own<acceptor> accept_from(std::shared_ptr<listening_socket>) override {
      return kj::heap<no_connections>();
    }
    kj::Promise<kj::Own<kj::AsyncIoStream>> connect(std::string, uint16_t, duration) override {
      return kj::NEVER_DONE;
    }
    test_loop& on;
  };
  std::vector<std::shared_ptr<io_loop>> loops{std::make_shared<listening_loop>(loop)};
  auto budget = byte_budget::make(1 << 20);
  std::weak_ptr<byte_budget> alive = budget;
  auto listener =
      rpc_listener::start(std::shared_ptr<listening_socket>{std::shared_ptr<void>{}, &nowhere}, loops,
                          std::move(budget), [](auto) { return wire::Bootstrap::Client{nullptr}; }, {});
  loop.run();
  listener.reset();
  CHECK_FALSE(alive.expired());
  loop.run();
  CHECK(alive.expired());
}

TEST_CASE("rpc_listener: a port in use is an error with the address", "[node][rpc]") {
  served s;
  rpc_listener_options options;
  options.port = s.listener->port();
  auto second = rpc_listener::start(
      *s.net, s.loops, s.budget, [](auto) { return wire::Bootstrap::Client{nullptr}; }, options);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == ec::address_in_use);
  CHECK_THAT(second.error().message, Catch::Contains(s.listener->address()));
}

TEST_CASE("connection_caps: places are counted by address and given back", "[node][rpc]") {
  connection_caps caps{{4, 2}};
  auto a = caps.enter("10.0.0.1:1"), b = caps.enter("10.0.0.1:2");
  REQUIRE((a.ok() && b.ok()));
  CHECK_FALSE(caps.enter("10.0.0.1:3").ok());
  auto c = caps.enter("[::1]:1"), d = caps.enter("[::1]:2");
  REQUIRE((c.ok() && d.ok()));
  auto fifth = caps.enter("10.0.0.9:1");
  REQUIRE_FALSE(fifth.ok());
  CHECK(fifth.error().message == "there are 4 connections, the most this listener takes");
  *a = nullptr;
  CHECK(caps.open() == 3);
  CHECK_FALSE(caps.enter("[::1]:3").ok());
  CHECK(caps.enter("10.0.0.1:3").ok());
}
