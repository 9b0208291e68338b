#include "schema/error.hpp"
#include "schema/result.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

using namespace pessoa;

namespace {

const char* word(error_category category) {
  switch (category) {
  case error_category::none:
    return "none";
  case error_category::retriable:
    return "retriable";
  case error_category::refresh:
    return "refresh";
  case error_category::unknown:
    return "unknown";
  case error_category::request:
    return "request";
  case error_category::environment:
    return "environment";
  case error_category::fatal:
    return "fatal";
  }
  return "?";
}

} // namespace

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

TEST_CASE("error: docs/errors.md has every entry of the list, as it is", "[schema][error]") {
  std::ifstream file{PESSOA_SOURCE_DIR "/docs/errors.md"};
  std::string document{std::istreambuf_iterator<char>{file}, {}};
  auto heading = document.find("\n## The list\n");
  REQUIRE(heading != std::string::npos);
  auto list = document.substr(heading);
  for (auto& e : all_errors()) {
    auto hint = e.hint.empty() ? std::string{} : std::string{e.hint} + " ";
    auto row = "\n| `" + std::string{e.name} + "` | " + std::to_string(e.kafka_number) + " | "
               + word(e.category) + " | " + hint + "|\n";
    INFO(row);
    CHECK(list.find(row) != std::string::npos);
  }
  // And nothing that the code no longer knows.
  size_t rows = 0;
  for (auto at = list.find("\n| `"); at != std::string::npos; at = list.find("\n| `", at + 1))
    ++rows;
  CHECK(rows == all_errors().size());
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
