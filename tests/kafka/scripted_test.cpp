// What a whole node cannot be brought to at will: bugs, lying partitions, other nodes, full memory.
#include "kafka/errors.hpp"
#include "kafka/handlers/fetch_reads.hpp"
#include "tests/kafka/kafka_fixture.hpp"
#include "tests/kafka/scripted_gateway.hpp"

using namespace pessoa;
using namespace pessoa::kafka;
using namespace pessoa::kafka::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

struct stage {
  node::test_loop loop;
  pessoa::test::kept_log log;
  std::shared_ptr<scripted_gateway::script> s = std::make_shared<scripted_gateway::script>(loop);
  peer c{std::make_unique<scripted_gateway>(s), log};

  template <class Request>
  answer get(const Request& asked, int16_t version) {
    auto slot = c.begin(asked, version);
    loop.run();
    REQUIRE(slot->got.has_value());
    return std::move(*slot->got);
  }
  template <class Request>
  typename answered_by<Request>::type ask(const Request& asked, int16_t version) {
    return peer::read<Request>(get(asked, version), version);
  }
};

actors::fetched nothing_at(const actors::fetch_command& asked, int64_t high_watermark) {
  actors::fetched out;
  out.next = asked.from;
  out.high_watermark = offset{high_watermark};
  return out;
}
actors::fetched data_of(const actors::fetch_command& asked, size_t size, int64_t high_watermark = 100) {
  auto out = nothing_at(asked, high_watermark);
  out.batches = bytes::take(raw(size));
  return out;
}

fetch_request fetch_all(const std::string& topic, int32_t partitions, int32_t partition_max = 1 << 20) {
  fetch_request out;
  out.min_bytes = 1;
  out.max_wait_ms = 1000;
  out.topics.emplace_back().topic = topic;
  for (int32_t i = 0; i < partitions; ++i)
    node_peer::add(out, 0, i).partition_max_bytes = partition_max;
  return out;
}

} // namespace

TEST_CASE("kafka: a bug in a handler ends its connection alone and is logged", "[kafka]") {
  stage t;
  t.s->add_topic("t", 1);
  t.s->on_produce = [](auto...) -> result<protocol::produced> { throw std::runtime_error{"a defect"}; };
  auto a = t.get(node_peer::produce_of("t", batch_of(1)), 9);
  CHECK_FALSE(a.message.has_value());
  REQUIRE(a.close.has_value());
  CHECK(a.close->code == ec::internal);
  t.s->on_fetch = [](auto&&...) -> kj::Promise<result<actors::fetched>> {
    return kj::evalLater([]() -> result<actors::fetched> { KJ_FAIL_REQUIRE("another defect"); });
  };
  a = t.get(node_peer::fetch_of("t", 0), 11);
  REQUIRE(a.close.has_value());
  CHECK(a.close->code == ec::internal);
  std::string lines;
  for (auto& line : t.log.lines)
    lines += line + "\n";
  CHECK_THAT(lines, Contains("a defect") && Contains("another defect") && Contains("127.0.0.1:50001"));
  CHECK(t.ask(api_versions_request{"a", "1"}, 3).error_code == 0);
}

TEST_CASE("kafka: every error of a partition is answered by partition", "[kafka]") {
  stage t;
  t.s->add_topic("t", 1);
  for (auto& info : all_errors()) {
    if (info.code == ec::none) continue;
    CAPTURE(info.name);
    error why{info.code, "because"};
    t.s->on_produce = [&](auto...) { return result<protocol::produced>{why}; };
    t.s->on_fetch = [&](auto&&...) -> kj::Promise<result<actors::fetched>> {
      return result<actors::fetched>{why};
    };
    t.s->on_offset = [&](auto&&...) { return result<actors::offset_answer>{why}; };
    t.s->on_epoch = [&](auto&&...) { return result<protocol::epoch_end>{why}; };

    auto produced = t.ask(node_peer::produce_of("t", batch_of(1)), 9).topics[0].partitions[0];
    CHECK(produced.error_code == kafka_number(info.code, api_key::produce, 9));
    CHECK_THAT(produced.error_message.value_or(""), Contains("because"));
    CHECK(produced.base_offset == -1);

    auto a = t.get(node_peer::fetch_of("t", 0), 12);
    auto fetched = peer::read<fetch_request>(a, 12).topics[0].partitions[0];
    CHECK(fetched.records->empty());
    if (info.code == ec::overloaded)
      CHECK(a.mute > duration{0});
    else
      CHECK(fetched.error_code == kafka_number(info.code, api_key::fetch, 12));
    if (info.code == ec::not_leader || info.code == ec::fenced_leader_epoch) {
      CHECK(fetched.current_leader.leader_id == 1);
      CHECK(fetched.current_leader.leader_epoch == 3);
    }

    list_offsets_request offsets;
    offsets.topics.emplace_back().name = "t";
    offsets.topics[0].partitions.emplace_back().timestamp = -1;
    CHECK(t.ask(offsets, 6).topics[0].partitions[0].error_code
          == kafka_number(info.code, api_key::list_offsets, 6));
    offset_for_leader_epoch_request epochs;
    epochs.topics.emplace_back().topic = "t";
    epochs.topics[0].partitions.emplace_back();
    CHECK(t.ask(epochs, 4).topics[0].partitions[0].error_code
          == kafka_number(info.code, api_key::offset_for_leader_epoch, 4));
  }
}

TEST_CASE("kafka: a node without a Kafka listener is no broker, and a leader there is told as unreachable",
          "[kafka]") {
  stage t;
  t.s->add_node(2, "");
  t.s->add_node(3, "10.0.0.3:9093");
  t.s->add_topic("off", 1, 2);
  t.s->add_topic("on", 1, 3);
  t.s->add_topic("none", 1, -1);
  t.s->table->controller = node_id{2};
  auto told = t.ask(metadata_request{}, 9);
  REQUIRE(told.brokers.size() == 2);
  CHECK(told.brokers[0].host == "127.0.0.1");
  CHECK(told.brokers[1].node_id == 3);
  CHECK(told.brokers[1].host == "10.0.0.3");
  CHECK(told.brokers[1].port == 9093);
  CHECK(told.controller_id == -1);
  for (int16_t version : {5, 6}) {
    for (auto& topic : t.ask(metadata_request{}, version).topics) {
      auto& p = topic.partitions.at(0);
      CAPTURE(*topic.name, version);
      CHECK(topic.error_code == 0);
      if (topic.name == "on") {
        CHECK(p.error_code == 0);
        CHECK(p.leader_id == 3);
        CHECK(p.offline_replicas.empty());
      } else {
        CHECK(p.leader_id == -1);
        CHECK(p.error_code == (topic.name == "off" && version >= 6 ? 72 : 5));
        CHECK(p.offline_replicas.size() == 1);
      }
    }
  }
}

TEST_CASE("kafka: a partition of this node that is not open yet has no leader", "[kafka]") {
  stage t;
  auto& route = t.s->add_topic("t", 2);
  route.partitions[1].offline = error{ec::storage_failed, "the disk"};
  auto told = t.ask(metadata_request{}, 9).topics.at(0);
  for (auto& p : told.partitions) {
    CHECK(p.error_code == 5);
    CHECK(p.leader_id == -1);
    CHECK(p.leader_epoch == 3);
  }
  CHECK(told.partitions[0].offline_replicas.empty());
  CHECK(told.partitions[1].offline_replicas == std::vector<int32_t>{1});
}

TEST_CASE("kafka: topics that cannot come into being say so, so that a client asks again", "[kafka]") {
  stage t;
  t.s->creates = true;
  t.s->on_change = [](const std::string& name) -> result<actors::committed_change> {
    return error{name == "full"   ? ec::disk_full
                 : name == "many" ? ec::invalid_partitions
                                  : ec::timed_out,
                 ""};
  };
  metadata_request asked;
  asked.topics.emplace();
  for (auto name : {"full", "many", "slow"})
    asked.topics->emplace_back().name = name;
  auto told = t.ask(asked, 9).topics;
  CHECK(told.at(0).error_code == 56);
  CHECK(told.at(1).error_code == 37);
  CHECK(told.at(2).error_code == 5);
}

TEST_CASE("kafka: an id that cannot be had now is asked for again", "[kafka]") {
  stage t;
  for (auto code : {ec::leader_not_available, ec::overloaded, ec::timed_out, ec::shutting_down}) {
    t.s->on_id = [&] { return result<producer_id>{code, ""}; };
    auto told = t.ask(init_producer_id_request{}, 4);
    CHECK(told.error_code == 14);
    CHECK(told.producer_id == -1);
  }
}

TEST_CASE("kafka: a partition that will not let a fetch wait is answered and slowed down, not asked again "
          "and again",
          "[kafka]") {
  stage t;
  t.s->add_topic("t", 2);
  t.s->on_fetch = [](partition_id, actors::fetch_command& asked) -> kj::Promise<result<actors::fetched>> {
    return result<actors::fetched>{nothing_at(asked, 0)}; // also when it should park
  };
  auto a = t.get(fetch_all("t", 2), 11);
  CHECK(t.s->fetches <= 6);
  CHECK(a.mute > duration{0});
  CHECK(peer::read<fetch_request>(a, 11).throttle_time_ms > 0);
}

TEST_CASE("kafka: a fetch of many partitions asks for no more at a time than its bound, and few times",
          "[kafka]") {
  stage t;
  constexpr int32_t count = 300;
  t.s->add_topic("t", count);
  size_t open = 0, most = 0;
  t.s->on_fetch = [&](partition_id index,
                      actors::fetch_command& asked) -> kj::Promise<result<actors::fetched>> {
    open += asked.bytes_max;
    most = std::max(most, open);
    auto size = index.value() % 3 == 0 ? std::min<size_t>(asked.bytes_max, 5000) : 0;
    return kj::evalLater(
        [&open, given = asked.bytes_max, out = data_of(asked, size, index.value() % 3 == 0 ? 9 : 0)] {
          open -= given;
          return result<actors::fetched>{out};
        });
  };
  auto asked = fetch_all("t", count);
  asked.max_bytes = 4 << 20;
  auto told = t.ask(asked, 11);
  CHECK(most <= 4u << 20);
  CHECK(t.s->fetches <= 2 * count);
  for (auto& p : told.topics.at(0).partitions)
    CHECK(p.records->size() == (p.partition_index % 3 == 0 ? 5000 : 0));
}

TEST_CASE("kafka: a fetch is not held for ever by bytes that come in drops", "[kafka]") {
  stage t;
  t.s->add_topic("t", 2);
  size_t grown = 0;
  t.s->on_fetch = [&](partition_id, actors::fetch_command& asked) -> kj::Promise<result<actors::fetched>> {
    ++grown; // each time a byte more, and never enough
    auto size = std::min(grown, asked.bytes_max);
    return kj::evalLater([out = data_of(asked, size)] { return result<actors::fetched>{out}; });
  };
  auto asked = fetch_all("t", 2);
  asked.min_bytes = 1 << 20;
  auto told = t.ask(asked, 11);
  CHECK(told.topics.at(0).partitions.at(0).records->size() > 0);
  CHECK(t.s->fetches <= 4 * fetch_rounds_max + 4);
}

TEST_CASE("kafka: what a fetch reads is counted for as long as the answer lives", "[kafka]") {
  stage t;
  t.s->add_topic("t", 1);
  t.s->on_fetch = [&](partition_id, actors::fetch_command& asked) -> kj::Promise<result<actors::fetched>> {
    auto out = data_of(asked, 3000);
    out.charge = scripted_gateway{t.s}.reserve_reply(asked.bytes_max);
    return result<actors::fetched>{out};
  };
  {
    auto a = t.get(fetch_all("t", 1), 11);
    CHECK(t.s->reserved == 3000); // not the MiB that was asked for
  }
  CHECK(t.s->reserved == 0);
  {
    auto a = t.get(fetch_all("t", 1, 100), 11); // a batch above the bound
    CHECK(t.s->reserved == 3000);
    t.s->room = false;
    auto b = t.get(fetch_all("t", 1, 100), 11);
    CHECK(b.mute > duration{0});
    CHECK(peer::read<fetch_request>(b, 11).topics.at(0).partitions.at(0).records->empty());
  }
  CHECK(t.s->reserved == 0);
}

TEST_CASE("kafka: a fetch that wakes when the memory for answers is full is slowed down too", "[kafka]") {
  stage t;
  t.s->add_topic("t", 2);
  kj::Own<kj::PromiseFulfiller<result<actors::fetched>>> parked;
  t.s->on_fetch = [&](partition_id index,
                      actors::fetch_command& asked) -> kj::Promise<result<actors::fetched>> {
    if (asked.bytes_min == 0 || index.value() > 0) {
      if (asked.bytes_min == 0)
        return result<actors::fetched>{nothing_at(asked, asked.bytes_max == 0 ? 5 : 0)};
      return kj::NEVER_DONE;
    }
    auto made = kj::newPromiseAndFulfiller<result<actors::fetched>>();
    parked = kj::mv(made.fulfiller);
    return kj::mv(made.promise);
  };
  auto slot = t.c.begin(fetch_all("t", 2), 11);
  t.loop.run();
  REQUIRE_FALSE(slot->got.has_value());
  parked->fulfill(error{ec::overloaded, "full"});
  t.loop.run();
  REQUIRE(slot->got.has_value());
  CHECK(slot->got->mute > duration{0});
  auto told = peer::read<fetch_request>(*slot->got, 11).topics.at(0).partitions;
  CHECK(told.at(0).error_code == 0);
  CHECK(told.at(0).high_watermark == 5); // asked for, so that it is not taken for the end
  CHECK(told.at(1).error_code == 0);
}

TEST_CASE("kafka: the bytes that are missing are shared out among all that are waited for", "[kafka]") {
  stage t;
  t.s->add_topic("t", 3);
  std::vector<size_t> thresholds;
  t.s->on_fetch = [&](partition_id index,
                      actors::fetch_command& asked) -> kj::Promise<result<actors::fetched>> {
    if (asked.bytes_min == 0) return result<actors::fetched>{data_of(asked, index.value() == 1 ? 400 : 0)};
    thresholds.push_back(asked.bytes_min);
    return kj::NEVER_DONE;
  };
  auto asked = fetch_all("t", 3);
  asked.min_bytes = 1000;
  auto slot = t.c.begin(asked, 11);
  t.loop.run();
  CHECK(thresholds == std::vector<size_t>{200, 600, 200});
  t.s->pass(1001ms);
  REQUIRE(slot->got.has_value());
  CHECK(peer::read<fetch_request>(*slot->got, 11).topics.at(0).partitions.at(1).records->size() == 400);
}

TEST_CASE("kafka: an answer that cannot be encoded ends the connection", "[kafka]") {
  stage t;
  auto& route = t.s->add_topic("t", 1);
  route.name = std::string(40'000, 'x'); // no length field of an old version holds it
  auto a = t.get(metadata_request{}, 1);
  CHECK_FALSE(a.message.has_value());
  CHECK(a.close.has_value());
}
