#include "node/byte_budget.hpp"
#include "tests/node/test_loop.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

using namespace pessoa;
using namespace pessoa::node;

namespace {

// Somebody who waits for bytes and keeps them.
struct asker {
  std::optional<byte_budget::ticket> ticket;
  kj::Promise<void> waiting = nullptr;
  asker(test_loop& loop, byte_budget& budget, size_t bytes)
      : waiting(budget.acquire(loop, bytes)
                    .then([this](byte_budget::ticket t) { ticket = std::move(t); })
                    .eagerlyEvaluate(nullptr)) {}
};

} // namespace

TEST_CASE("byte_budget: what is taken counts at every level until its ticket goes", "[node][budget]") {
  auto node = byte_budget::make(1000);
  auto connection = byte_budget::make(100, node);
  {
    auto a = connection->take(60);
    auto b = connection->take(70); // never refused, overdrawn
    CHECK(connection->available() == -30);
    CHECK(node->available() == 870);
    b.release();
    CHECK(connection->available() == 40);
    auto moved = std::move(a);
    CHECK(a.bytes() == 0);
    CHECK(moved.bytes() == 60);
    moved = connection->take(10); // what was there is given back
    CHECK(connection->now().used == 10);
  }
  CHECK(connection->now().used == 0);
  CHECK(node->now().used == 0);
  CHECK(connection->now().high_water == 130);
  CHECK(node->now().high_water == 130);
}

TEST_CASE("byte_budget: the tightest level is what is available", "[node][budget]") {
  auto node = byte_budget::make(100);
  auto connection = byte_budget::make(500, node);
  auto other = node->take(100);
  CHECK(connection->available() == 0);
  CHECK_FALSE(connection->try_acquire(1));
  CHECK(connection->now().used == 0); // a half-taken share went back
  other.release();
  CHECK(connection->try_acquire(1));
}

TEST_CASE("byte_budget: who waits is served in order, when there is room", "[node][budget]") {
  test_loop loop;
  auto budget = byte_budget::make(100);
  auto first = budget->take(100);
  asker a{loop, *budget, 90}, b{loop, *budget, 50}, c{loop, *budget, 10};
  loop.run();
  CHECK(budget->now().waiting == 3);
  CHECK_FALSE(budget->try_acquire(1)); // nobody overtakes
  first.release();
  CHECK_FALSE(a.ticket); // never inside release()
  loop.run();
  CHECK(a.ticket);
  CHECK(b.ticket);       // 90 of 100 were used: room, so one more message
  CHECK_FALSE(c.ticket); // overdrawn by one message and no more
  CHECK(budget->available() == -40);
  a.ticket->release();
  loop.run();
  CHECK(c.ticket);
  CHECK(budget->now().waiting == 0);
}

TEST_CASE("byte_budget: a waiter that gives up leaves nothing behind", "[node][budget]") {
  test_loop loop;
  auto node = byte_budget::make(100);
  auto connection = byte_budget::make(100, node);
  auto all = node->take(100);
  SECTION("while it waits at the second level") {
    asker a{loop, *connection, 40};
    loop.run();
    CHECK(connection->now().used == 40);
    CHECK(node->now().waiting == 1);
  }
  SECTION("while it waits at the first level") {
    auto mine = connection->take(100);
    asker a{loop, *connection, 40};
    loop.run();
    CHECK(connection->now().waiting == 1);
  }
  SECTION("between the grant and its delivery") {
    asker a{loop, *connection, 40};
    loop.run();
    all.release();
    CHECK(node->now().used == 40); // granted, not delivered
  }
  loop.run();
  all.release();
  CHECK(connection->now().used == 0);
  CHECK(connection->now().waiting == 0);
  CHECK(node->now().used == 0);
  CHECK(node->now().waiting == 0);
}

TEST_CASE("byte_budget: a waiter that gives up lets the next one through", "[node][budget]") {
  test_loop loop;
  auto budget = byte_budget::make(100);
  auto held = budget->take(100);
  auto first = std::make_unique<asker>(loop, *budget, 100);
  asker second{loop, *budget, 10};
  loop.run();
  held.release(); // granted to the first, which leaves before it hears of it
  first.reset();
  loop.run();
  CHECK(second.ticket);
  CHECK(budget->now().used == 10);
}

TEST_CASE("byte_budget: tickets outlive whoever made the budget", "[node][budget]") {
  std::weak_ptr<byte_budget> seen;
  byte_budget::ticket ticket;
  {
    auto node = byte_budget::make(100);
    seen = node;
    ticket = byte_budget::make(10, node)->take(5);
  }
  REQUIRE(seen.lock());
  CHECK(seen.lock()->now().used == 5);
  ticket.release();
  CHECK(seen.expired());
}

TEST_CASE("byte_budget: loops and other threads share it without losing a byte", "[node][budget]") {
  auto net = make_system_network();
  auto node = byte_budget::make(1000);
  constexpr int loops = 3, rounds = 3000;
  std::atomic<int> done{0};
  // Each loop acquires and hands its ticket to a thread that is not a loop, as requests do with actors.
  std::mutex mutex;
  std::vector<byte_budget::ticket> returned;
  std::atomic<bool> stop{false};
  std::thread releaser{[&] {
    while (!stop) {
      std::vector<byte_budget::ticket> batch;
      {
        std::lock_guard guard{mutex};
        batch.swap(returned);
      }
      if (batch.empty()) std::this_thread::yield();
    }
  }};
  struct worker {
    std::shared_ptr<io_loop> loop;
    std::shared_ptr<byte_budget> budget;
    kj::Promise<void> work = nullptr;
    int round = 0;
  };
  std::vector<std::unique_ptr<worker>> workers;
  std::function<kj::Promise<void>(worker&)> go = [&](worker& w) -> kj::Promise<void> {
    if (w.round++ == rounds) {
      ++done;
      return kj::READY_NOW;
    }
    return w.budget->acquire(*w.loop, 100 + w.round % 400).then([&](byte_budget::ticket t) {
      {
        std::lock_guard guard{mutex};
        returned.push_back(std::move(t));
      }
      return go(w);
    });
  };
  for (int i = 0; i < loops; ++i) {
    auto w = std::make_unique<worker>();
    w->loop = net->make_loop("budget");
    w->budget = byte_budget::make(600, node);
    run_on(*w->loop, [&, p = w.get()] { p->work = go(*p).eagerlyEvaluate(nullptr); });
    workers.push_back(std::move(w));
  }
  while (done < loops)
    std::this_thread::yield();
  stop = true;
  releaser.join();
  returned.clear();
  for (auto& w : workers) {
    run_on(*w->loop, [&] { w->work = nullptr; });
    CHECK(w->budget->now().used == 0);
  }
  CHECK(node->now().used == 0);
  CHECK(node->now().high_water <= 1000 + 500);
}
