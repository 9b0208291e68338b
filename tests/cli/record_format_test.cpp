#include "cli/record_format.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::cli;
using Catch::Contains;

namespace {

std::string printed(std::string_view spec, const record_view& record) {
  std::string out;
  record_printer::parse(spec).value().append(out, {"orders", partition_id{3}, offset{42}, &record});
  return out;
}
std::string refusal(std::string_view spec) {
  auto r = record_printer::parse(spec);
  REQUIRE_FALSE(r.ok());
  CHECK(r.error().code == ec::invalid_argument);
  return r.error().message;
}

} // namespace

TEST_CASE("format: every verb and escape prints what it stands for", "[cli][format]") {
  record_view record{
      timestamp{1234}, as_bytes("key"), as_bytes("val\r"), {{"a", as_bytes("1")}, {"b", std::nullopt}}};
  CHECK(printed("%t %p %o %k %v %h %d\\n", record) == "orders 3 42 key val\r a=1,b= 1234\n");
  CHECK(printed("100%%\\t\\\\%v", record) == "100%\t\\val\r");
  CHECK(printed("%k%v", record) == "keyval\r");
  CHECK(printed("%v\\0", record) == std::string{"val\r\0", 5});
}

TEST_CASE("format: a null prints nothing", "[cli][format]") { CHECK(printed("[%k|%v]", {}) == "[|]"); }

TEST_CASE("format: a mistake is told with its position", "[cli][format]") {
  CHECK_THAT(refusal("%v %x"), Contains("position 4") && Contains("%x") && Contains("%v value"));
  CHECK_THAT(refusal("%v\\q"), Contains("position 3") && Contains("\\q"));
  CHECK_THAT(refusal("abc%"), Contains("position 4"));
  CHECK_THAT(refusal("abc\\"), Contains("position 4"));
  CHECK_THAT(refusal(""), Contains("empty"));
}

TEST_CASE("format: the words of other tools are answered", "[cli][format]") {
  CHECK_THAT(refusal("%s\\n"), Contains("values are %v, timestamps %d"));
  CHECK_THAT(refusal("%T %v\\n"), Contains("values are %v, timestamps %d"));
}
