#include "protocol/partition/epoch_rules.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::protocol;

namespace {

const std::vector<epoch_begin> lineage = {{leader_epoch{2}, offset{10}},
                                          {leader_epoch{5}, offset{20}},
                                          {leader_epoch{6}, offset{40}},
                                          {leader_epoch{9}, offset{40}}};

epoch_end end_of(int32_t epoch) { return end_of_epoch(lineage, offset{55}, leader_epoch{epoch}); }
epoch_end is(int32_t epoch, int64_t end) { return {leader_epoch{epoch}, offset{end}}; }

} // namespace

TEST_CASE("epoch rules: an epoch ends where the next one began, the present one at the log end",
          "[protocol]") {
  CHECK(end_of(9) == is(9, 55));
  CHECK(end_of(6) == is(6, 40));
  CHECK(end_of(5) == is(5, 40));
  CHECK(end_of(2) == is(2, 20));
}

TEST_CASE("epoch rules: an epoch that wrote nothing is answered with the one before it", "[protocol]") {
  CHECK(end_of(3) == is(2, 20));
  CHECK(end_of(4) == is(2, 20));
  CHECK(end_of(8) == is(6, 40));
}

TEST_CASE("epoch rules: of an epoch before all that is known only its latest end is sure", "[protocol]") {
  CHECK(end_of(0) == is(0, 10));
  CHECK(end_of(1) == is(1, 10));
}

TEST_CASE("epoch rules: an epoch that is none, or is newer than ours, has no end", "[protocol]") {
  for (auto epoch : {10, INT32_MAX, -1, INT32_MIN})
    CHECK(end_of(epoch) == is(-1, -1));
}

TEST_CASE("epoch rules: a record's epoch is the last one that began at or before it", "[protocol]") {
  CHECK(epoch_at(lineage, offset{9}) == no_epoch);
  CHECK(epoch_at(lineage, offset{10}) == leader_epoch{2});
  CHECK(epoch_at(lineage, offset{39}) == leader_epoch{5});
  CHECK(epoch_at(lineage, offset{40}) == leader_epoch{9});
  CHECK(epoch_at(lineage, offset{1000}) == leader_epoch{9});
}
