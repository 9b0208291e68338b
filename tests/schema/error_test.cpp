#include "schema/error.hpp"
#include "schema/result.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace pessoa;

TEST_CASE("error: every entry of the list is described, once and in order", "[schema][error]") {
  auto& table = all_errors();
  REQUIRE(table.size() == static_cast<size_t>(ec::end_of_list_));
  std::set<std::string_view> names;
  for (size_t i = 0; i < table.size(); ++i) {
    CHECK(table[i].code == static_cast<ec>(i));
    CHECK(names.insert(table[i].name).second);
    bool needs_hint = table[i].code != ec::none && table[i].code != ec::not_found;
    CHECK(table[i].hint.empty() == !needs_hint);
  }
}

TEST_CASE("error: an explanation carries the message and the remedy", "[schema][error]") {
  auto text = explain({ec::unknown_topic, "no topic named 'orders'"});
  CHECK(text.find("no topic named 'orders'") == 0);
  CHECK(text.find("pessoa topic create") != std::string::npos);
}

namespace {

result<int> half(int x) {
  if (x % 2 != 0) return error{ec::invalid_argument, "odd"};
  return x / 2;
}

result<int> quarter(int x) {
  PESSOA_TRY(auto h, half(x));
  PESSOA_TRY(auto q, half(h));
  return q;
}

} // namespace

TEST_CASE("result: TRY hands the first error to the caller", "[schema][result]") {
  CHECK(*quarter(12) == 3);
  CHECK(quarter(6).error() == error{ec::invalid_argument, "odd"});
  CHECK_FALSE(quarter(3).ok());
}
