#include "schema/ids.hpp"
#include "schema/seams/random.hpp"

#include <catch2/catch.hpp>

#include <unordered_set>

using namespace pessoa;

TEST_CASE("ids: numbers of different meaning do not mix", "[schema][ids]") {
  STATIC_REQUIRE_FALSE(std::is_convertible_v<int64_t, offset>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<offset, metadata_index>);
  STATIC_REQUIRE_FALSE(std::is_same_v<offset, metadata_index>);
  offset base{10};
  CHECK((base + 5) - base == 5);
  CHECK(offset{3} < offset{4});
}

TEST_CASE("ids: a uuid survives its text form", "[schema][ids]") {
  seeded_random random{1};
  for (int i = 0; i < 1000; ++i) {
    topic_id id{draw_uuid(random)};
    auto text = to_string(id);
    REQUIRE(text.size() == 22);
    REQUIRE(text.front() != '-');
    REQUIRE(topic_id{*parse_uuid(text)} == id);
  }
}

TEST_CASE("ids: the hyphenated form is read, other texts are refused", "[schema][ids]") {
  auto id = parse_uuid("00112233-4455-4677-8899-aabbccddeeff");
  REQUIRE(id);
  CHECK((*id)[0] == 0x00);
  CHECK((*id)[15] == 0xff);
  CHECK(parse_uuid(uuid_text(*id)) == id);
  CHECK_FALSE(parse_uuid(""));
  CHECK_FALSE(parse_uuid("00112233-4455-4677-8899-aabbccddeef"));
  CHECK_FALSE(parse_uuid("0011223344556677-8899-aabb-ccddeeff0"));
  CHECK_FALSE(parse_uuid("AAAAAAAAAAAAAAAAAAAAA!"));
  // The last character carries two bits of the id; a text whose unused bits are set names no id.
  CHECK(parse_uuid("AAAAAAAAAAAAAAAAAAAAAA"));
  CHECK_FALSE(parse_uuid("AAAAAAAAAAAAAAAAAAAAAB"));
}

TEST_CASE("ids: partition directories are named by topic id and index", "[schema][ids]") {
  seeded_random random{2};
  partition_key key{topic_id{draw_uuid(random)}, partition_id{7}};
  CHECK(to_string(key) == to_string(key.topic) + "-7");
  std::unordered_set<partition_key> set{key, key};
  CHECK(set.size() == 1);
}
