// What every network keeps to, sockets and simulation alike. A twin derives from network_under_test and
// writes PESSOA_IO_LOOP_CONTRACT("sockets", system_network_under_test).
//
// The cases hold KJ objects in shared states that are made and emptied on their loop, and never block: the
// simulator drives all loops from the test's own thread.
#pragma once

#include "schema/seams/io_loop.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <optional>
#include <vector>

namespace pessoa::contract {

class network_under_test {
public:
  virtual ~network_under_test() = default;
  virtual network& net() = 0;
  // Lets loops and time go on until `done()`; false when it gave up. `done` may look at atomics only.
  virtual bool run_until(const std::function<bool()>& done) = 0;

  // Runs `task` on the loop and waits for it in a way that suits the twin.
  void on(io_loop& loop, std::function<void()> task) {
    auto ran = std::make_shared<std::atomic<bool>>(false);
    loop.post([task = std::move(task), ran] {
      task();
      *ran = true;
    });
    REQUIRE(run_until([&] { return ran->load(); }));
  }
};

constexpr duration connect_patience = std::chrono::seconds{10};

// One end of a connection, living on one loop.
struct end_of_wire {
  kj::Own<acceptor> from;
  kj::Own<kj::AsyncIoStream> stream;
  std::vector<kj::Promise<void>> work;
  std::vector<kj::byte> received;
  std::string peer, local, failure;
  std::atomic<bool> connected{false}, finished{false}, failed{false};

  void fail(kj::Exception&& e) {
    failure = std::string{e.getDescription().cStr()};
    if (e.getType() == kj::Exception::Type::DISCONNECTED) failure = "DISCONNECTED " + failure;
    failed = true;
  }
  void start(kj::Promise<void> promise) {
    work.push_back(promise.eagerlyEvaluate([this](kj::Exception&& e) { fail(kj::mv(e)); }));
  }
  void accept(io_loop& loop, std::shared_ptr<listening_socket> socket) {
    from = loop.accept_from(std::move(socket));
    start(from->accept().then([this](acceptor::connection c) {
      stream = kj::mv(c.stream);
      peer = c.peer;
      local = c.local;
      connected = true;
    }));
  }
  void connect(io_loop& loop, const std::string& host, uint16_t port, duration timeout = connect_patience) {
    start(loop.connect(host, port, timeout).then([this](kj::Own<kj::AsyncIoStream> s) {
      stream = kj::mv(s);
      connected = true;
    }));
  }
  // Reads until the other side ends.
  void read_all() {
    start(read_more().then([this] { finished = true; }));
  }
  kj::Promise<void> read_more() {
    auto buffer = kj::heapArray<kj::byte>(4096);
    auto reading = stream->tryRead(buffer.begin(), 1, buffer.size());
    return reading.then([this, buffer = kj::mv(buffer)](size_t n) -> kj::Promise<void> {
      received.insert(received.end(), buffer.begin(), buffer.begin() + n);
      if (n == 0) return kj::READY_NOW;
      return read_more();
    });
  }
  // Writes `data` and ends this direction.
  void write_all(std::shared_ptr<std::vector<kj::byte>> data) {
    auto writing = stream->write(data->data(), data->size());
    start(writing.then([this, data] { stream->shutdownWrite(); }));
  }
  void drop() {
    work.clear();
    stream = nullptr;
    from = nullptr;
  }
};
using end_ptr = std::shared_ptr<end_of_wire>;

struct wire {
  end_ptr server = std::make_shared<end_of_wire>(), client = std::make_shared<end_of_wire>();
};

inline wire connect_pair(network_under_test& t, io_loop& server, io_loop& client) {
  auto socket = t.net().listen("127.0.0.1", 0);
  REQUIRE(socket.ok());
  wire out;
  auto port = (*socket)->port();
  t.on(server, [&, s = *socket] { out.server->accept(server, s); });
  t.on(client, [&] { out.client->connect(client, "127.0.0.1", port); });
  REQUIRE(t.run_until([&] { return out.server->connected && out.client->connected; }));
  return out;
}

inline std::shared_ptr<std::vector<kj::byte>> pattern(size_t count, uint32_t seed) {
  auto out = std::make_shared<std::vector<kj::byte>>(count);
  for (auto& b : *out) {
    seed = seed * 1664525u + 1013904223u;
    b = static_cast<kj::byte>(seed >> 24);
  }
  return out;
}

inline void posted_tasks_run_in_order(network_under_test& t) {
  auto loop = t.net().make_loop("order");
  constexpr int count = 1000;
  std::vector<int> seen;
  std::atomic<int> ran{0};
  for (int i = 0; i < count; ++i) {
    loop->post([&, i] {
      seen.push_back(i);
      ++ran;
    });
  }
  REQUIRE(t.run_until([&] { return ran == count; }));
  loop.reset();
  for (int i = 0; i < count; ++i)
    REQUIRE(seen[i] == i);
}

inline void post_never_runs_a_task_inside(network_under_test& t) {
  auto loop = t.net().make_loop("inside");
  std::atomic<bool> inner_ran{false}, seen_inside{true};
  t.on(*loop, [&] {
    loop->post([&] { inner_ran = true; });
    seen_inside = inner_ran.load();
  });
  REQUIRE(t.run_until([&] { return inner_ran.load(); }));
  CHECK_FALSE(seen_inside);
}

inline void an_ending_loop_runs_what_was_posted_before(network_under_test& t) {
  auto loop = t.net().make_loop("ending");
  auto held = std::make_shared<int>(7);
  std::atomic<int> ran{0};
  for (int i = 0; i < 10; ++i)
    loop->post([&, held] { ++ran; });
  loop.reset();
  CHECK(ran == 10);
  CHECK(held.use_count() == 1);
}

// Posts itself for ever: only the end of the loop can stop it.
struct for_ever {
  io_loop* loop;
  std::shared_ptr<std::atomic<int>> rounds;
  void operator()() const {
    ++*rounds;
    loop->post(*this);
  }
};

inline void tasks_of_an_ended_loop_are_destroyed_unrun(network_under_test& t) {
  auto loop = t.net().make_loop("ended");
  auto rounds = std::make_shared<std::atomic<int>>(0);
  loop->post(for_ever{loop.get(), rounds});
  REQUIRE(t.run_until([&] { return *rounds > 3; }));
  loop.reset();
  CHECK(rounds.use_count() == 1);
}

inline void bytes_arrive_both_ways_and_the_end_is_seen(network_under_test& t) {
  auto server = t.net().make_loop("server"), client = t.net().make_loop("client");
  auto w = connect_pair(t, *server, *client);
  auto up = pattern(3 << 20, 1),
       down = pattern(300'000, 2); // above any socket buffer: writing must wait and go on
  t.on(*server, [&] {
    w.server->read_all();
    w.server->write_all(down);
  });
  t.on(*client, [&] {
    w.client->read_all();
    w.client->write_all(up);
  });
  REQUIRE(t.run_until([&] { return w.server->finished && w.client->finished; }));
  t.on(*server, [&] { w.server->drop(); });
  t.on(*client, [&] { w.client->drop(); });
  CHECK(w.server->received == *up);
  CHECK(w.client->received == *down);
  CHECK(w.server->peer.rfind("127.0.0.1:", 0) == 0);
  CHECK(w.server->failure.empty());
}

inline void a_connection_knows_the_address_that_the_peer_reached(network_under_test& t) {
  auto loop = t.net().make_loop("reached");
  for (auto host : {"127.0.0.1", "0.0.0.0"}) {
    CAPTURE(host);
    auto socket = t.net().listen(host, 0);
    REQUIRE(socket.ok());
    auto port = (*socket)->port();
    wire w;
    t.on(*loop, [&, s = *socket] {
      w.server->accept(*loop, s);
      w.client->connect(*loop, "127.0.0.1", port);
    });
    REQUIRE(t.run_until([&] { return w.server->connected && w.client->connected; }));
    CHECK(w.server->local == "127.0.0.1:" + std::to_string(port));
    t.on(*loop, [&] {
      w.server->drop();
      w.client->drop();
    });
  }
}

inline void a_dropped_stream_is_an_end_for_the_other_side(network_under_test& t) {
  auto server = t.net().make_loop("server"), client = t.net().make_loop("client");
  auto w = connect_pair(t, *server, *client);
  std::atomic<bool> gone{false};
  t.on(*server, [&] {
    w.server->read_all();
    w.server->start(w.server->stream->whenWriteDisconnected().then([&] { gone = true; }));
  });
  t.on(*client, [&] { w.client->drop(); });
  REQUIRE(t.run_until([&] { return w.server->finished || w.server->failed; }));
  // Writing to a peer that is gone fails at the first or second attempt, and the disconnection shows.
  t.on(*server, [&] {
    static const kj::byte some[100] = {};
    w.server->start(w.server->stream->write(some, sizeof some).then([&] {
      return w.server->stream->write(some, sizeof some);
    }));
  });
  CHECK(t.run_until([&] { return gone || w.server->failed; }));
  t.on(*server, [&] { w.server->drop(); });
}

inline void a_refused_connection_names_the_address(network_under_test& t) {
  auto loop = t.net().make_loop("refused");
  auto socket = t.net().listen("127.0.0.1", 0);
  REQUIRE(socket.ok());
  auto port = (*socket)->port();
  socket = result<std::shared_ptr<listening_socket>>{ec::not_found, "closed again"};
  auto end = std::make_shared<end_of_wire>();
  t.on(*loop, [&] { end->connect(*loop, "127.0.0.1", port); });
  REQUIRE(t.run_until([&] { return end->failed || end->connected; }));
  CHECK(end->failed);
  CHECK_THAT(end->failure,
             Catch::StartsWith("DISCONNECTED ") && Catch::Contains("127.0.0.1:" + std::to_string(port)));
  t.on(*loop, [&] { end->drop(); });
}

inline void an_address_in_use_is_named(network_under_test& t) {
  auto first = t.net().listen("127.0.0.1", 0);
  REQUIRE(first.ok());
  CHECK((*first)->address() == "127.0.0.1:" + std::to_string((*first)->port()));
  auto second = t.net().listen("127.0.0.1", (*first)->port());
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == ec::address_in_use);
  CHECK_THAT(second.error().message, Catch::Contains((*first)->address()));
}

inline void a_closed_listener_gives_its_port_back(network_under_test& t) {
  auto loop = t.net().make_loop("accept");
  auto first = t.net().listen("127.0.0.1", 0);
  REQUIRE(first.ok());
  auto port = (*first)->port();
  auto end = std::make_shared<end_of_wire>();
  t.on(*loop, [&, s = *first] { end->accept(*loop, s); });
  first = result<std::shared_ptr<listening_socket>>{ec::not_found, "let go"};
  CHECK_FALSE(t.net().listen("127.0.0.1", port).ok()); // the acceptor keeps it open
  t.on(*loop, [&] { end->drop(); });
  CHECK(t.net().listen("127.0.0.1", port).ok());
}

inline void each_connection_goes_to_one_of_the_loops(network_under_test& t) {
  auto a = t.net().make_loop("a"), b = t.net().make_loop("b"), client = t.net().make_loop("client");
  auto socket = t.net().listen("127.0.0.1", 0);
  REQUIRE(socket.ok());
  struct side {
    kj::Own<acceptor> from;
    std::vector<kj::Own<kj::AsyncIoStream>> streams;
    kj::Promise<void> accepting = nullptr;
    kj::Promise<void> next(std::atomic<int>& count) {
      return from->accept().then([this, &count](acceptor::connection c) {
        streams.push_back(kj::mv(c.stream));
        ++count;
        return next(count);
      });
    }
  };
  constexpr int count = 40;
  std::atomic<int> accepted{0}, connected{0};
  auto side_a = std::make_shared<side>(), side_b = std::make_shared<side>();
  for (auto [loop, s] : {std::pair{a, side_a}, std::pair{b, side_b}}) {
    auto* l = loop.get();
    auto* room = s.get();
    t.on(*l, [&, l, room] {
      room->from = l->accept_from(*socket);
      room->accepting = room->next(accepted).eagerlyEvaluate(nullptr);
    });
  }
  std::vector<end_ptr> ends;
  for (int i = 0; i < count; ++i)
    ends.push_back(std::make_shared<end_of_wire>());
  t.on(*client, [&] {
    for (auto& end : ends)
      end->connect(*client, "127.0.0.1", (*socket)->port());
  });
  REQUIRE(t.run_until([&] {
    connected = 0;
    for (auto& end : ends)
      connected += end->connected ? 1 : 0;
    return connected == count && accepted >= count;
  }));
  CHECK(accepted == count);
  for (auto [loop, s] : {std::pair{a, side_a}, std::pair{b, side_b}}) {
    auto* room = s.get();
    t.on(*loop, [room] {
      room->accepting = nullptr;
      room->streams.clear();
      room->from = nullptr;
    });
  }
  t.on(*client, [&] {
    for (auto& end : ends)
      end->drop();
  });
}

inline void timers_fire_in_order_and_not_before_their_time(network_under_test& t) {
  auto loop = t.net().make_loop("timers");
  std::vector<int> order;
  std::atomic<int> fired{0};
  std::atomic<bool> early{false};
  auto end = std::make_shared<end_of_wire>();
  t.on(*loop, [&] {
    auto begin = loop->timer().now();
    for (int ms : {30, 10, 20}) {
      end->start(loop->timer().afterDelay(ms * kj::MILLISECONDS).then([&, ms, begin] {
        if (loop->timer().now() - begin < ms * kj::MILLISECONDS) early = true;
        order.push_back(ms);
        ++fired;
      }));
    }
  });
  REQUIRE(t.run_until([&] { return fired == 3; }));
  t.on(*loop, [&] { end->drop(); });
  CHECK(order == std::vector<int>{10, 20, 30});
  CHECK_FALSE(early);
}

} // namespace pessoa::contract

#define PESSOA_IO_LOOP_CASE(name, twin, text, function)                                                      \
  TEST_CASE("io_loop (" name "): " text, "[io_loop]") {                                                      \
    twin t;                                                                                                  \
    ::pessoa::contract::function(t);                                                                         \
  }
#define PESSOA_IO_LOOP_CONTRACT(name, twin)                                                                  \
  PESSOA_IO_LOOP_CASE(name, twin, "posted tasks run in order", posted_tasks_run_in_order)                    \
  PESSOA_IO_LOOP_CASE(name, twin, "post never runs a task inside", post_never_runs_a_task_inside)            \
  PESSOA_IO_LOOP_CASE(name, twin, "an ending loop runs what was posted before",                              \
                      an_ending_loop_runs_what_was_posted_before)                                            \
  PESSOA_IO_LOOP_CASE(name, twin, "tasks of an ended loop are destroyed unrun",                              \
                      tasks_of_an_ended_loop_are_destroyed_unrun)                                            \
  PESSOA_IO_LOOP_CASE(name, twin, "bytes arrive both ways and the end is seen",                              \
                      bytes_arrive_both_ways_and_the_end_is_seen)                                            \
  PESSOA_IO_LOOP_CASE(name, twin, "a connection knows the address that the peer reached",                    \
                      a_connection_knows_the_address_that_the_peer_reached)                                  \
  PESSOA_IO_LOOP_CASE(name, twin, "a dropped stream is an end for the other side",                           \
                      a_dropped_stream_is_an_end_for_the_other_side)                                         \
  PESSOA_IO_LOOP_CASE(name, twin, "a refused connection names the address",                                  \
                      a_refused_connection_names_the_address)                                                \
  PESSOA_IO_LOOP_CASE(name, twin, "an address in use is named", an_address_in_use_is_named)                  \
  PESSOA_IO_LOOP_CASE(name, twin, "a closed listener gives its port back",                                   \
                      a_closed_listener_gives_its_port_back)                                                 \
  PESSOA_IO_LOOP_CASE(name, twin, "each connection goes to one of the loops",                                \
                      each_connection_goes_to_one_of_the_loops)                                              \
  PESSOA_IO_LOOP_CASE(name, twin, "timers fire in order and not before their time",                          \
                      timers_fire_in_order_and_not_before_their_time)
