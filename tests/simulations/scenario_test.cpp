// Scenarios are data, and wrong data is told with its line.
#include "simulations/command/lists.hpp"
#include "simulations/command/shrink.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace pessoa;
using namespace pessoa::sim;

TEST_CASE("scenario: what is written is what is meant", "[scenario]") {
  auto read = parse_scenario("s", R"(
title = "t"
cluster = { seconds = 12, topics = 3, partitions = 5 }
workload = { writers = 4, plain_writers = 0, readers = 1, kafka_writers = 2, kafka_readers = 3, hostile = 5 }
final_crash = false
fault = [ { kind = "kill" }, { kind = "power", percent = 100 } ]
)");
  REQUIRE(read.ok());
  CHECK(read->title == "t");
  CHECK(read->seconds == 12);
  CHECK(read->topics == 3);
  CHECK(read->partitions == 5);
  CHECK(read->writers == 4);
  CHECK(read->plain_writers == 0);
  CHECK(read->readers == 1);
  CHECK(read->kafka_writers == 2);
  CHECK(read->kafka_readers == 3);
  CHECK(read->hostile == 5);
  CHECK_FALSE(read->final_crash);
  REQUIRE(read->faults.size() == 2);
  CHECK(read->faults[0].percent == 50);
  CHECK(read->faults[1].percent == 100);
}

TEST_CASE("scenario: a shrunk scenario reads back as it is", "[scenario]") {
  auto read = parse_scenario("s", "title = \"t\"\nfault = [ { kind = \"cut\", percent = 7 } ]\n");
  REQUIRE(read.ok());
  auto again = parse_scenario("s", to_toml(*read));
  REQUIRE(again.ok());
  CHECK(to_toml(*again) == to_toml(*read));
}

TEST_CASE("scenario: a directory of many is run alone, and goes the same way", "[scenario]") {
  auto many = parse_scenario("s", "title = \"t\"\nworkload = { directories = 5, first_directory = 2 }\n");
  REQUIRE(many.ok());
  CHECK(to_toml(*many) == "title = \"t\"\nworkload = { directories = 5, first_directory = 2 }\n");
  auto together = run_seed(*many, 3);
  CHECK(together.verdict != verdict::failed);
  uint64_t acknowledged = 0;
  for (int i = 2; i < 7; ++i) {
    auto one = *many;
    one.first_directory = i;
    one.directories = 1;
    acknowledged += run_seed(one, 3).acknowledged;
  }
  CHECK(acknowledged == together.acknowledged);
  CHECK(acknowledged > 0);
}

TEST_CASE("scenario: mistakes are told with line and remedy", "[scenario]") {
  struct mistake {
    const char* text;
    const char* told;
  };
  auto wrong =
      GENERATE(mistake{"title = ", "not TOML"}, mistake{"\ntilte = \"x\"", "line 2: unknown key 'tilte'"},
               mistake{"cluster = { secnds = 4 }", "did you mean seconds?"},
               mistake{"cluster = { seconds = 3 }", "from 4 to 3600"}, mistake{"cluster = 3", "a table"},
               mistake{"workload = { hostile = 11 }", "from 0 to 10"},
               mistake{"fault = [ { kind = \"kil\" } ]", "did you mean kill?"},
               mistake{"fault = [ {} ]", "needs a kind"}, mistake{"fault = 1", "a list"},
               mistake{"fault = [ { kind = \"kill\", percent = 101 } ]", "from 0 to 100"},
               mistake{"workload = { directories = 3, writers = 1 }", "stand alone"},
               mistake{"workload = { first_directory = 3 }", "stand alone"},
               mistake{"workload = { directories = 600, first_directory = 500 }", "at most 1000"},
               mistake{"workload = { directories = 3 }\nfinal_crash = false", "their own sizes"},
               mistake{"final_crash = 1", "true or false"});
  CAPTURE(wrong.text);
  auto read = parse_scenario("s", wrong.text);
  REQUIRE_FALSE(read.ok());
  CHECK_THAT(read.error().message, Catch::Contains(wrong.told));
}

TEST_CASE("scenario: every built-in one can be read and says what it is about", "[scenario]") {
  CHECK(known_scenarios().size() >= 5);
  std::set<std::string> names;
  for (auto& known : known_scenarios()) {
    CHECK_FALSE(known.title.empty());
    CHECK(names.insert(known.name).second);
    CHECK(find_scenario(known.name).ok());
  }
  CHECK_FALSE(find_scenario("nowhere.toml").ok());
}
