#include "schema/wire/metadata_codec.hpp"

#include "schema/seams/random.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;

namespace {

std::vector<metadata_record> one_of_each() {
  seeded_random random{7};
  auto id = [&] { return draw_uuid(random); };
  topic_id topic{id()};
  return {
    cluster_created{cluster_id{id()}, "prod"},
    node_registered{node_id{1}, directory_id{id()}, "127.0.0.1:18880", "", "[::1]:9092", "h:1", "r1", "0.1.0"},
    topic_created{topic, "orders", 3, {{"retention.ms", "-1"}}, {{{node_id{1}, node_id{2}}}, {{node_id{2}}}}},
    topic_deleted{topic},
    topic_config_changed{topic, {{"segment.bytes", "1048576"}, {"retention.ms", "1"}}},
    partitions_added{topic, {{{node_id{3}}}}},
    partition_changed{topic, partition_id{1}, node_id{2}, leader_epoch{5}, {node_id{1}, node_id{2}}, {node_id{2}}},
    producer_ids_allocated{node_id{1}, producer_id{2000}},
    feature_level_raised{2},
  };
}

} // namespace

TEST_CASE("metadata codec: every kind of record survives its bytes", "[schema][metadata]") {
  auto records = one_of_each();
  REQUIRE(records.size() == std::variant_size_v<metadata_record>);
  for (size_t i = 0; i < records.size(); ++i) {
    REQUIRE(records[i].index() == i);
    auto bytes = wire::encode_metadata(records[i]);
    auto back = wire::decode_metadata(bytes);
    REQUIRE(back.ok());
    CHECK(*back == records[i]);
  }
}

TEST_CASE("metadata codec: damaged bytes are refused or read as a record, never worse", "[schema][metadata]") {
  seeded_random random{11};
  auto records = one_of_each();
  size_t refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = wire::encode_metadata(records[random.below(records.size())]);
    for (uint64_t i = 0, n = 1 + random.below(4); i < n; ++i)
      bytes[random.below(bytes.size())] = static_cast<uint8_t>(random.next());
    if (random.below(4) == 0) bytes.resize(random.below(bytes.size()) + 1);
    refused += !wire::decode_metadata(bytes).ok();
  }
  CHECK(refused > 1000);
  CHECK(wire::decode_metadata({}).error().code == ec::corrupt_data);
}
