#include "schema/crc32c.hpp"
#include "schema/seams/random.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;

TEST_CASE("crc32c: the published vectors come out", "[schema][crc32c]") {
  std::vector<uint8_t> zeros(32, 0), ones(32, 0xff), up(32), down(32);
  for (size_t i = 0; i < 32; ++i) {
    up[i] = static_cast<uint8_t>(i);
    down[i] = static_cast<uint8_t>(31 - i);
  }
  // RFC 3720, B.4; the check value of the CRC catalogue.
  for (auto* crc : {crc32c, crc32c_portable}) {
    CHECK(crc(zeros, 0) == 0x8a9136aa);
    CHECK(crc(ones, 0) == 0x62a8ab43);
    CHECK(crc(up, 0) == 0x46dd794e);
    CHECK(crc(down, 0) == 0x113fdb5c);
    CHECK(crc(as_bytes("123456789"), 0) == 0xe3069283);
    CHECK(crc({}, 0) == 0);
  }
}

TEST_CASE("crc32c: the processor and the table agree at every length and alignment", "[schema][crc32c]") {
  seeded_random random{1};
  std::vector<uint8_t> data(5000);
  for (auto& byte : data)
    byte = static_cast<uint8_t>(random.next());
  byte_view all{data};
  for (size_t begin = 0; begin < 9; ++begin)
    for (size_t size = 0; size < 300; ++size)
      REQUIRE(crc32c(all.subspan(begin, size)) == crc32c_portable(all.subspan(begin, size)));
  CHECK(crc32c(all) == crc32c_portable(all));
}

TEST_CASE("crc32c: pieces give the checksum of the whole", "[schema][crc32c]") {
  seeded_random random{2};
  std::vector<uint8_t> data(1000);
  for (auto& byte : data)
    byte = static_cast<uint8_t>(random.next());
  byte_view all{data};
  auto whole = crc32c(all);
  for (size_t cut = 0; cut <= data.size(); ++cut) {
    REQUIRE(crc32c(all.subspan(cut), crc32c(all.first(cut))) == whole);
    REQUIRE(crc32c_portable(all.subspan(cut), crc32c_portable(all.first(cut))) == whole);
  }
  CHECK(crc32c({}, 0x12345678) == 0x12345678);
}
