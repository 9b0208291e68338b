#include "cli/offset_expression.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::cli;
using kind = place::kind;

namespace {

constexpr timestamp now{1'700'000'000'000};

reading_range parsed(std::string_view text) { return parse_offset(text, now).value(); }
std::string refusal(std::string_view text) {
  auto r = parse_offset(text, now);
  REQUIRE_FALSE(r.ok());
  CHECK(r.error().code == ec::invalid_argument);
  return r.error().message;
}

} // namespace

TEST_CASE("offsets: single places", "[cli][offset]") {
  CHECK(parsed("start").from == place{kind::start, 0});
  CHECK(parsed("beginning").from == place{kind::start, 0});
  CHECK(parsed("end").from == place{kind::end, 0});
  CHECK(parsed("42").from == place{kind::exact, 42});
  CHECK(parsed("+42").from == place{kind::from_start, 42});
  CHECK(parsed("-42").from == place{kind::from_end, 42});
  CHECK(parsed("@1234").from == place{kind::time, 1234});
  CHECK(parsed("@-1h").from == place{kind::time, now.value() - 3'600'000});
  CHECK(parsed("@2023-11-14T22:13:20Z").from == place{kind::time, 1'700'000'000'000});
  CHECK(parsed("@2023-11-14T23:13:20.5+01:00").from == place{kind::time, 1'700'000'000'500});
  CHECK_FALSE(parsed("start").to.has_value());
}

TEST_CASE("offsets: ranges, also of times that contain colons", "[cli][offset]") {
  CHECK(parsed("10:20").from == place{kind::exact, 10});
  CHECK(parsed("10:20").to == place{kind::exact, 20});
  CHECK(parsed(":end").from == place{kind::start, 0});
  CHECK(parsed(":end").to == place{kind::end, 0});
  CHECK(parsed("-5:").from == place{kind::from_end, 5});
  CHECK_FALSE(parsed("-5:").to.has_value());
  auto times = parsed("@2023-11-14T22:13:20Z:@2023-11-14T22:13:21Z");
  CHECK(times.from == place{kind::time, 1'700'000'000'000});
  CHECK(times.to == place{kind::time, 1'700'000'001'000});
  CHECK(parsed("@-1h:end").to == place{kind::end, 0});
}

TEST_CASE("offsets: what cannot mean anything is refused, never guessed", "[cli][offset]") {
  for (auto text :
       {"", ":", "newest", "+", "-", "--5", "+-5", "1.5", "5x", "@", "@yesterday", "@2023-13-01T00:00:00Z",
        "@2023-11-14", "10:20:30", "99999999999999999999", "@1h:foo", "0x10", " 5"})
    CHECK_THAT(refusal(text), Catch::Contains("is none of start"));
  CHECK_THAT(refusal("@-1h:500"), Catch::Contains("@-1h:@500"));
}

TEST_CASE("offsets: counting stops at the ends of the log", "[cli][offset]") {
  log_bounds log{100, 150};
  CHECK(locate({kind::start, 0}, log) == 100);
  CHECK(locate({kind::end, 0}, log) == 150);
  CHECK(locate({kind::from_start, 7}, log) == 107);
  CHECK(locate({kind::from_start, 700}, log) == 150);
  CHECK(locate({kind::from_end, 7}, log) == 143);
  CHECK(locate({kind::from_end, INT64_MAX}, log) == 100);
  CHECK(locate({kind::exact, 7}, log) == 7); // the node answers offset_out_of_range
  CHECK_FALSE(locate({kind::time, 7}, log).has_value());
}
