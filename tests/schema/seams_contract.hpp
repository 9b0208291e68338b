// What every clock, random source and thread pool promises (schema/seams/), as functions that a test runs on each
// implementation: the system's in tests/schema, those of the simulations and of other tests beside them.
#pragma once

#include "schema/seams/clock.hpp"
#include "schema/seams/random.hpp"
#include "schema/seams/thread_pool.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace pessoa::tests {

// `pass` lets some time go by on that clock; at most a millisecond where time is real.
template <class Pass>
void check_clock(const clock& time, Pass pass) {
  auto before = time.now();
  for (int i = 0; i < 1000; ++i) {
    auto now = time.now();
    REQUIRE(now >= before);
    before = now;
  }
  for (int i = 0; i < 1'000'000 && time.now() == before; ++i)
    pass();
  CHECK(time.now() > before);
  // Records carry it as milliseconds since 1970: this software is younger than 2020, and Kafka's formats end before 2300.
  CHECK(time.wall() > timestamp{1'577'836'800'000});
  CHECK(time.wall() < timestamp{10'413'792'000'000});
}

inline void check_random(random_source& random) {
  std::set<uint64_t> seen;
  int ones[64] = {};
  constexpr int draws = 4096;
  for (int i = 0; i < draws; ++i) {
    auto word = random.next();
    seen.insert(word);
    for (int bit = 0; bit < 64; ++bit)
      ones[bit] += static_cast<int>(word >> bit & 1);
  }
  CHECK(seen.size() == draws); // one repetition is a chance of 2^-41
  for (int bit = 0; bit < 64; ++bit)
    CHECK(std::abs(ones[bit] - draws / 2) < 10 * 32); // ten standard deviations
  for (uint64_t bound : {uint64_t{1}, uint64_t{2}, uint64_t{7}, uint64_t{1} << 63}) {
    uint64_t largest = 0;
    for (int i = 0; i < 200; ++i) {
      auto drawn = random.below(bound);
      REQUIRE(drawn < bound);
      largest = std::max(largest, drawn);
    }
    CHECK(largest >= bound / 2); // 2^-200
  }
}

// `make` gives a fresh pool; `until` lets it work until the predicate holds.
template <class Make, class Until>
void check_pool(Make make, Until until) {
  { // Each job once, then its `done` once on the same thread, and never inside post().
    std::unique_ptr<thread_pool> pool = make();
    std::atomic<bool> posting{false};
    auto here = std::this_thread::get_id();
    constexpr size_t count = 100;
    struct seen {
      std::atomic<int> ran{0}, answered{0};
      std::thread::id by;
      bool order = false, inside = false;
    };
    std::vector<seen> all(count);
    for (auto& s : all) {
      posting = true;
      pool->post(
          [&] {
            s.inside = posting && std::this_thread::get_id() == here;
            s.by = std::this_thread::get_id();
            ++s.ran;
          },
          [&] {
            s.inside = s.inside || (posting && std::this_thread::get_id() == here);
            s.order = s.ran == 1 && s.by == std::this_thread::get_id();
            ++s.answered;
          });
      posting = false;
    }
    until(*pool, [&] {
      for (auto& s : all)
        if (s.answered == 0) return false;
      return true;
    });
    for (auto& s : all) {
      CHECK(s.ran == 1);
      CHECK(s.answered == 1);
      CHECK(s.order);
      CHECK_FALSE(s.inside);
    }
  }
  { // What a job posts runs, too, and `done` may be missing.
    std::unique_ptr<thread_pool> pool = make();
    std::atomic<int> depth{0};
    std::function<void()> job = [&] {
      if (++depth < 5) pool->post(job);
    };
    pool->post(job);
    until(*pool, [&] { return depth == 5; });
    CHECK(depth == 5);
  }
  { // What its end finds waiting runs or is dropped, and either way both functions are destroyed.
    auto token = std::make_shared<int>(0);
    std::atomic<int> ran{0}, answered{0};
    std::unique_ptr<thread_pool> pool = make();
    for (int i = 0; i < 50; ++i)
      pool->post([token, &ran] { ++ran; }, [token, &answered] { ++answered; });
    pool.reset();
    CHECK(token.use_count() == 1);
    CHECK(answered <= ran);
    CHECK(ran <= 50);
  }
}

} // namespace pessoa::tests
