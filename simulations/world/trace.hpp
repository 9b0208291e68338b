// What happened, as one number that two runs of a seed must share, and the last interesting events in words.
//
// Every step is mixed in: who ran, when, and the bytes that went over the network or came to an answer. Words are kept only
// for what a person would want to read; they are not part of the number.
#pragma once

#include "schema/bytes.hpp"
#include "schema/crc32c.hpp"
#include "simulations/world/timeline.hpp"

#include <deque>
#include <string>
#include <string_view>

namespace pessoa::sim {

class trace {
public:
  static constexpr size_t words_max = 200;

  void mix(uint64_t x) {
    hash_ ^= x + 0x9e3779b97f4a7c15ull + (hash_ << 6) + (hash_ >> 2);
    hash_ *= 0x100000001b3ull;
  }
  void mix(byte_view data) {
    mix(data.size());
    mix(crc32c(data));
  }
  void mix(std::string_view text) { mix(as_bytes(text)); }

  // An event for people: "12.034501 node 1: killed".
  void say(world_time now, std::string line) {
    mix(line);
    words_.push_back({now, std::move(line)});
    if (words_.size() > words_max) words_.pop_front();
  }

  struct word {
    world_time at = 0;
    std::string line;
  };
  [[nodiscard]] uint64_t value() const { return hash_; }
  [[nodiscard]] const std::deque<word>& words() const { return words_; }

private:
  uint64_t hash_ = 0xcbf29ce484222325ull;
  std::deque<word> words_;
};

} // namespace pessoa::sim
