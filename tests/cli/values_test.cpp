#include "cli/values.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::cli;
using std::chrono::milliseconds;

TEST_CASE("values: durations say their unit", "[cli][values]") {
  CHECK(parse_duration("250ms").value() == milliseconds{250});
  CHECK(parse_duration("1.5s").value() == milliseconds{1500});
  CHECK(parse_duration("2m").value() == milliseconds{120'000});
  CHECK(parse_duration("0s").value() == milliseconds{0});
  CHECK(parse_duration("7d").value() == milliseconds{7ll * 86'400'000});
  for (auto text : {"", "10", "s", "-1s", "1sec", "1 s", "nan", "inf", "1e3s", "99999d", "1s2"})
    CHECK_FALSE(parse_duration(text).ok());
}

TEST_CASE("values: amounts and rates", "[cli][values]") {
  CHECK(parse_amount("1500", "a count").value() == 1500);
  CHECK(parse_amount("1.5k", "a count").value() == 1500);
  CHECK(parse_amount("4GiB", "a size").value() == 4ull << 30);
  for (auto text : {"", "-1", "1.5", "k", "1kb", "1e30", "99999999999G"})
    CHECK_FALSE(parse_amount(text, "a count").ok());
  CHECK(parse_rate("1000/s").value() == 1000);
  CHECK(parse_rate("2.5k").value() == 2500);
  for (auto text : {"0", "-1", "", "/s", "1/m", "1e99"})
    CHECK_FALSE(parse_rate(text).ok());
}

TEST_CASE("values: times are RFC 3339, milliseconds, or back from now", "[cli][values]") {
  timestamp now{10'000'000};
  CHECK(parse_time("-1s", now).value() == timestamp{9'999'000});
  CHECK(parse_time("-1d", now).value() == timestamp{0});
  CHECK(parse_time("1970-01-01T00:00:01.5Z", now).value() == timestamp{1500});
  CHECK(parse_time("2000-02-29T00:00:00Z", now).value() == timestamp{951'782'400'000});
  CHECK(parse_time("1969-12-31T23:00:00-02:00", now).value() == timestamp{3'600'000});
  for (auto text : {"", "2001-02-29T00:00:00Z", "2000-01-01T24:00:00Z", "2000-01-01T00:00:00",
                    "2000-01-01T00:00:00.Z", "1h", "-x"})
    CHECK_FALSE(parse_time(text, now).ok());
  CHECK(format_time(timestamp{951'782'400'123}) == "2000-02-29T00:00:00.123Z");
}

TEST_CASE("values: numbers for people", "[cli][values]") {
  CHECK(format_count(0) == "0");
  CHECK(format_count(999) == "999");
  CHECK(format_count(1000) == "1,000");
  CHECK(format_count(1234567) == "1,234,567");
  CHECK(format_bytes(999) == "999 B");
  CHECK(format_bytes(12'345'678) == "12.3 MB");
  CHECK(parse_pair("a=b=c", "a header").value() == std::pair<std::string, std::string>{"a", "b=c"});
  CHECK_FALSE(parse_pair("=b", "a header").ok());
  CHECK_FALSE(parse_pair("ab", "a header").ok());
}
