#include "cli/files.hpp"
#include "cli/profile.hpp"
#include "tests/cli/run.hpp"

using namespace pessoa::cli;
using Catch::Contains;

TEST_CASE("profile: one is made, selected, listed and printed", "[cli][profile]") {
  scratch home;
  environment env{{"HOME", home.path}};
  CHECK(run({"profile", "use", "prod", "-b", "10.0.0.1:18880,10.0.0.2:18880"}, env).status == 0);
  CHECK(run({"profile", "use", "test", "-b", "127.0.0.1:1"}, env).status == 0);
  CHECK(run({"profile", "use", "prod"}, env).status == 0);
  CHECK(run({"profile", "list", "--output", "json"}, env).out
        == "[{\"name\":\"prod\",\"selected\":true,\"bootstrap\":[\"10.0.0.1:18880\",\"10.0.0.2:18880\"]},"
           "{\"name\":\"test\",\"selected\":false,\"bootstrap\":[\"127.0.0.1:1\"]}]\n");
  CHECK_THAT(run({"profile", "print"}, env).out, Contains("10.0.0.1:18880,10.0.0.2:18880"));
}

TEST_CASE("profile: an unknown one is not found, with 4 and the nearest name", "[cli][profile]") {
  scratch home;
  environment env{{"HOME", home.path}};
  CHECK(run({"profile", "use", "staging", "-b", "127.0.0.1:1"}, env).status == 0);
  auto ended = run({"profile", "use", "stagin"}, env);
  CHECK(ended.status == 4);
  CHECK_THAT(ended.err, Contains("did you mean staging?"));
  CHECK(run({"profile", "print", "nothing-like-it"}, env).status == 4);
}

TEST_CASE("profile: a name cannot leave its directory", "[cli][profile]") {
  scratch home;
  environment env{{"XDG_CONFIG_HOME", home.path}};
  CHECK(run({"profile", "use", "../../x", "-b", "127.0.0.1:1"}, env).status == 2);
  CHECK_FALSE(std::filesystem::exists(home.path + "/pessoa"));
}

TEST_CASE("profile: a damaged file is an error that names it", "[cli][profile]") {
  scratch home;
  environment env{{"XDG_CONFIG_HOME", home.path}};
  auto text = GENERATE("", "{", "[]", "{\"bootstrap\":3}", "{\"bootstrap\":[3]}");
  write_file(home.path + "/pessoa/profiles/bad.json", text).value();
  auto ended = run({"profile", "print", "bad"}, env);
  CHECK(ended.status == 2);
  CHECK_THAT(ended.err, Contains("bad.json"));
}
