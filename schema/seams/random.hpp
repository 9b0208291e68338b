// Randomness comes in from outside, so that a seed replays a whole cluster.
#pragma once

#include "schema/assert.hpp"

#include <cstdint>

namespace pessoa {

class random_source {
public:
  virtual ~random_source() = default;
  virtual uint64_t next() = 0; // 64 uniform bits

  // Uniform in [0, bound). Requires: bound > 0. Lemire's multiplication without the rejection step: the bias is below
  // 2^-32 for the bounds used here, and one draw per call keeps traces stable.
  uint64_t below(uint64_t bound) {
    PESSOA_ASSERT(bound > 0);
    return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }
};

// xoshiro256** by Blackman and Vigna, seeded through splitmix64. For simulations, tests and jitter; not for secrets.
class seeded_random final : public random_source {
public:
  explicit seeded_random(uint64_t seed) {
    for (auto& word : state_) {
      seed += 0x9e3779b97f4a7c15ull;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
      word = z ^ (z >> 31);
    }
  }
  uint64_t next() override {
    uint64_t out = rotl(state_[1] * 5, 7) * 9;
    uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotl(state_[3], 45);
    return out;
  }

private:
  static uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  uint64_t state_[4];
};

} // namespace pessoa
