// The seed's separate streams of randomness: a change in what one of them draws does not shift the others, so that a
// failing seed can be made smaller stream by stream.
#pragma once

#include "schema/seams/random.hpp"

namespace pessoa::sim {

struct random_streams {
  explicit random_streams(uint64_t seed)
      : schedule(mixed(seed, 1)), network(mixed(seed, 2)), disk(mixed(seed, 3)), faults(mixed(seed, 4)),
        workload(mixed(seed, 5)), knobs(mixed(seed, 6)), process(mixed(seed, 7)) {}

  seeded_random schedule; // what runs next, when I/O begins and ends
  seeded_random network;
  seeded_random disk;
  seeded_random faults;
  seeded_random workload;
  seeded_random knobs;   // settings
  seeded_random process; // what nodes and clients draw themselves

private:
  static uint64_t mixed(uint64_t seed, uint64_t stream) {
    return seed * 0x9e3779b97f4a7c15ull + stream * 0xd1b54a32d192ed03ull;
  }
};

// In [from, to]. Requires: from <= to.
inline int64_t between(random_source& random, int64_t from, int64_t to) {
  return from + static_cast<int64_t>(random.below(static_cast<uint64_t>(to - from) + 1));
}
inline bool chance(random_source& random, uint32_t percent) { return random.below(100) < percent; }
// About exponential with this mean, at most eight times it; integers only, so that every machine draws the same.
inline int64_t around(random_source& random, int64_t mean) {
  // The number of leading zeros of a uniform word is geometric: it scales a uniform part.
  auto word = random.next() | 1;
  auto halves = __builtin_clzll(word);
  auto part = static_cast<int64_t>(random.below(static_cast<uint64_t>(mean) + 1));
  return halves > 7 ? 8 * mean : part + halves * mean * 7 / 10;
}

} // namespace pessoa::sim
