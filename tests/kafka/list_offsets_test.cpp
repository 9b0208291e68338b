#include "tests/kafka/kafka_fixture.hpp"

using namespace pessoa;
using namespace pessoa::kafka;
using namespace pessoa::kafka::test;

namespace {

list_offsets_request at(const std::string& topic, int64_t time, int32_t partition = 0) {
  list_offsets_request out;
  auto& t = out.topics.emplace_back();
  t.name = topic;
  auto& p = t.partitions.emplace_back();
  p.partition_index = partition;
  p.timestamp = time;
  return out;
}

struct lister {
  node_peer& c;
  list_offsets_response::topic::partition operator()(const list_offsets_request& asked, int16_t version = 6) {
    return c.ask(asked, version).topics.at(0).partitions.at(0);
  }
};

} // namespace

TEST_CASE("kafka: offsets are listed by start, end and time, in every version", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  constexpr int64_t t0 = 1'700'000'000'000;
  c.produce("t", batch_of(3, 16, compression::none, t0)); // t0, t0 + 1, t0 + 2
  c.produce("t", batch_of(2, 16, compression::none, t0 + 100));
  lister list{c};
  auto epoch = c.route("t").partitions[0].epoch.value();
  for (int16_t version = 1; version <= 6; ++version) {
    CAPTURE(version);
    auto check = [&](int64_t asked, int64_t offset, int64_t time) {
      CAPTURE(asked);
      auto told = list(at("t", asked), version);
      CHECK(told.error_code == 0);
      CHECK(told.offset == offset);
      CHECK(told.timestamp == time);
      if (version >= 4) CHECK(told.leader_epoch == (offset < 0 ? -1 : epoch));
    };
    check(-1, 5, -1);
    check(-2, 0, -1);
    check(0, 0, t0);
    check(t0 + 1, 1, t0 + 1);
    check(t0 + 3, 3, t0 + 100);
    check(t0 + 101, 4, t0 + 101);
    check(t0 + 102, -1, -1);
    check(INT64_MAX, -1, -1);
  }
}

TEST_CASE("kafka: the epoch that is told is that of the offset that is told", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  {
    node_peer c{n};
    c.create("t");
    c.produce("t", batch_of(2, 16, compression::none, 1000));
  }
  REQUIRE(n.stop().ok());
  REQUIRE(n.start().ok());
  node_peer c{n};
  lister list{c};
  auto now = c.route("t").partitions[0].epoch.value();
  REQUIRE(now > 0);
  CHECK(list(at("t", -2)).leader_epoch == 0);
  CHECK(list(at("t", 1001)).leader_epoch == 0);
  CHECK(list(at("t", -1)).leader_epoch == now);
  c.produce("t", batch_of(1, 16, compression::none, 2000));
  CHECK(list(at("t", 2000)).leader_epoch == now);
  CHECK(list(at("t", -2)).leader_epoch == 0);

  for (auto time : {int64_t{-1}, int64_t{-2}, int64_t{0}}) {
    auto asked = at("t", time);
    auto& known = asked.topics[0].partitions[0].current_leader_epoch;
    known = now;
    CHECK(list(asked).error_code == 0);
    known = now - 1;
    CHECK(list(asked).error_code == 74);
    CHECK(list(asked, 3).error_code == 0);
    known = now + 1;
    CHECK(list(asked).error_code == 75);
    CHECK(list(asked).offset == -1);
  }
}

TEST_CASE("kafka: what cannot be listed is refused with Kafka's number", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  lister list{c};
  CHECK(list(at("t", -1)).offset == 0);
  CHECK(list(at("t", -2)).offset == 0);
  CHECK(list(at("t", 0)).offset == -1);
  CHECK(list(at("no", -1)).error_code == 3);
  CHECK(list(at("t", -1, 1)).error_code == 3);
  CHECK(list(at("t", -1, -1)).error_code == 3);
  for (int64_t time : {int64_t{-3}, int64_t{-4}, INT64_MIN}) {
    CHECK(list(at("t", time)).error_code == 35);
    CHECK(list(at("t", time)).offset == -1);
  }
  auto replica = at("t", -1);
  replica.replica_id = 1;
  CHECK(list(replica).error_code == 42);
}
