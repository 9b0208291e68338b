#include "schema/seams/io_loop.hpp"
#include "schema/seams/io_loop_socket_posix.hpp"
#include "tests/schema/io_loop_contract.hpp"

#include <kj/debug.h>

#include <csignal>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

using namespace pessoa;
using namespace pessoa::contract;

namespace {

class system_network_under_test final : public network_under_test {
public:
  network& net() override { return *network_; }
  bool run_until(const std::function<bool()>& done) override {
    // The loops run by themselves; 60 seconds is for a machine that is busy with something else.
    for (int i = 0; i < 60'000; ++i) {
      if (done()) return true;
      ::poll(nullptr, 0, 1);
    }
    return done();
  }

private:
  std::unique_ptr<network> network_ = make_system_network();
};

sockaddr_in loopback(uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  REQUIRE(::getsockopt(fd, level, name, &value, &length) == 0);
  return value;
}

} // namespace

PESSOA_IO_LOOP_CONTRACT("sockets", system_network_under_test)

TEST_CASE("io_loop: many threads may post at once and nothing is lost", "[io_loop]") {
  auto net = make_system_network();
  auto loop = net->make_loop("posted");
  constexpr int threads = 4, each = 5000;
  std::vector<int> last(threads, -1);
  bool ordered = true;
  std::vector<std::thread> posters;
  for (int t = 0; t < threads; ++t) {
    posters.emplace_back([&, t] {
      for (int i = 0; i < each; ++i)
        loop->post([&, t, i] {
          ordered = ordered && last[t] == i - 1;
          last[t] = i;
        });
    });
  }
  for (auto& p : posters)
    p.join();
  loop.reset(); // runs what waits
  CHECK(ordered);
  CHECK(last == std::vector<int>(threads, each - 1));
}

TEST_CASE("io_loop: run_on waits, and passes on what was thrown", "[io_loop]") {
  auto net = make_system_network();
  auto loop = net->make_loop("run_on");
  std::thread::id where;
  run_on(*loop, [&] { where = std::this_thread::get_id(); });
  CHECK(where != std::this_thread::get_id());
  CHECK(where != std::thread::id{});
  CHECK_THROWS_AS(run_on(*loop, [] { KJ_FAIL_REQUIRE("on purpose"); }), kj::Exception);
  run_on(*loop, [&] { where = {}; });
  CHECK(where == std::thread::id{});
}

TEST_CASE("io_loop: a task that throws ends only itself", "[io_loop]") {
  auto net = make_system_network();
  auto loop = net->make_loop("throws");
  loop->post([] { throw std::runtime_error("on purpose: the next line of the log says so"); });
  bool ran = false;
  run_on(*loop, [&] { ran = true; });
  CHECK(ran);
}

TEST_CASE("io_loop: connections are quick for small writes and notice a peer that is gone", "[io_loop]") {
  system_network_under_test t;
  auto server = t.net().make_loop("server"), client = t.net().make_loop("client");
  auto w = connect_pair(t, *server, *client);
  for (auto& [loop, end] : {std::pair{server, w.server}, std::pair{client, w.client}}) {
    int fd = -1;
    t.on(*loop, [&, e = end] {
      KJ_IF_MAYBE (f, e->stream->getFd()) fd = *f;
    });
    REQUIRE(fd >= 0);
    CHECK(option(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 60'000);
    t.on(*loop, [&, e = end] { e->drop(); });
  }
}

TEST_CASE("io_loop: writing to a peer that is gone raises no SIGPIPE", "[io_loop]") {
  system_network_under_test t;
  auto loop = t.net().make_loop("pipe");
  struct sigaction now {};
  t.on(*loop, [] {});
  REQUIRE(::sigaction(SIGPIPE, nullptr, &now) == 0);
  CHECK(now.sa_handler == SIG_IGN);
}

TEST_CASE("io_loop: host names and IPv6 work", "[io_loop]") {
  system_network_under_test t;
  auto loop = t.net().make_loop("names");
  auto host = GENERATE(as<std::string>{}, "localhost", "::1", "0.0.0.0", "::");
  CAPTURE(host);
  auto socket = t.net().listen(host, 0);
  if (!socket.ok() && host.find(':') != std::string::npos) {
    WARN("no IPv6 here: " << socket.error());
    return;
  }
  REQUIRE(socket.ok());
  auto bound = parse_host_port((*socket)->address());
  REQUIRE(bound.ok());
  CHECK(bound->port == (*socket)->port());
  auto server = std::make_shared<end_of_wire>(), client = std::make_shared<end_of_wire>();
  t.on(*loop, [&, s = *socket] {
    server->accept(*loop, s);
    client->connect(*loop, host == "localhost" || host == "::1" ? host : "127.0.0.1", s->port());
  });
  CHECK(t.run_until([&] { return server->connected && client->connected; }));
  if (host == "::") CHECK(server->peer.rfind("127.0.0.1:", 0) == 0);
  t.on(*loop, [&] {
    server->drop();
    client->drop();
  });
}

TEST_CASE("io_loop: a host that does not exist and an address nobody has are named", "[io_loop]") {
  system_network_under_test t;
  auto loop = t.net().make_loop("nowhere");
  for (std::string host : {"no-such-host.invalid", "unix", "*", ""}) {
    CAPTURE(host);
    auto end = std::make_shared<end_of_wire>();
    t.on(*loop, [&] { end->connect(*loop, host, 1); });
    REQUIRE(t.run_until([&] { return end->failed || end->connected; }));
    CHECK_THAT(end->failure, Catch::StartsWith("DISCONNECTED cannot connect to " + host + ":1"));
    t.on(*loop, [&] { end->drop(); });
  }
  for (std::string host : {"192.0.2.1", "no-such-host.invalid", ""}) {
    CAPTURE(host);
    auto socket = t.net().listen(host, 0);
    REQUIRE_FALSE(socket.ok());
    CHECK(socket.error().code == ec::invalid_argument);
    CHECK_THAT(socket.error().message, Catch::Contains(host + ":0"));
  }
}

TEST_CASE("io_loop: a connect that nobody answers ends at its timeout", "[io_loop]") {
  // A listener whose queue is full drops further handshakes, as a black hole does.
  int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = loopback(0);
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener, 0) == 0);
  socklen_t length = sizeof address;
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  std::vector<kj::AutoCloseFd> fillers;
  for (int i = 0; i < 3; ++i) {
    fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    (void)::connect(fillers.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  system_network_under_test t;
  auto loop = t.net().make_loop("timeout");
  auto end = std::make_shared<end_of_wire>();
  t.on(*loop,
       [&] { end->connect(*loop, "127.0.0.1", ntohs(address.sin_port), std::chrono::milliseconds{200}); });
  REQUIRE(t.run_until([&] { return end->failed || end->connected; }));
  CHECK_THAT(end->failure, Catch::StartsWith("DISCONNECTED ") && Catch::Contains("no answer within 200 ms"));
  t.on(*loop, [&] { end->drop(); });
  ::close(listener);
}

TEST_CASE("io_loop: running out of file descriptors is waited out", "[io_loop]") {
  system_network_under_test t;
  auto loop = t.net().make_loop("emfile");
  auto socket = t.net().listen("127.0.0.1", 0);
  REQUIRE(socket.ok());
  auto server = std::make_shared<end_of_wire>();
  t.on(*loop, [&] { server->accept(*loop, *socket); });
  kj::AutoCloseFd client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  REQUIRE(client.get() >= 0);
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  auto none = before;
  none.rlim_cur = 3; // every descriptor in use is above it, so no new one can be made
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  auto address = loopback((*socket)->port());
  int connected = ::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  for (int i = 0; i < 50; ++i)
    t.on(*loop, [] {}); // many turns of the loop, in which it meets EMFILE
  bool early = server->connected || server->failed;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(connected == 0);
  CHECK_FALSE(early);
  CHECK(t.run_until([&] { return server->connected.load(); }));
  CHECK_FALSE(server->failed);
  t.on(*loop, [&] { server->drop(); });
}

TEST_CASE("io_loop: accept tells one bad connection from a broken socket", "[io_loop]") {
  CHECK(judge_accept_errno(EAGAIN) == accept_failure::none_waiting);
  CHECK(judge_accept_errno(ECONNABORTED) == accept_failure::that_connection);
  CHECK(judge_accept_errno(EINTR) == accept_failure::that_connection);
  CHECK(judge_accept_errno(EMFILE) == accept_failure::out_of_resources);
  CHECK(judge_accept_errno(ENOBUFS) == accept_failure::out_of_resources);
  CHECK(judge_accept_errno(EBADF) == accept_failure::socket_broken);
}

TEST_CASE("io_loop: addresses are parsed strictly", "[io_loop]") {
  auto good = [](const char* text, const char* host, uint16_t port) {
    CAPTURE(text);
    auto got = parse_host_port(text);
    REQUIRE(got.ok());
    CHECK(*got == host_port{host, port});
    CHECK(to_string(*got) == text);
  };
  good("127.0.0.1:18880", "127.0.0.1", 18880);
  good("[::1]:0", "::1", 0);
  good("node-1.example.org:65535", "node-1.example.org", 65535);
  for (auto text : {"", ":", "host", "host:", ":1", "host:65536", "host:-1", "host:1x", "host: 1", "::1:80",
                    "[::1]", "[::1", "[::1]80", "ho st:1", "a/b:1", "host:99999999999999999999"}) {
    CAPTURE(text);
    auto got = parse_host_port(text);
    REQUIRE_FALSE(got.ok());
    CHECK(got.error().code == ec::invalid_argument);
    CHECK_THAT(got.error().message, Catch::Contains(std::string{"'"} + text + "'"));
  }
}
