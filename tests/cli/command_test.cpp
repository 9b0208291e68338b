#include "cli/connection.hpp"
#include "cli/profile.hpp"
#include "tests/cli/run.hpp"

using namespace pessoa::cli;
using Catch::Contains;

TEST_CASE("cli: every usage error ends with 2 and names the way to the help", "[cli]") {
  auto arguments = GENERATE(
      std::vector<std::string>{}, std::vector<std::string>{"tpic"},
      std::vector<std::string>{"version", "--nope"}, std::vector<std::string>{"version", "--output", "yaml"},
      std::vector<std::string>{"version", "extra"}, std::vector<std::string>{"profile"},
      std::vector<std::string>{"profile", "use"}, std::vector<std::string>{"start"},
      std::vector<std::string>{"start", "--data"},
      std::vector<std::string>{"start", "--data", "d", "--listen", "nowhere"},
      std::vector<std::string>{"completion", "powershell"}, std::vector<std::string>{"topic", "create"},
      std::vector<std::string>{"topic", "create", "a b"},
      std::vector<std::string>{"topic", "create", "t", "-p", "many"},
      std::vector<std::string>{"topic", "create", "t", "-c", "retention.msec=1"},
      std::vector<std::string>{"topic", "create", "t", "-c", "retention.ms"},
      std::vector<std::string>{"topic", "alter", "t"},
      std::vector<std::string>{"topic", "delete", "t"}, // without --yes, and nobody can be asked
      std::vector<std::string>{"produce", "t", "-f", "%k%v\\n"},
      std::vector<std::string>{"produce", "t", "--acks", "2"},
      std::vector<std::string>{"produce", "t", "-z", "brotli"},
      std::vector<std::string>{"bench", "produce", "--topic", "t", "-z", "brotli"},
      std::vector<std::string>{"produce", "t", "--rate", "0"},
      std::vector<std::string>{"produce", "t", "--delivery-timeout", "10"},
      std::vector<std::string>{"produce", "t", "-H", "novalue"},
      std::vector<std::string>{"produce", "t", "-k", "a", "-f", "json"},
      std::vector<std::string>{"consume", "t", "-o", "newest"},
      std::vector<std::string>{"consume", "t", "-n", "0"},
      std::vector<std::string>{"consume", "t", "-p", "-1"},
      std::vector<std::string>{"consume", "t", "-f", "%s\\n"},
      std::vector<std::string>{"cluster", "health", "--timeout", "1s"},
      std::vector<std::string>{"bench", "produce"},
      std::vector<std::string>{"bench", "produce", "--topic", "t", "--records", "0"},
      std::vector<std::string>{"bench", "produce", "--topic", "t", "--duration", "0s"},
      std::vector<std::string>{"bench", "produce", "--topic", "t", "--duration", "10"},
      std::vector<std::string>{"bench", "consume", "--topic", "t", "--duration", "10s"},
      std::vector<std::string>{"bench", "end-to-end", "--topic", "t", "--record-size", "8"},
      std::vector<std::string>{"dev", "kill", "one"},
      std::vector<std::string>{"dev", "up", "--name", "../x"});
  auto ended = run(arguments);
  CAPTURE(arguments, ended.err);
  CHECK(ended.status == 2);
  CHECK(ended.out.empty());
  CHECK_THAT(ended.err, Contains("error: ") && Contains("--help"));
}

TEST_CASE("cli: a slip of the fingers is answered with the nearest known word", "[cli]") {
  CHECK_THAT(run({"verson"}).err, Contains("did you mean version?"));
  CHECK_THAT(run({"profile", "lst"}).err, Contains("did you mean list?"));
  CHECK_THAT(run({"start", "--kafka-lissen", "off"}).err,
             Contains("--kafka-lissen") && Contains("did you mean --kafka-listen?"));
  CHECK_THAT(run({"version", "--outptu=json"}).err, Contains("did you mean --output?"));
}

TEST_CASE("cli: help is data, goes to stdout and ends with 0 on every level", "[cli]") {
  for (auto& arguments :
       {std::vector<std::string>{"--help"}, {"start", "--help"}, {"profile", "use", "-h"}}) {
    auto ended = run(arguments);
    CHECK(ended.status == 0);
    CHECK(ended.err.empty());
    CHECK_THAT(ended.out, Contains("Usage: "));
  }
}

TEST_CASE("cli: values that begin with a minus are values", "[cli]") {
  // They get past the parser and fail only where the address is looked at.
  for (auto& arguments : {std::vector<std::string>{"consume", "t", "-o", "-5", "-b", "nowhere"},
                          {"consume", "t", "-o", "-5:-1", "-b", "nowhere"},
                          {"produce", "t", "-k", "-x", "-Z", "-", "-b", "nowhere"}})
    CHECK_THAT(run(arguments).err, Contains("--bootstrap: 'nowhere' is not HOST:PORT"));
}

TEST_CASE("cli: where to connect is decided by flag, environment, profile, default", "[cli]") {
  scratch home;
  environment env{{"HOME", home.path}};
  CHECK(run({"profile", "use", "p", "-b", "127.0.0.1:1"}, env).status == 0);
  auto decided = [&](connection_options options, environment with) {
    with["HOME"] = home.path;
    console term{0, 1, 2, std::move(with)};
    auto to = resolve(options, term).value();
    return to.origin + " " + to.bootstrap;
  };
  CHECK(decided({"127.0.0.1:3", "p"}, {{"PESSOA_BOOTSTRAP", "127.0.0.1:2"}}) == "--bootstrap 127.0.0.1:3");
  CHECK(decided({}, {{"PESSOA_BOOTSTRAP", "127.0.0.1:2"}}) == "PESSOA_BOOTSTRAP 127.0.0.1:2");
  CHECK(decided({std::nullopt, "p"}, {}) == "profile p 127.0.0.1:1");
  CHECK(decided({}, {}) == "profile p 127.0.0.1:1");
  profile_store{env}.select("").value();
  CHECK(decided({}, {}) == "default 127.0.0.1:18880");
}

TEST_CASE("cli: a cluster that nobody serves is an error with address and remedy", "[cli]") {
  auto ended = run({"topic", "list", "-b", "127.0.0.1:1"});
  CHECK(ended.status == 1);
  CHECK_THAT(ended.err, Contains("127.0.0.1:1") && Contains("try: "));
  auto unhealthy = run({"cluster", "health", "-b", "127.0.0.1:1", "--output", "json"});
  CHECK(unhealthy.status == 3);
  CHECK_THAT(unhealthy.out, Contains("\"healthy\":false"));
}

TEST_CASE("cli: the version is a line, or JSON on request", "[cli]") {
  CHECK(run({"version"}).out == "pessoa " PESSOA_VERSION "\n");
  CHECK(run({"--version"}).out == "pessoa " PESSOA_VERSION "\n");
  CHECK(run({"version", "--output", "json"}).out == "{\"version\":\"" PESSOA_VERSION "\"}\n");
}

TEST_CASE("cli: nothing is coloured where no terminal is", "[cli]") {
  CHECK(run({"nope"}).err.find('\x1b') == std::string::npos);
}

TEST_CASE("cli: start refuses an unknown key of the environment by naming the nearest", "[cli]") {
  auto ended = run({"start", "--data", "d"}, {{"PESSOA_PEER_LISTN", "127.0.0.1:1"}});
  CHECK(ended.status == 2);
  CHECK_THAT(ended.err, Contains("PESSOA_PEER_LISTEN"));
}

TEST_CASE("cli: completion scripts know commands and flags of the tree", "[cli]") {
  for (auto& shell : {"bash", "zsh", "fish"}) {
    auto ended = run({"completion", shell});
    CHECK(ended.status == 0);
    CHECK_THAT(ended.out, Contains("kafka-listen") && Contains("profile"));
  }
}

TEST_CASE("cli: groups are answered with what to do instead", "[cli]") {
  auto ended = run({"group", "describe", "readers", "--output", "json"});
  CHECK(ended.status == 1);
  CHECK_THAT(ended.err, Contains("not there yet"));
}
