#include "cli/record_json.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::cli;
using Catch::Contains;

namespace {

std::string printed(const record_view& record) {
  std::string out;
  append_json_record(out, {"t", partition_id{1}, offset{2}, &record});
  return out;
}

} // namespace

TEST_CASE("json: a record is one object on one line", "[cli][json]") {
  record_view record{
      timestamp{5}, as_bytes("k"), as_bytes("a\"b\n\x01"), {{"h", std::nullopt}, {"i", as_bytes("\xff")}}};
  CHECK(printed(record)
        == "{\"topic\":\"t\",\"partition\":1,\"offset\":2,\"timestamp\":5,\"key\":\"k\",\"value\":"
           "\"a\\\"b\\n\\u0001\","
           "\"headers\":[{\"key\":\"h\",\"value\":null},{\"key\":\"i\",\"value\":{\"base64\":\"/w==\"}}]}\n");
}

TEST_CASE("json: null, empty, text and arbitrary bytes read back as they were", "[cli][json]") {
  std::string every_byte;
  for (int i = 0; i < 256; ++i)
    every_byte.push_back(static_cast<char>(i));
  std::vector<std::optional<std::string>> values = {
      std::nullopt,       "",         "text\r", every_byte,          "\xc3\xa9", "\xed\xa0\x80",
      "\xf0\x9f\x98\x80", "\xc0\xaf", "\x7f",   std::string{"\0", 1}};
  for (auto& key : values) {
    for (auto& value : values) {
      record_view record;
      record.time = timestamp{77};
      if (key) record.key = as_bytes(*key);
      if (value) record.value = as_bytes(*value);
      record.headers.push_back({"h\xff", record.value});
      auto line = printed(record);
      CHECK(is_utf8(line));
      auto back = parse_json_record(line).value();
      CHECK(back.key == key);
      CHECK(back.value == value);
      CHECK(back.time == timestamp{77});
      CHECK(back.partition == 1);
      REQUIRE(back.headers.size() == 1);
      CHECK(back.headers[0].key == "h\xff");
      CHECK(back.headers[0].value == value);
    }
  }
}

TEST_CASE("json: what is no record is refused", "[cli][json]") {
  auto refusal = [](std::string_view line) {
    auto r = parse_json_record(line);
    REQUIRE_FALSE(r.ok());
    CHECK(r.error().code == ec::invalid_record);
    return r.error().message;
  };
  CHECK_THAT(refusal("hello"), Contains("not JSON"));
  CHECK_THAT(refusal("[1]"), Contains("not a JSON object"));
  CHECK_THAT(refusal("{\"key\":\"a\"}"), Contains("no \"value\""));
  CHECK_THAT(refusal("{\"value\":null,\"vlaue\":1}"), Contains("did you mean value?"));
  CHECK_THAT(refusal("{\"value\":3}"), Contains("value is neither"));
  CHECK_THAT(refusal("{\"value\":{\"base64\":\"a\"}}"), Contains("base64"));
  CHECK_THAT(refusal("{\"value\":{\"base64\":\"/x==\"}}"), Contains("base64"));
  CHECK_THAT(refusal("{\"value\":null,\"timestamp\":1.5}"), Contains("timestamp"));
  CHECK_THAT(refusal("{\"value\":null,\"timestamp\":18446744073709551615}"), Contains("timestamp"));
  CHECK_THAT(refusal("{\"value\":null,\"partition\":-1}"), Contains("partition"));
  CHECK_THAT(refusal("{\"value\":null,\"headers\":{}}"), Contains("headers"));
  CHECK_THAT(refusal("{\"value\":null,\"headers\":[{\"key\":null,\"value\":1}]}"), Contains("header"));
  CHECK_THAT(refusal("{\"value\":\"\xff\"}"), Contains("not JSON"));
}

TEST_CASE("json: only well-formed UTF-8 is text", "[cli][json]") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("eight ASCII characters and more"));
  CHECK(is_utf8("\xf4\x8f\xbf\xbf"));
  for (auto bad : {"\x80", "\xc1\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
                   "\xe2\x82", "12345678\xff"})
    CHECK_FALSE(is_utf8(bad));
}
