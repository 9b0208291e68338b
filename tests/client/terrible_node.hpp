// A node and a network of the worst kind, in virtual time, for the producer's core: requests are lost,
// doubled by repetition, delayed past their connection's end, refused at random; answers vanish. The node
// keeps Kafka's rules of idempotence exactly, so what ends up in its log shows what the core is worth.
#pragma once

#include "client/core/partition_queue.hpp"
#include "schema/endian.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>

namespace pessoa::client::test {

struct node_faults {         // in percent per event
  unsigned lose_request = 0; // the connection ends, the request never arrives
  unsigned lose_answer = 0;  // the connection ends after the request was carried out
  unsigned late_request = 0; // the connection ends, the request arrives much later all the same
  unsigned refuse = 0;       // retriable, nothing done
  unsigned unknown = 0;      // answered unknown_result, done or not
  unsigned black_hole = 0;   // no answer at all, for a long time
};

class terrible_node {
public:
  terrible_node(uint64_t seed, node_faults faults) : random_(seed), faults_(faults) {}

  struct answer {
    uint64_t attempt;
    result<stored> outcome;
  };

  // Takes a request now; answers come out of take_due().
  void take(const partition_queue::send& request, instant now) {
    auto arrives = now + delay(2);
    if (arrives < link_clear_) arrives = link_clear_;
    link_clear_ = arrives; // one connection keeps order
    std::vector<uint8_t> bytes = *request.data;
    if (chance(faults_.black_hole)) {
      answers_.emplace(now + std::chrono::milliseconds{500},
                       answer{request.attempt, error{ec::disconnected, "no answer in 500 ms"}});
      if (chance(50)) requests_.emplace(now + delay(400), arrival{0, std::move(bytes), generation_});
      return;
    }
    requests_.emplace(arrives, arrival{request.attempt, std::move(bytes), generation_});
    open_.insert(request.attempt);
  }

  std::vector<answer> take_due(instant now) {
    while (!requests_.empty() && requests_.begin()->first <= now) {
      auto at = requests_.begin()->first;
      auto request = std::move(requests_.begin()->second);
      requests_.erase(requests_.begin());
      arrive(at, std::move(request));
    }
    std::vector<answer> due;
    while (!answers_.empty() && answers_.begin()->first <= now) {
      open_.erase(answers_.begin()->second.attempt);
      due.push_back(std::move(answers_.begin()->second));
      answers_.erase(answers_.begin());
    }
    return due;
  }

  [[nodiscard]] std::optional<instant> next() const {
    std::optional<instant> at;
    if (!requests_.empty()) at = requests_.begin()->first;
    if (!answers_.empty() && (!at || answers_.begin()->first < *at)) at = answers_.begin()->first;
    return at;
  }

  [[nodiscard]] const std::vector<std::string>& log() const { return log_; }
  std::set<std::string> poison; // a batch with this record is too large
  void calm() { faults_ = {}; }

private:
  struct arrival {
    uint64_t attempt; // 0: nobody waits for the answer
    std::vector<uint8_t> bytes;
    uint64_t generation;
  };
  struct remembered {
    int32_t first, last;
    int64_t base;
  };

  bool chance(unsigned percent) { return random_.below(100) < percent; }
  duration delay(uint64_t ms) { return std::chrono::microseconds{random_.below(ms * 1000) + 1}; }

  void arrive(instant now, arrival request) {
    bool same_link = request.generation == generation_;
    if (request.attempt == 0 || !same_link) {
      (void)append(request.bytes);
      return;
    }
    if (open_.count(request.attempt) == 0) return;
    if (chance(faults_.lose_request)) return cut(now);
    if (chance(faults_.late_request)) {
      requests_.emplace(now + delay(300), arrival{0, request.bytes, generation_});
      return cut(now);
    }
    if (chance(faults_.refuse)) return reply(now, request.attempt, error{ec::not_leader, "elsewhere"});
    if (chance(faults_.unknown)) {
      if (chance(50)) (void)append(request.bytes);
      return reply(now, request.attempt, error{ec::unknown_result, "who knows"});
    }
    auto outcome = append(request.bytes);
    if (chance(faults_.lose_answer)) return cut(now);
    reply(now, request.attempt, std::move(outcome));
  }

  void reply(instant now, uint64_t attempt, result<stored> outcome) {
    answers_.emplace(now + delay(2), answer{attempt, std::move(outcome)});
  }

  // The connection ends: everything without an answer is in doubt; what is on its way may still arrive.
  void cut(instant now) {
    ++generation_;
    link_clear_ = now;
    std::set<uint64_t> answered;
    for (auto& a : answers_)
      answered.insert(a.second.attempt);
    for (auto attempt : open_)
      if (answered.count(attempt) == 0)
        answers_.emplace(now + std::chrono::microseconds{1},
                         answer{attempt, error{ec::disconnected, "the connection ended"}});
    std::multimap<instant, arrival> still;
    for (auto& r : requests_)
      if (chance(50)) still.emplace(r.first + delay(20), std::move(r.second));
    requests_.swap(still);
  }

  result<stored> append(const std::vector<uint8_t>& bytes) {
    auto facts = validate_batch(bytes, {});
    REQUIRE(facts.ok());
    auto& header = facts->header;
    std::vector<std::string> values;
    auto reader = batch_reader::open(bytes);
    REQUIRE(reader.ok());
    for (;;) {
      auto next = reader->next();
      REQUIRE(next.ok());
      if (!*next) break;
      values.emplace_back(as_text(*(**next).record.value));
    }
    for (auto& value : values)
      if (poison.count(value) != 0) return error{ec::message_too_large, "poison"};
    if (header.idempotent()) {
      auto& known = producers_[header.producer.value()];
      for (auto& r : known)
        if (r.first == header.base_sequence && r.last == header.last_sequence()) return stored{r.base, -1};
      if (!known.empty() && header.base_sequence != ((known.back().last + 1) & 0x7fffffff))
        return error{ec::out_of_order_sequence, "expected " + std::to_string(known.back().last + 1) + ", got "
                                                    + std::to_string(header.base_sequence)};
      known.push_back({header.base_sequence, header.last_sequence(), static_cast<int64_t>(log_.size())});
      if (known.size() > 5) known.pop_front();
    }
    auto base = static_cast<int64_t>(log_.size());
    log_.insert(log_.end(), values.begin(), values.end());
    return stored{base, -1};
  }

  seeded_random random_;
  node_faults faults_;
  uint64_t generation_ = 1;
  instant link_clear_{};
  std::multimap<instant, arrival> requests_;
  std::multimap<instant, answer> answers_;
  std::set<uint64_t> open_;
  std::vector<std::string> log_;
  std::map<int64_t, std::deque<remembered>> producers_;
};

} // namespace pessoa::client::test
