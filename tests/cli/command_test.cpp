#include "tests/cli/run.hpp"

using namespace pessoa::cli;
using Catch::Contains;

TEST_CASE("cli: every usage error ends with 2 and names the way to the help", "[cli]") {
  auto arguments = GENERATE(std::vector<std::string>{}, std::vector<std::string>{"tpic"},
                            std::vector<std::string>{"version", "--nope"},
                            std::vector<std::string>{"version", "--output", "yaml"},
                            std::vector<std::string>{"version", "extra"}, std::vector<std::string>{"profile"},
                            std::vector<std::string>{"profile", "use"}, std::vector<std::string>{"start"},
                            std::vector<std::string>{"start", "--data"},
                            std::vector<std::string>{"start", "--data", "d", "--listen", "nowhere"},
                            std::vector<std::string>{"completion", "powershell"});
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
