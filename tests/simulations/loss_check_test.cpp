// The checker's own idea of how much a start may miss.
#include "simulations/check/loss_check.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::sim;

namespace {

struct watched {
  partition_key key{topic_id{topic_id::bytes_type{1}}, partition_id{0}};
  loss_check check;
  uint64_t life = 1;
  bool shows(int64_t end) { return !check.look(key, offset{end}, life); }
};

} // namespace

TEST_CASE("loss check: a start may miss the last commit, and no more", "[simulation]") {
  watched log;
  CHECK(log.shows(0));
  for (int64_t end : {10, 20, 30})
    CHECK(log.shows(end));
  ++log.life;
  CHECK(log.shows(20)); // the last one is gone
  CHECK(log.shows(25));
  ++log.life;
  CHECK_FALSE(log.shows(5));
}

TEST_CASE("loss check: what a start found beyond the last commit is one more", "[simulation]") {
  watched log;
  for (int64_t end : {10, 20, 30})
    CHECK(log.shows(end));
  ++log.life;
  CHECK(log.shows(40)); // written, and not yet shown
  ++log.life;
  CHECK(log.shows(30));
  ++log.life;
  CHECK(log.shows(20)); // which was now the last
  ++log.life;
  CHECK(log.shows(20));
  ++log.life;
  CHECK_FALSE(log.shows(0));
}

TEST_CASE("loss check: each log for itself", "[simulation]") {
  watched log;
  for (int64_t end : {10, 20, 30})
    CHECK(log.shows(end));
  ++log.life;
  log.key.index = partition_id{1};
  CHECK(log.shows(0));
  log.key.index = partition_id{0};
  CHECK_FALSE(log.shows(0));
}
