// The tables of docs/kafka-compatibility.md are made here, from the code they are about.
#include "kafka/codec/advertised.hpp"
#include "kafka/errors.hpp"
#include "kafka/handlers/topic_settings.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

using namespace pessoa;
using namespace pessoa::kafka;

namespace {

const std::string path = PESSOA_SOURCE_DIR "/docs/kafka-compatibility.md";

std::string range(version_range r) { return std::to_string(r.min) + " to " + std::to_string(r.max); }

std::string api_table() {
  std::ostringstream out;
  out << "| Key | API | Versions | The codec knows | Flexible from |\n|---|---|---|---|---|\n";
  advertised_apis apis;
  for (auto& api : apis.all())
    out << "| " << static_cast<int>(api.api->key) << " | " << api.api->name << " | " << range(api.versions)
        << " | " << range(api.api->codec) << " | " << api.api->flexible_from << " |\n";
  return out.str();
}

std::string settings_table() {
  auto type = [](config_type t) {
    switch (t) {
    case config_type::boolean:
      return "boolean";
    case config_type::string:
      return "string";
    case config_type::int32:
      return "int";
    case config_type::int64:
      return "long";
    case config_type::list:
      return "list";
    }
    return "?";
  };
  std::map<std::string_view, std::string_view> values;
  for (auto& key : topic_config_keys())
    values[key.name] = key.type;
  std::ostringstream out;
  out << "| Setting | Type | Values | Default | A broker's name for it | What it does "
         "|\n|---|---|---|---|---|---|\n";
  for (auto& s : show_settings({}, {}, 1))
    out << "| `" << s.name << "` | " << type(s.type) << " | " << values.at(s.name) << " | " << s.default_value
        << " | `" << s.broker_name << "` | " << s.about << " |\n";
  return out.str();
}

std::string error_table() {
  struct {
    const char* title;
    api_key key;
    int16_t version;
  } const columns[] = {{"Produce", api_key::produce, 9},
                       {"Fetch", api_key::fetch, 12},
                       {"ListOffsets", api_key::list_offsets, 6},
                       {"Metadata", api_key::metadata, 12},
                       {"CreateTopics", api_key::create_topics, 7},
                       {"DeleteTopics", api_key::delete_topics, 6},
                       {"InitProducerId", api_key::init_producer_id, 4}};
  std::ostringstream out;
  out << "| Error |";
  for (auto& c : columns)
    out << ' ' << c.title << ' ' << c.version << " |";
  out << "\n|---|";
  for ([[maybe_unused]] auto& c : columns)
    out << "---|";
  out << '\n';
  for (auto& info : all_errors()) {
    if (info.code == ec::none) continue;
    out << "| `" << info.name << "` |";
    for (auto& c : columns)
      out << ' ' << kafka_number(info.code, c.key, c.version) << " |";
    out << '\n';
  }
  return out.str();
}

// The document with the table of this name replaced.
std::string with_table(std::string document, const std::string& name, const std::string& table) {
  auto mark = "<!-- table: " + name + " -->\n";
  auto begin = document.find(mark);
  REQUIRE(begin != std::string::npos);
  begin += mark.size();
  auto end = document.find("<!-- end -->", begin);
  REQUIRE(end != std::string::npos);
  return document.replace(begin, end - begin, table);
}

} // namespace

TEST_CASE("kafka: the compatibility document says what the code does", "[kafka]") {
  std::ifstream in{path};
  std::string document{std::istreambuf_iterator<char>{in}, {}};
  REQUIRE_FALSE(document.empty());
  auto expected = with_table(document, "apis", api_table());
  expected = with_table(expected, "settings", settings_table());
  expected = with_table(expected, "errors", error_table());
  if (std::getenv("PESSOA_WRITE_DOCS") != nullptr) {
    std::ofstream{path} << expected;
    return;
  }
  INFO("docs/kafka-compatibility.md says how its tables are written anew");
  CHECK(document == expected);
}
