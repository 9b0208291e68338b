// The production side of clock, randomness and threads.
#pragma once

#include "schema/seams/clock.hpp"
#include "schema/seams/random.hpp"
#include "schema/seams/thread_pool.hpp"

#include <memory>
#include <string>

namespace pessoa {

// CLOCK_MONOTONIC and CLOCK_REALTIME. Thread-safe.
std::unique_ptr<clock> make_system_clock();

// Seeded from the kernel; good for ids. Thread-safe.
std::unique_ptr<random_source> make_system_random();

// `threads` threads named `name` (at most 12 characters are kept). The destructor runs what waits, then joins.
std::unique_ptr<thread_pool> make_thread_pool(size_t threads, std::string name);

} // namespace pessoa
