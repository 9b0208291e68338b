#include "schema/seams/random.hpp"
#include "schema/varint.hpp"

#include <catch2/catch.hpp>

#include <limits>
#include <vector>

using namespace pessoa;

namespace {

std::vector<uint8_t> varint(int32_t x) {
  uint8_t raw[varint_bytes_max];
  return {raw, write_varint(raw, x)};
}
std::vector<uint8_t> varlong(int64_t x) {
  uint8_t raw[varlong_bytes_max];
  return {raw, write_varlong(raw, x)};
}
using raw = std::vector<uint8_t>;

bool reads_as_varint(const raw& data, int32_t expected) {
  int32_t x = 0;
  return read_varint(data.data(), data.data() + data.size(), x) == data.data() + data.size() && x == expected;
}
bool refused_as_varint(const raw& data) {
  int32_t x = 0;
  return read_varint(data.data(), data.data() + data.size(), x) == nullptr;
}
bool refused_as_varlong(const raw& data) {
  int64_t x = 0;
  return read_varlong(data.data(), data.data() + data.size(), x) == nullptr;
}

constexpr auto low = std::numeric_limits<int32_t>::min();
constexpr auto high = std::numeric_limits<int32_t>::max();
constexpr auto low_long = std::numeric_limits<int64_t>::min();
constexpr auto high_long = std::numeric_limits<int64_t>::max();

} // namespace

TEST_CASE("varint: known numbers have known bytes", "[schema][varint]") {
  CHECK(varint(0) == raw{0x00});
  CHECK(varint(-1) == raw{0x01});
  CHECK(varint(1) == raw{0x02});
  CHECK(varint(63) == raw{0x7e});
  CHECK(varint(-64) == raw{0x7f});
  CHECK(varint(64) == raw{0x80, 0x01});
  CHECK(varint(-65) == raw{0x81, 0x01});
  CHECK(varint(high) == raw{0xfe, 0xff, 0xff, 0xff, 0x0f});
  CHECK(varint(low) == raw{0xff, 0xff, 0xff, 0xff, 0x0f});
  CHECK(varlong(-1000) == raw{0xcf, 0x0f});
  CHECK(varlong(low_long) == raw{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01});
}

TEST_CASE("varint: what is written is read back, and takes the size foretold", "[schema][varint]") {
  seeded_random random{3};
  for (int i = 0; i < 20000; ++i) {
    auto bits = random.below(65);
    auto x = static_cast<int64_t>(bits == 0 ? 0 : random.next() >> (64 - bits));
    if (random.below(2) == 0) x = ~x;
    auto wide = varlong(x);
    int64_t back = 0;
    REQUIRE(read_varlong(wide.data(), wide.data() + wide.size(), back) == wide.data() + wide.size());
    REQUIRE(back == x);
    REQUIRE(wide.size() == varlong_size(x));
    auto narrow = static_cast<int32_t>(x);
    REQUIRE(reads_as_varint(varint(narrow), narrow));
    REQUIRE(varint(narrow).size() == varint_size(narrow));
  }
  for (auto x : {low, high, 0, -1}) {
    CHECK(reads_as_varint(varint(x), x));
    CHECK(varint(x).size() == varint_size(x));
  }
  for (auto x : {low_long, high_long})
    CHECK(varlong(x).size() == varlong_size(x));
}

TEST_CASE("varint: reading stops at the end it was given", "[schema][varint]") {
  for (auto x : {0, 64, 1 << 20, high, low}) {
    auto data = varint(x);
    for (size_t size = 0; size < data.size(); ++size)
      CHECK(refused_as_varint({data.begin(), data.begin() + static_cast<std::ptrdiff_t>(size)}));
  }
  CHECK(refused_as_varlong({}));
  CHECK(refused_as_varlong({0x80, 0x80}));
}

TEST_CASE("varint: bits beyond the type and endless bytes are refused, needless zeros are read",
          "[schema][varint]") {
  CHECK(refused_as_varint({0xff, 0xff, 0xff, 0xff, 0x10}));
  CHECK(refused_as_varint({0xff, 0xff, 0xff, 0xff, 0x8f, 0x00}));
  CHECK(refused_as_varlong({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}));
  CHECK(refused_as_varlong({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}));
  CHECK(reads_as_varint({0x82, 0x80, 0x80, 0x80, 0x00}, 1));
}
