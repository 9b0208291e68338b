#include "cli/dev_cluster.hpp"
#include "tests/cli/run.hpp"

using namespace pessoa;
using namespace pessoa::cli;
using Catch::Contains;

TEST_CASE("dev: the ready line is read whole", "[cli][dev]") {
  auto line =
      parse_ready_line("ready node=1 rpc=127.0.0.1:18880 peer=off kafka=off http=[::1]:18882").value();
  CHECK(line.id == 1);
  CHECK(line.at.rpc == "127.0.0.1:18880");
  CHECK_FALSE(line.at.peer.has_value());
  CHECK(line.at.http == "[::1]:18882");
  for (auto text : {"", "ready", "ready node=1", "ready rpc=a:1", "ready node=x rpc=a:1",
                    "steady node=1 rpc=a:1", "ready node=1 rpc"})
    CHECK_FALSE(parse_ready_line(text).ok());
}

TEST_CASE("dev: a cluster is remembered with its addresses and processes", "[cli][dev]") {
  scratch home;
  profile_store store{{{"HOME", home.path}}};
  dev_cluster cluster{"dev",
                      "/data/dev",
                      "prod",
                      {{1, {4711, 42}, {"127.0.0.1:1", std::nullopt, "127.0.0.1:2", std::nullopt}}}};
  save_dev_cluster(store, cluster, "some-id").value();
  auto back = load_dev_cluster(store, "dev").value();
  CHECK(back.directory == "/data/dev");
  CHECK(back.former == "prod");
  REQUIRE(back.nodes.size() == 1);
  CHECK(back.nodes[0].runs == process{4711, 42});
  CHECK(back.nodes[0].at.kafka == "127.0.0.1:2");
  CHECK_FALSE(back.nodes[0].at.peer.has_value());
  CHECK(back.find(1) == &back.nodes[0]);
  CHECK(back.find(2) == nullptr);
  CHECK(store.load("dev").value().cluster_id == "some-id");
  CHECK(store.load("dev").value().bootstrap == std::vector<std::string>{"127.0.0.1:1"});
  CHECK(print(to_json(back))
        == "{\"nodes\":[{\"id\":1,\"state\":\"down\",\"pid\":null,\"rpc\":\"127.0.0.1:1\",\"peer\":null,"
           "\"kafka\":\"127.0.0.1:2\","
           "\"http\":null,\"data\":\"/data/dev/node-1/data\"}]}");
}

TEST_CASE("dev: a profile that is no development cluster is not taken for one", "[cli][dev]") {
  scratch home;
  environment env{{"HOME", home.path}};
  CHECK(run({"profile", "use", "dev", "-b", "127.0.0.1:1"}, env).status == 0);
  auto ended = run({"dev", "status"}, env);
  CHECK(ended.status == 2);
  CHECK_THAT(ended.err, Contains("no development cluster"));
  CHECK(run({"dev", "down", "--name", "nope"}, env).status == 4);
}

TEST_CASE("dev: more than one node is refused with the reason", "[cli][dev]") {
  scratch home;
  environment env{{"HOME", home.path}};
  for (auto& arguments :
       {std::vector<std::string>{"dev", "up", "-n", "3"}, {"dev", "run", "-n", "3", "--", "true"}}) {
    auto ended = run(arguments, env);
    CHECK(ended.status == 2);
    CHECK_THAT(ended.err, Contains("not there yet"));
  }
  CHECK(run({"dev", "add"}, env).status == 1);
}
