#include "kafka/handlers/fetch_reads.hpp"
#include "tests/kafka/kafka_fixture.hpp"

using namespace pessoa;
using namespace pessoa::kafka;
using namespace pessoa::kafka::test;
using namespace std::chrono_literals;

namespace {

using partition_entry = fetch_response::topic::partition;

partition_entry first_of(const answer& a, int16_t version = 11) {
  return peer::read<fetch_request>(a, version).topics.at(0).partitions.at(0);
}
fetch_request parked(const std::string& topic, int64_t from, int32_t wait_ms = 60'000) {
  auto out = node_peer::fetch_of(topic, from);
  out.max_wait_ms = wait_ms;
  return out;
}
int64_t base_of(const partition_entry& p) {
  return parse_batch_header(p.records->view())->base_offset.value();
}

} // namespace

TEST_CASE("kafka: a fetch brings batches as they lie in the log, from the one that holds the offset",
          "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  auto first = batch_of(3, 700), second = batch_of(2, 300);
  c.produce("t", first);
  c.produce("t", second);
  for (int16_t version = 4; version <= 12; ++version) {
    CAPTURE(version);
    auto p = c.fetch("t", 1, version);
    CHECK(p.error_code == 0);
    CHECK(p.high_watermark == 5);
    CHECK(p.last_stable_offset == 5);
    if (version >= 5) CHECK(p.log_start_offset == 0);
    CHECK(p.aborted_transactions == std::nullopt);
    CHECK(base_of(p) == 0);
    CHECK(p.records->size() == first.size() + second.size());
    CHECK(base_of(c.fetch("t", 3, version)) == 3);
    CHECK(c.fetch("t", 5, version).records->empty());
    CHECK(c.fetch("t", 5, version).error_code == 0);
  }
}

TEST_CASE("kafka: record bytes go out from where the log was read to", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t", 3);
  size_t all = 0;
  auto asked = node_peer::fetch_of("t", 0);
  for (int32_t i = 0; i < 3; ++i) {
    auto batch = batch_of(10, 1000);
    all += batch.size();
    c.produce("t", batch, i);
    if (i > 0) node_peer::add(asked, 0, i);
  }
  auto a = c.get(asked, 12);
  CHECK(c.counted.fetched_bytes_in_place == all);
  CHECK(c.counted.fetched_bytes_moved == 0);
  CHECK(a.charges.size() == 3);
  CHECK(c.replies->now().used > 0);
  a = {};
  CHECK(c.replies->now().used == 0);
  // What is smaller than a piece of its own is worth is copied, and counted so.
  c.create("small");
  c.produce("small", batch_of(1));
  c.fetch("small", 0);
  CHECK(c.counted.fetched_bytes_moved == batch_of(1).size());
}

TEST_CASE("kafka: a fetch that cannot be served is refused with Kafka's number", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  c.produce("t", batch_of(3));
  CHECK(c.fetch("no", 0).error_code == 3);
  CHECK(c.fetch("", 0).error_code == 3);
  for (int64_t from : {int64_t{4}, int64_t{-1}, INT64_MAX, INT64_MIN}) {
    auto p = c.fetch("t", from);
    CHECK(p.error_code == 1);
    CHECK(p.high_watermark == -1);
    CHECK(p.records->empty());
  }
  for (int32_t index : {1, -1, INT32_MAX, INT32_MIN}) {
    auto asked = node_peer::fetch_of("t", 0, index);
    CHECK(c.ask(asked, 11).topics[0].partitions[0].error_code == 3);
  }
  auto replica = node_peer::fetch_of("t", 0);
  replica.replica_id = 2;
  CHECK(c.ask(replica, 11).topics[0].partitions[0].error_code == 42);
  replica.replica_id = -2; // a tool
  CHECK(c.ask(replica, 11).topics[0].partitions[0].error_code == 0);
  auto isolated = node_peer::fetch_of("t", 0);
  isolated.isolation_level = 2;
  CHECK(c.end_of(isolated, 11) == ec::malformed_message);
}

TEST_CASE("kafka: a client's leader epoch is checked, and from version 12 on it hears who leads", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  REQUIRE(n.stop().ok());
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  c.produce("t", batch_of(1));
  auto epoch = c.route("t").partitions[0].epoch.value();
  auto ask = [&](int32_t known, int16_t version) {
    auto asked = node_peer::fetch_of("t", 0);
    asked.topics[0].partitions[0].current_leader_epoch = known;
    return c.ask(asked, version).topics[0].partitions[0];
  };
  CHECK(ask(epoch, 9).error_code == 0);
  CHECK(ask(-1, 9).error_code == 0);
  CHECK(ask(epoch + 1, 9).error_code == 75);
  CHECK(ask(epoch + 1, 8).error_code == 0); // the version cannot say it
}

TEST_CASE("kafka: a fetch of an older epoch is fenced", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  {
    node_peer c{n};
    c.create("t");
    c.produce("t", batch_of(2));
  }
  REQUIRE(n.stop().ok());
  REQUIRE(n.start().ok());
  node_peer c{n};
  auto epoch = c.route("t").partitions[0].epoch.value();
  REQUIRE(epoch > 0);
  auto asked = node_peer::fetch_of("t", 0);
  asked.topics[0].partitions[0].current_leader_epoch = epoch - 1;
  auto p = c.ask(asked, 12).topics[0].partitions[0];
  CHECK(p.error_code == 74);
  CHECK(p.current_leader.leader_id == 1);
  CHECK(p.current_leader.leader_epoch == epoch);

  // Where the client's last record came from another epoch than ours, it hears where ours ended (12).
  auto diverging = [&](int32_t last, int64_t from) {
    auto q = node_peer::fetch_of("t", from);
    q.topics[0].partitions[0].last_fetched_epoch = last;
    return c.ask(q, 12).topics[0].partitions[0];
  };
  CHECK(diverging(0, 2).error_code == 0);
  CHECK(diverging(0, 2).diverging_epoch.epoch == -1);
  p = diverging(0, 3); // it has more of epoch 0 than there is here
  CHECK(p.error_code == 0);
  CHECK(p.diverging_epoch.epoch == 0);
  CHECK(p.diverging_epoch.end_offset == 2);
  CHECK(p.records->empty());
  CHECK(diverging(epoch + 1, 2).error_code == 1);
}

TEST_CASE("kafka: no session is given, and one that was never given is an error", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  c.produce("t", batch_of(1));
  struct {
    int32_t id, epoch;
    int16_t code;
  } const cases[] = {{0, -1, 0}, {0, 0, 0},          {5, -1, 0}, {5, 0, 0},
                     {5, 1, 70}, {5, INT32_MAX, 70}, {0, 1, 71}, {5, -2, 71}};
  for (auto& x : cases) {
    CAPTURE(x.id, x.epoch);
    auto asked = node_peer::fetch_of("t", 0);
    asked.session_id = x.id;
    asked.session_epoch = x.epoch;
    auto told = c.ask(asked, 7);
    CHECK(told.error_code == x.code);
    CHECK(told.session_id == 0);
    CHECK(told.topics.size() == (x.code == 0 ? 1u : 0u));
  }
}

TEST_CASE("kafka: with read_committed nothing is aborted, which is not the same as nothing asked",
          "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  c.produce("t", batch_of(1));
  auto asked = node_peer::fetch_of("t", 0);
  CHECK_FALSE(c.ask(asked, 11).topics[0].partitions[0].aborted_transactions.has_value());
  asked.isolation_level = 1;
  auto p = c.ask(asked, 11).topics[0].partitions[0];
  REQUIRE(p.aborted_transactions.has_value());
  CHECK(p.aborted_transactions->empty());
}

TEST_CASE("kafka: an answer is bounded, and the first partition with data gives a whole batch", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t", 4);
  auto large = batch_of(1, 50'000), small = batch_of(1, 1000);
  c.produce("t", large, 1);
  c.produce("t", small, 2);
  c.produce("t", small, 2);
  c.produce("t", large, 3);
  auto sizes = [&](int32_t max_bytes, int32_t partition_max) {
    fetch_request asked;
    asked.max_bytes = max_bytes;
    asked.min_bytes = 1;
    asked.topics.emplace_back().topic = "t";
    for (int32_t i = 0; i < 4; ++i)
      node_peer::add(asked, 0, i).partition_max_bytes = partition_max;
    auto told = c.ask(asked, 11);
    std::vector<size_t> out;
    for (auto& p : told.topics.at(0).partitions) {
      CHECK(p.error_code == 0);
      CHECK(p.high_watermark == (p.partition_index == 0 ? 0 : p.partition_index == 2 ? 2 : 1));
      out.push_back(p.records->size());
    }
    return out;
  };
  using v = std::vector<size_t>;
  auto l = large.size(), s = small.size();
  CHECK(sizes(1 << 20, 1 << 20) == v{0, l, 2 * s, l});
  // The first that has data gives its batch though it is larger than its bound, or than all bounds; the rest what fits.
  CHECK(sizes(1 << 20, 2000) == v{0, l, s, 0});
  CHECK(sizes(1000, 1 << 20) == v{0, l, 0, 0});
  CHECK(sizes(1, 1) == v{0, l, 0, 0});
  CHECK(sizes(0, 0) == v{0, l, 0, 0});
  CHECK(sizes(INT32_MIN, INT32_MIN) == v{0, l, 0, 0});
  CHECK(sizes(static_cast<int32_t>(l + s), 1 << 20) == v{0, l, s, 0});
  CHECK(sizes(INT32_MAX, INT32_MAX) == v{0, l, 2 * s, l});
}

TEST_CASE(
    "kafka: many partitions share the bound of one answer, and one full of data does not hold up the others",
    "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  constexpr int32_t count = 40;
  c.create("t", count);
  auto batch = batch_of(1, 200'000);
  for (int32_t i = 0; i < count; i += 2)
    for (int k = 0; k < 3; ++k)
      c.produce("t", batch, i);
  fetch_request asked;
  asked.max_bytes = 2'000'000;
  asked.min_bytes = 1;
  asked.topics.emplace_back().topic = "t";
  for (int32_t i = 0; i < count; ++i)
    node_peer::add(asked, 0, i);
  auto told = c.ask(asked, 11);
  size_t all = 0;
  for (auto& p : told.topics.at(0).partitions) {
    all += p.records->size();
    CHECK(p.high_watermark == (p.partition_index % 2 == 0 ? 3 : 0));
  }
  CHECK(told.topics[0].partitions[0].records->size() > 0);
  CHECK(all > 0);
  CHECK(all <= 2'000'000 + batch.size());
}

TEST_CASE("kafka: a fetch waits for a record, and no longer than it was told", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t", 3);
  auto asked = parked("t", 0, 500);
  node_peer::add(asked, 0, 1);
  node_peer::add(asked, 0, 2);
  auto slot = c.begin(asked, 11);
  n.settle();
  CHECK_FALSE(slot->got.has_value());
  c.produce("t", batch_of(1), 2);
  REQUIRE(slot->got.has_value());
  auto told = peer::read<fetch_request>(*slot->got, 11);
  CHECK(told.topics.at(0).partitions.at(0).records->empty());
  CHECK(base_of(told.topics[0].partitions.at(2)) == 0);
  CHECK(told.throttle_time_ms == 0);

  asked.topics[0].partitions[2].fetch_offset = 1;
  slot = c.begin(asked, 11);
  n.pass(499ms);
  CHECK_FALSE(slot->got.has_value());
  n.pass(2ms);
  REQUIRE(slot->got.has_value());
  told = peer::read<fetch_request>(*slot->got, 11);
  for (auto& p : told.topics.at(0).partitions) {
    CHECK(p.error_code == 0);
    CHECK(p.records->empty());
    CHECK(p.high_watermark == (p.partition_index == 2 ? 1 : 0));
  }
  CHECK(told.throttle_time_ms == 0);
  CHECK(slot->got->mute == duration{0});
}

TEST_CASE("kafka: a fetch that waits for many bytes counts those of all partitions", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t", 2);
  auto batch = batch_of(1, 1000);
  auto asked = parked("t", 0);
  node_peer::add(asked, 0, 1);
  asked.min_bytes = static_cast<int32_t>(4 * batch.size());
  auto slot = c.begin(asked, 11);
  n.settle();
  for (int32_t i = 0; i < 3; ++i) {
    c.produce("t", batch, i % 2);
    CHECK_FALSE(slot->got.has_value());
  }
  c.produce("t", batch, 1);
  REQUIRE(slot->got.has_value());
  auto told = peer::read<fetch_request>(*slot->got, 11);
  CHECK(told.topics.at(0).partitions.at(0).records->size() == 2 * batch.size());
  CHECK(told.topics[0].partitions.at(1).records->size() == 2 * batch.size());

  // At the deadline it takes what there is.
  asked.max_wait_ms = 1000;
  asked.min_bytes = 1 << 20;
  slot = c.begin(asked, 11);
  n.pass(999ms);
  CHECK_FALSE(slot->got.has_value());
  c.produce("t", batch, 0);
  n.pass(2ms);
  REQUIRE(slot->got.has_value());
  told = peer::read<fetch_request>(*slot->got, 11);
  CHECK(told.topics.at(0).partitions.at(0).records->size() == 3 * batch.size());
}

TEST_CASE("kafka: an error of one partition is told at once, and comes with what the others have",
          "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t", 2);
  c.produce("t", batch_of(1), 0);
  auto asked = parked("t", 0);
  asked.min_bytes = 1 << 20;
  node_peer::add(asked, 9, 1);
  auto told = c.ask(asked, 11);
  CHECK(base_of(told.topics.at(0).partitions.at(0)) == 0);
  CHECK(told.topics[0].partitions.at(1).error_code == 1);

  // Also one that comes while it waits.
  asked = parked("t", 1);
  auto slot = c.begin(asked, 11);
  n.settle();
  REQUIRE(n.get(c.from->to->delete_topic("t")).ok());
  n.settle();
  REQUIRE(slot->got.has_value());
  auto code = first_of(*slot->got).error_code;
  CHECK((code == 6 || code == 3));
}

TEST_CASE("kafka: a fetch that is dropped is abandoned", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t", 2);
  auto asked = parked("t", 0);
  node_peer::add(asked, 0, 1);
  auto frame = peer::frame(asked, 11);
  std::weak_ptr<void> held = frame.charge;
  {
    auto slot = c.begin(std::move(frame));
    n.settle();
    CHECK_FALSE(slot->got.has_value());
    CHECK_FALSE(held.expired());
  }
  n.settle();
  CHECK(held.expired());
  auto reads = c.counted.fetched_bytes_in_place + c.counted.fetched_bytes_moved;
  c.produce("t", batch_of(1));
  CHECK(c.counted.fetched_bytes_in_place + c.counted.fetched_bytes_moved == reads);
  CHECK(c.replies->now().used == 0);
}

TEST_CASE("kafka: when the memory for answers is full, a fetch is answered empty and throttled", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t", 2);
  c.produce("t", batch_of(1, 5000));
  auto all = c.replies->take(connection_bytes_budget);
  auto asked = parked("t", 0);
  node_peer::add(asked, 0, 1);
  auto a = c.get(asked, 11);
  auto told = peer::read<fetch_request>(a, 11);
  auto& p = told.topics.at(0).partitions.at(0);
  CHECK(p.error_code == 0);
  CHECK(p.records->empty());
  CHECK(p.high_watermark == 1); // so that nobody takes it for the end
  CHECK(told.throttle_time_ms > 0);
  CHECK(a.mute == std::chrono::milliseconds{told.throttle_time_ms});
  all.release();
  CHECK(c.fetch("t", 0).records->size() == batch_of(1, 5000).size());
}

TEST_CASE("kafka: a fetch that wants no bytes of any partition waits as long as it was told", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  auto asked = parked("t", 0, 500);
  asked.topics[0].partitions[0].partition_max_bytes = 0;
  auto slot = c.begin(asked, 11);
  n.pass(499ms);
  CHECK_FALSE(slot->got.has_value());
  n.pass(2ms);
  REQUIRE(slot->got.has_value());
  CHECK(first_of(*slot->got).error_code == 0);
  // The first batch is given even so (KIP-74).
  c.produce("t", batch_of(1));
  CHECK_FALSE(first_of(c.get(asked, 11)).records->empty());
}

TEST_CASE("kafka: a fetch of nothing is answered at once", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  fetch_request asked;
  asked.max_wait_ms = 60'000;
  asked.min_bytes = 1;
  CHECK(c.ask(asked, 12).topics.empty());
}
