// An image that grows by records, and shorthand for the records.
#pragma once

#include "protocol/metadata/controller_rules.hpp"

#include <catch2/catch.hpp>

namespace pessoa::protocol {

inline std::array<uint8_t, 16> raw_id(uint8_t n) { return {n}; }

inline node_registered node_record(int32_t id, uint8_t directory = 0) {
  auto host = "host" + std::to_string(id);
  return {node_id{id},
          directory_id{raw_id(directory != 0 ? directory : static_cast<uint8_t>(100 + id))},
          host + ":18880",
          host + ":18881",
          "",
          host + ":18882",
          "",
          "0.1.0"};
}

inline std::vector<node_id> nodes_of(std::initializer_list<int32_t> ids) {
  std::vector<node_id> out;
  for (auto id : ids)
    out.push_back(node_id{id});
  return out;
}

inline topic_created topic_record(uint8_t id, std::string name,
                                  std::vector<partition_assignment> partitions) {
  return {topic_id{raw_id(id)}, std::move(name), 1, {}, std::move(partitions)};
}

struct metadata_fixture {
  metadata_image image;
  seeded_random random{42};

  result<void> take(const metadata_record& record) { return image.apply(record, image.last() + 1); }
  void must(const metadata_record& record) {
    auto taken = take(record);
    INFO((taken.ok() ? std::string{} : to_string(taken.error())));
    REQUIRE(taken.ok());
    REQUIRE(image.check_invariants().value_or("") == "");
  }
  // Decided records apply whole (the promise of controller_rules.hpp).
  void must(const result<metadata_records>& records) {
    INFO((records.ok() ? std::string{} : to_string(records.error())));
    REQUIRE(records.ok());
    for (auto& record : *records)
      must(record);
  }
  // Refused as internal, and nothing has changed.
  void must_refuse(const metadata_record& record) {
    auto before = image;
    auto taken = take(record);
    REQUIRE_FALSE(taken.ok());
    CHECK(taken.error().code == ec::internal);
    CHECK(image == before);
    CHECK(image.digest() == before.digest());
  }
  void form(int32_t nodes = 1) {
    must(cluster_created{cluster_id{raw_id(9)}, "test"});
    for (int32_t id = 1; id <= nodes; ++id)
      must(register_node(node_record(id), image));
  }
  const topic_state& create(const std::string& name, int32_t partitions = 1, int32_t replicas = -1) {
    must(create_topic({name, partitions, replicas, {}}, image, random));
    return *image.find(name);
  }
};

} // namespace pessoa::protocol
