#include "cli/record_input.hpp"

#include <catch2/catch.hpp>

#include <cstring>

using namespace pessoa;
using namespace pessoa::cli;
using Catch::Contains;

namespace {

// Gives its text in pieces of at most `piece` bytes, as a pipe does.
class text_source final : public byte_source {
public:
  text_source(std::string text, size_t piece) : text_(std::move(text)), piece_(piece) {}
  result<size_t> read(char* into, size_t size) override {
    auto count = std::min({size, piece_, text_.size() - at_});
    std::memcpy(into, text_.data() + at_, count);
    at_ += count;
    return count;
  }

private:
  std::string text_;
  size_t piece_;
  size_t at_ = 0;
};

struct seen {
  std::optional<std::string> key;
  std::optional<std::string> value;
  friend bool operator==(const seen&, const seen&) = default;
};
std::ostream& operator<<(std::ostream& out, const seen& s) {
  return out << (s.key ? *s.key : "NULL") << '|' << (s.value ? *s.value : "NULL");
}
std::optional<std::string> owned(const std::optional<byte_view>& view) {
  return view ? std::optional{std::string{as_text(*view)}} : std::nullopt;
}

// All records, or the error's text as the last value.
std::vector<seen> read_all(std::string_view spec, const std::string& text, size_t piece,
                           std::optional<std::string> null_text = {}) {
  text_source source{text, piece};
  record_input input{input_format::parse(spec).value(), source, std::move(null_text)};
  std::vector<seen> out;
  while (true) {
    auto next = input.next();
    if (!next) {
      out.push_back({"error", next.error().message});
      return out;
    }
    if (!*next) return out;
    out.push_back({owned((*next)->record.key), owned((*next)->record.value)});
  }
}
std::string refusal(std::string_view spec) {
  auto r = input_format::parse(spec);
  REQUIRE_FALSE(r.ok());
  CHECK(r.error().code == ec::invalid_argument);
  return r.error().message;
}
seen value(std::string text) { return {std::nullopt, std::move(text)}; }

} // namespace

TEST_CASE("input: one value per line, every byte kept, whatever the pieces", "[cli][input]") {
  auto piece = GENERATE(size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{1000});
  CHECK(read_all("%v\\n", "one\r\n\n  two \nlast", piece)
        == std::vector{value("one\r"), value(""), value("  two "), value("last")});
  CHECK(read_all("%v\\n", "one\n", piece) == std::vector{value("one")});
  CHECK(read_all("%v\\n", "\n", piece) == std::vector{value("")});
  CHECK(read_all("%v\\n", "", piece).empty());
}

TEST_CASE("input: keys and values are divided at the first separator", "[cli][input]") {
  auto piece = GENERATE(size_t{1}, size_t{2}, size_t{1000});
  CHECK(read_all("%k\\t%v\\n", "a\tb\tc\n\t\nx\ty", piece)
        == std::vector<seen>{{"a", "b\tc"}, {"", ""}, {"x", "y"}});
  CHECK(read_all("<%k::%v>;", "<a::b>;<c:::d>;", piece) == std::vector<seen>{{"a", "b"}, {"c", ":d"}});
  auto broken = read_all("%k\\t%v\\n", "a\tb\nno tab\nc\td\n", piece);
  REQUIRE(broken.size() == 2);
  CHECK_THAT(*broken[1].value, Contains("record 2") && Contains("\\t") && Contains("no tab"));
}

TEST_CASE("input: fields on lines of their own", "[cli][input]") {
  auto piece = GENERATE(size_t{1}, size_t{2}, size_t{1000});
  CHECK(read_all("%k\\n%v\\n", "a\nb\nc\nd", piece) == std::vector<seen>{{"a", "b"}, {"c", "d"}});
  auto broken = read_all("%k\\n%v\\n", "a\nb\nc", piece);
  REQUIRE(broken.size() == 2);
  CHECK_THAT(*broken[1].value, Contains("record 2") && Contains("%k"));
  CHECK(read_all("%k,%v,", "a,1,b,2,", piece) == std::vector<seen>{{"a", "1"}, {"b", "2"}});
}

TEST_CASE("input: a null text makes nulls, and only whole", "[cli][input]") {
  CHECK(read_all("%k\\t%v\\n", "NULL\tx\na\tNULL\nb\tNULLS\n", 1000, "NULL")
        == std::vector<seen>{{std::nullopt, "x"}, {"a", std::nullopt}, {"b", "NULLS"}});
  CHECK(read_all("%v\\n", "\nx\n", 1000, "") == std::vector<seen>{{std::nullopt, std::nullopt}, value("x")});
}

TEST_CASE("input: partition, time and headers can be read", "[cli][input]") {
  text_source source{"3 77 a=1,b=2 v\n3 x  v\n", 5};
  record_input input{input_format::parse("%p %d %h %v\\n").value(), source};
  auto first = input.next().value().value();
  CHECK(first.partition == 3);
  CHECK(first.record.time == timestamp{77});
  REQUIRE(first.record.headers.size() == 2);
  CHECK(first.record.headers[1].key == "b");
  CHECK(as_text(*first.record.headers[1].value) == "2");
  auto second = input.next();
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == ec::invalid_argument);
  CHECK_THAT(second.error().message, Contains("record 2") && Contains("%d"));
}

TEST_CASE("input: formats that could not be read back are refused with their position", "[cli][input]") {
  CHECK_THAT(refusal("%k%v\\n"), Contains("position 3") && Contains("between"));
  CHECK_THAT(refusal("%k\\t%v"), Contains("position 7") && Contains("add \\n"));
  CHECK_THAT(refusal("%v\\t%v\\n"), Contains("there already"));
  CHECK_THAT(refusal("%t\\t%v\\n"), Contains("command line"));
  CHECK_THAT(refusal("%o\\t%v\\n"), Contains("offsets"));
  CHECK_THAT(refusal("hello\\n"), Contains("no field"));
  CHECK_THAT(refusal("%s\\n"), Contains("values are %v"));
}

TEST_CASE("input: JSON lines become records, blank lines are nothing", "[cli][input]") {
  auto piece = GENERATE(size_t{1}, size_t{1000});
  CHECK(read_all("json", "{\"key\":null,\"value\":\"a\"}\n\n{\"key\":{\"base64\":\"/w==\"},\"value\":null}",
                 piece)
        == std::vector<seen>{value("a"), {"\xff", std::nullopt}});
  auto broken = read_all("json", "{\"value\":\"a\"}\nnope\n", piece);
  REQUIRE(broken.size() == 2);
  CHECK_THAT(*broken[1].value, Contains("record 2"));
}

TEST_CASE("input: records longer than the buffer are whole, endless ones are refused", "[cli][input]") {
  std::string large(3 << 20, 'x');
  auto found = read_all("%v\\n", large + "\nsmall\n", 1 << 16);
  REQUIRE(found.size() == 2);
  CHECK(found[0].value == large);
  auto refused = read_all("%v\\n", std::string(9 << 20, 'x'), 1 << 20);
  REQUIRE(refused.size() == 1);
  CHECK_THAT(*refused[0].value, Contains("longer than") && Contains("separator"));
}
