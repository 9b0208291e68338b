#include "node/settings.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <unistd.h>

using namespace pessoa;
using namespace pessoa::node;
using Catch::Contains;

namespace {

std::string refusal(const settings_sources& sources) {
  auto r = load_settings(sources);
  REQUIRE_FALSE(r.ok());
  CHECK(r.error().code == ec::invalid_argument);
  return r.error().message;
}
std::string flag_refusal(std::string key, std::string value) {
  return refusal({{{"data", "d"}, {std::move(key), std::move(value)}}, {}, {}});
}

// A file with this text, gone with the object.
struct text_file {
  explicit text_file(std::string_view text) {
    auto base = std::getenv("TMPDIR") != nullptr ? std::string{std::getenv("TMPDIR")} : std::string{"/tmp"};
    path = base + "/pessoa-settings-XXXXXX";
    int descriptor = ::mkstemp(path.data());
    REQUIRE(descriptor >= 0);
    ::close(descriptor);
    std::ofstream{path} << text;
  }
  ~text_file() { ::unlink(path.c_str()); }
  std::string path;
};

} // namespace

TEST_CASE("settings: the defaults are those of the contract", "[node][settings]") {
  auto loaded = load_settings({{{"data", "d"}}, {}, {}}).value();
  auto& s = loaded.settings;
  CHECK(s.data == "d");
  CHECK(to_string(s.listen) == "127.0.0.1:18880");
  CHECK(to_string(s.peer_listen) == "127.0.0.1:18881");
  CHECK(to_string(*s.http_listen) == "127.0.0.1:18882");
  CHECK(to_string(*s.kafka_listen) == "127.0.0.1:9092");
  CHECK_FALSE(s.auto_create);
  CHECK(s.memory_budget_bytes == 256ull << 20);
  CHECK(loaded.origin["listen"] == "default");
}

TEST_CASE("settings: every default in the table is what an empty configuration means", "[node][settings]") {
  std::map<std::string, std::string> flags{{"data", "d"}};
  for (auto& info : setting_table())
    if (!info.default_text.empty()) flags[std::string{info.name}] = info.default_text;
  auto spelled = load_settings({flags, {}, {}}).value().settings;
  auto silent = load_settings({{{"data", "d"}}, {}, {}}).value().settings;
  CHECK(spelled == silent);
}

// A new setting is in the swarm by being declared: one that simulated nodes do not draw is a hole in it.
TEST_CASE("settings: every number has the ends between which simulated nodes draw it", "[node][settings]") {
  for (auto& info : setting_table()) {
    bool number = info.type == "bytes" || info.type == "count" || info.type == "duration";
    INFO(info.name);
    CHECK((!number || (!info.tiny.empty() && !info.huge.empty())));
    for (auto end : {info.tiny, info.huge}) {
      if (end.empty()) continue;
      CHECK(load_settings({{{"data", "d"}, {std::string{info.name}, std::string{end}}}, {}, {}}).ok());
    }
  }
}

TEST_CASE("settings: a duration has a unit and a range", "[node][settings]") {
  auto with = [](const char* text) {
    return load_settings({{{"data", "d"}, {"upkeep-interval", text}}, {}, {}});
  };
  CHECK(with("250ms")->settings.upkeep_interval == std::chrono::milliseconds{250});
  CHECK(with("5m")->settings.upkeep_interval == std::chrono::minutes{5});
  for (auto bad : {"5", "s", "-5s", "1.5s", "5 s", "9ms", "2d", "99999999999999999999s", "4294967295d"})
    CHECK(with(bad).error().code == ec::invalid_argument);
}

TEST_CASE("settings: a flag wins over the environment, the environment over the file", "[node][settings]") {
  text_file file{"listen = \"10.0.0.1:1\"\nrack = \"file\"\nio-threads = 7\nauto-create = true\n"};
  settings_sources sources{{{"data", "d"}, {"listen", "10.0.0.3:3"}},
                           {{"PESSOA_LISTEN", "10.0.0.2:2"}, {"PESSOA_RACK", "environment"}, {"HOME", "/"}},
                           file.path};
  auto loaded = load_settings(sources).value();
  CHECK(to_string(loaded.settings.listen) == "10.0.0.3:3");
  CHECK(loaded.settings.rack == "environment");
  CHECK(loaded.settings.io_threads == 7);
  CHECK(loaded.settings.auto_create);
  CHECK(loaded.origin["listen"] == "--listen");
  CHECK(loaded.origin["rack"] == "PESSOA_RACK");
  CHECK_THAT(loaded.origin["io-threads"], Contains(file.path));
}

TEST_CASE("settings: host moves the listeners that say nothing else", "[node][settings]") {
  auto s = load_settings(
               {{{"data", "d"}, {"host", "0.0.0.0"}, {"peer-listen", "10.0.0.1:5"}, {"kafka-listen", "off"}},
                {},
                {}})
               .value()
               .settings;
  CHECK(to_string(s.listen) == "0.0.0.0:18880");
  CHECK(to_string(s.peer_listen) == "10.0.0.1:5");
  CHECK_FALSE(s.kafka_listen.has_value());
  CHECK(to_string(*s.http_listen) == "0.0.0.0:18882");
}

TEST_CASE("settings: a value that is none is an error with source, value and what is expected",
          "[node][settings]") {
  CHECK_THAT(flag_refusal("listen", "18880"),
             Contains("--listen") && Contains("18880") && Contains("host:port"));
  CHECK_THAT(flag_refusal("listen", "off"), Contains("HOST:PORT"));
  CHECK_THAT(flag_refusal("listen", "localhost:70000"), Contains("HOST:PORT"));
  CHECK_THAT(flag_refusal("advertise", "example.org:1"), Contains("without a port"));
  CHECK_THAT(flag_refusal("join", "a:1,b"), Contains("'b' is not"));
  CHECK_THAT(flag_refusal("join", "a:0"), Contains("port 0"));
  CHECK_THAT(flag_refusal("new", "maybe"), Contains("on nor off"));
  CHECK_THAT(flag_refusal("memory-budget", "1MiB"), Contains("32MiB to 1TiB"));
  CHECK_THAT(flag_refusal("memory-budget", "17179869184GiB"), Contains("too large"));
  CHECK_THAT(flag_refusal("io-threads", "0"), Contains("between 1 and 64"));
  CHECK_THAT(flag_refusal("io-threads", "4x"), Contains("whole number"));
  CHECK_THAT(flag_refusal("log-level", "loud"), Contains("debug"));
  CHECK_THAT(flag_refusal("kafka-api-max", "Fetsch=11"), Contains("did you mean Fetch?"));
  CHECK_THAT(flag_refusal("kafka-api-max", "Fetch=99"), Contains("versions 4 to 12"));
  CHECK_THAT(refusal({{{"data", "d"}}, {{"PESSOA_IO_THREADS", "-1"}}, {}}), Contains("PESSOA_IO_THREADS"));
  CHECK_THAT(refusal({}), Contains("--data"));
}

TEST_CASE("settings: the versions that Kafka clients are told can be lowered", "[node][settings]") {
  auto loaded = load_settings({{{"data", "d"}, {"kafka-api-max", "Fetch=11,Produce=7"}}, {}, {}});
  REQUIRE(loaded.ok());
  CHECK(loaded->settings.kafka_api_max == "Fetch=11,Produce=7");
}

TEST_CASE("settings: an unknown key is answered with the nearest known one", "[node][settings]") {
  CHECK_THAT(flag_refusal("kafka-lissen", "off"), Contains("did you mean kafka-listen?"));
  text_file file{"peer_listen = \"a:1\"\n"};
  CHECK_THAT(refusal({{{"data", "d"}}, {}, file.path}), Contains("peer-listen") && Contains(file.path));
  CHECK_THAT(refusal({{{"data", "d"}}, {{"PESSOA_MEMORY_BUDGT", "1GiB"}}, {}}),
             Contains("PESSOA_MEMORY_BUDGET"));
}

TEST_CASE("settings: variables of other programs are left alone", "[node][settings]") {
  auto loaded =
      load_settings(
          {{{"data", "d"}}, {{"PESSOA_BOOTSTRAP", "x"}, {"PESSOA_HTTP", "x"}, {"PESSOA_Q", "1"}}, {}})
          .value();
  REQUIRE(loaded.warnings.size() == 1);
  CHECK_THAT(loaded.warnings[0], Contains("PESSOA_Q"));
}

TEST_CASE("settings: who names the address of a listener that is not there is told so", "[node][settings]") {
  auto warnings = [](const settings_sources& sources) { return load_settings(sources).value().warnings; };
  CHECK(warnings({{{"data", "d"}, {"host", "0.0.0.0"}}, {}, {}}).empty());
  CHECK(warnings({{{"data", "d"}, {"kafka-listen", "127.0.0.1:9092"}}, {}, {}}).empty());
  auto by_flag = warnings({{{"data", "d"}, {"peer-listen", "127.0.0.1:18881"}}, {}, {}});
  REQUIRE(by_flag.size() == 1);
  CHECK(by_flag[0] == "--peer-listen: this version has no such listener; it is off");
  auto by_environment = warnings({{{"data", "d"}}, {{"PESSOA_PEER_LISTEN", "127.0.0.1:5"}}, {}});
  REQUIRE(by_environment.size() == 1);
  CHECK(by_environment[0] == "PESSOA_PEER_LISTEN: this version has no such listener; it is off");
  text_file file{"peer-listen = \"127.0.0.1:5\"\nkafka-listen = \"127.0.0.1:6\"\n"};
  auto by_file = warnings({{{"data", "d"}}, {}, file.path});
  REQUIRE(by_file.size() == 1);
  CHECK_THAT(by_file[0], Contains("peer-listen: this version"));
}

TEST_CASE("settings: a file that is damaged is told with its line", "[node][settings]") {
  CHECK_THAT(parse_settings_file("rack = \"a\"\nlisten =\n", "n.toml").error().message,
             Contains("n.toml line 2"));
  CHECK_THAT(parse_settings_file("[section]\nrack = \"a\"\n", "n.toml").error().message,
             Contains("n.toml line 1"));
  CHECK_THAT(parse_settings_file("rack = 1.5\n", "n.toml").error().message, Contains("rack"));
  CHECK(parse_settings_file("join = [\"a:1\", \"b:2\"]\n", "n.toml").value().at("join") == "a:1,b:2");
  CHECK_THAT(refusal({{}, {{"PESSOA_CONFIG", "/nowhere/n.toml"}}, {}}), Contains("/nowhere/n.toml"));
}

TEST_CASE("settings: addresses, also of version 6", "[node][settings]") {
  CHECK(parse_endpoint("[::1]:80").value() == endpoint{"::1", 80});
  CHECK(to_string(endpoint{"::1", 80}) == "[::1]:80");
  CHECK(parse_endpoint("localhost:0").value() == endpoint{"localhost", 0});
  for (auto text : {"", ":", ":80", "host", "host:", "host:x", "::1:80", "[]:80", "a b:80", "host:-1",
                    "host:65536", "[::1]80"})
    CHECK_FALSE(parse_endpoint(text).ok());
}
