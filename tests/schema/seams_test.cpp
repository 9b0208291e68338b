#include "schema/seams/seams_posix.hpp"
#include "tests/schema/seams_contract.hpp"
#include "tests/support/step_pool.hpp"

#include <condition_variable>
#include <mutex>

using namespace pessoa;
using namespace pessoa::tests;

namespace {

// Until `reached` holds, looked at after each of the pool's own jobs: what is waited for was posted before.
auto by_asking = [](thread_pool& pool, auto reached) {
  for (int i = 0; i < 100'000 && !reached(); ++i) {
    std::mutex mutex;
    std::condition_variable wake;
    bool turn = false;
    pool.post([&] {
      std::lock_guard lock{mutex};
      turn = true;
      wake.notify_all();
    });
    std::unique_lock lock{mutex};
    wake.wait(lock, [&] { return turn; });
  }
};

} // namespace

TEST_CASE("seams: the system's clock keeps the contract", "[seams]") {
  auto time = make_system_clock();
  check_clock(*time, [] {});
}

TEST_CASE("seams: a clock that a test moves keeps the contract", "[seams]") {
  manual_clock time;
  check_clock(time, [&] { time.pass(duration{1}); });
}

TEST_CASE("seams: the system's randomness keeps the contract", "[seams]") {
  check_random(*make_system_random());
}

TEST_CASE("seams: seeded randomness keeps the contract, and a seed is one sequence", "[seams]") {
  for (uint64_t seed : {0ull, 1ull, ~0ull}) {
    seeded_random random{seed};
    check_random(random);
  }
  seeded_random a{42}, b{42}, c{43};
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    auto drawn = a.next();
    CHECK(drawn == b.next());
    differs = differs || drawn != c.next();
  }
  CHECK(differs);
  CHECK(seeded_random{1}.next()
        == 12966619160104079557ull); // seeds that were kept must mean the same for ever
}

TEST_CASE("seams: the system's thread pool keeps the contract", "[seams]") {
  for (size_t threads : {size_t{1}, size_t{4}})
    check_pool([&] { return make_thread_pool(threads, "contract"); }, by_asking);
}

TEST_CASE("seams: the pool that a test steps keeps the contract", "[seams]") {
  check_pool([] { return std::make_unique<step_pool>(); },
             [](thread_pool& pool, auto) { static_cast<step_pool&>(pool).run(); });
}
