// Idempotent producers that keep five batches in flight over a network with delays, against a log that
// refuses, is slow, fails and changes its epoch: every batch is in the log exactly once and in order, and no
// producer comes to an end (KIP-98; failures T9, T16).
//
// The clients do what Kafka's do: they keep the order of sequences when they send again, and
// out_of_order_sequence is the end only for the first batch that is not acknowledged; behind it, it means
// that an earlier one was turned away. They name the leader epoch they know, and send nothing to a new one
// before all answers of the old one are in: an unknown producer may begin anywhere, so a later batch that
// overtakes the first would be taken for the beginning.
#include "schema/seams/random.hpp"
#include "tests/protocol/partition_fixture.hpp"

#include <deque>
#include <set>

using namespace pessoa;
using namespace pessoa::protocol;

namespace {

constexpr int32_t batches_per_client = 60;
constexpr size_t in_flight_max = 5;
constexpr int32_t records = 3;

struct message {
  size_t client;
  int32_t batch;
  leader_epoch known;
};
struct reply {
  message to;
  ec code;
};

class pipelined_client {
public:
  explicit pipelined_client(size_t index) : index_(index) {}

  [[nodiscard]] bool done() const { return acknowledged_ == batches_per_client; }
  // What it would send now: the earliest that must go again, or a new one.
  std::optional<message> next(leader_epoch known) {
    if (in_flight_.size() >= in_flight_max || (known != sent_to_ && !in_flight_.empty())) return std::nullopt;
    sent_to_ = known;
    int32_t batch;
    if (!again_.empty()) {
      // Only once what was sent before it is answered, so that it stays in order.
      if (!in_flight_.empty() && *in_flight_.begin() < *again_.begin()) return std::nullopt;
      batch = *again_.begin();
      again_.erase(again_.begin());
    } else if (next_ < batches_per_client) {
      batch = next_++;
    } else {
      return std::nullopt;
    }
    in_flight_.insert(batch);
    return message{index_, batch, known};
  }
  void hear(int32_t batch, ec code) {
    REQUIRE(in_flight_.erase(batch) == 1);
    INFO("client " << index_ << " batch " << batch << ": " << code);
    if (code == ec::none) {
      ++acknowledged_;
      return;
    }
    auto category = describe(code).category;
    bool first =
        (in_flight_.empty() || batch < *in_flight_.begin()) && (again_.empty() || batch < *again_.begin());
    REQUIRE((category != error_category::fatal || (code == ec::out_of_order_sequence && !first)));
    REQUIRE(category != error_category::request);
    again_.insert(batch);
  }

private:
  size_t index_;
  int32_t next_ = 0, acknowledged_ = 0;
  std::set<int32_t> in_flight_, again_;
  leader_epoch sent_to_{0};
};

struct pipeline_world : partition_fixture {
  explicit pipeline_world(uint64_t seed) : random(seed) {
    settings.waiting_bytes_max = 1500 + random.below(4000);
    begin();
    for (size_t i = 0; i < 3; ++i)
      clients.emplace_back(i);
  }

  bool done() const {
    return std::all_of(clients.begin(), clients.end(), [](auto& c) { return c.done(); });
  }
  void step() {
    switch (random.below(12)) {
    case 0:
    case 1:
    case 2: {
      auto& client = clients[random.below(clients.size())];
      if (auto sent = client.next(known_epoch)) to_leader.push_back(*sent);
      break;
    }
    case 3:
    case 4:
    case 5:
      deliver();
      break;
    case 6:
    case 7:
      hear();
      break;
    case 8:
    case 9:
      commit(draw_boundary());
      break;
    case 10:
      pass(static_cast<int64_t>(random.below(30)));
      break;
    default:
      trouble();
      break;
    }
    collect();
  }

  std::vector<partition_fixture::written> durable_log; // of all epochs
  size_t refusals = 0, epochs = 0;

private:
  void deliver() {
    if (to_leader.empty()) return;
    auto m = to_leader.front();
    to_leader.pop_front();
    auto id = produce(batch_of(static_cast<int64_t>(m.client) + 1, 0, m.batch * records, records), acks::all,
                      40, m.known);
    open[id] = m;
  }
  void hear() {
    if (to_clients.empty()) return;
    auto r = to_clients.front();
    to_clients.pop_front();
    if (r.code == ec::fenced_leader_epoch || r.code == ec::not_leader) known_epoch = leader->epoch();
    clients[r.to.client].hear(r.to.batch, r.code);
  }
  void collect() {
    for (auto& [id, outcome] : produce_answers) {
      auto at = open.find(id);
      if (at == open.end()) continue;
      to_clients.push_back({at->second, outcome.ok() ? ec::none : outcome.error().code});
      open.erase(at);
    }
  }
  int64_t draw_boundary() {
    std::vector<int64_t> ends{leader->high_watermark().value()};
    for (auto& batch : log) {
      if (batch.header.next_offset() > leader->high_watermark())
        ends.push_back(batch.header.next_offset().value());
    }
    return ends[random.below(ends.size())];
  }
  void trouble() {
    auto kind = random.below(8);
    if (kind < 3) {
      refuse(draw_boundary());
      ++refusals;
    } else if (kind == 3) {
      if (random.below(2)) fail();
      collect();
      end();
      collect();
      keep_durable();
      ++epochs;
      begin(0, leader->high_watermark().value(), leader->epoch().value() + 1);
    }
  }

public:
  void keep_durable() {
    for (auto& batch : log) {
      if (batch.header.next_offset() > leader->high_watermark()) break;
      durable_log.push_back(batch);
      before.apply(batch.header, batch.time);
    }
  }

private:
  seeded_random random;
  std::vector<pipelined_client> clients;
  std::deque<message> to_leader;
  std::deque<reply> to_clients;
  std::map<request_id, message> open;
  leader_epoch known_epoch{0};
};

} // namespace

TEST_CASE("partition: pipelined producers come through trouble exactly once and in order",
          "[protocol][partition][model]") {
  size_t refusals = 0, epochs = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    pipeline_world world{seed};
    int steps = 0;
    while (!world.done() && ++steps < 200'000)
      world.step();
    REQUIRE(world.done());
    world.keep_durable();
    std::map<producer_id, int32_t> expected;
    for (auto& batch : world.durable_log) {
      auto& next = expected[batch.header.producer];
      REQUIRE(batch.header.base_sequence == next);
      next += records;
    }
    REQUIRE(expected.size() == 3);
    for (auto& [producer, next] : expected)
      REQUIRE(next == batches_per_client * records);
    refusals += world.refusals;
    epochs += world.epochs;
  }
  CHECK(refusals > 1000);
  CHECK(epochs > 300);
}
