#include "schema/murmur2.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;

TEST_CASE("murmur2: keys hash as in Kafka's own tests", "[schema][murmur2]") {
  CHECK(murmur2(as_bytes("21")) == -973932308);
  CHECK(murmur2(as_bytes("foobar")) == -790332482);
  CHECK(murmur2(as_bytes("a-little-bit-long-string")) == -985981536);
  CHECK(murmur2(as_bytes("a-little-bit-longer-string")) == -1486304829);
  CHECK(murmur2(as_bytes("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")) == -58897971);
  CHECK(murmur2(as_bytes("abc")) == 479470107);
}

TEST_CASE("murmur2: the partition of a key is its hash without the sign, modulo the partitions",
          "[schema][murmur2]") {
  CHECK(partition_of_key(as_bytes("21"), 100) == partition_id{(-973932308 & 0x7fffffff) % 100});
  CHECK(partition_of_key(as_bytes("abc"), 7) == partition_id{479470107 % 7});
  for (int32_t partitions : {1, 2, 3, 10'000})
    for (int key = 0; key < 100; ++key) {
      auto p = partition_of_key(as_bytes(std::to_string(key)), partitions);
      REQUIRE((p >= partition_id{0} && p < partition_id{partitions}));
    }
  CHECK(partition_of_key({}, 1) == partition_id{0});
}
