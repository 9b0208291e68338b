// The controller, stepped: what is decided is committed before anybody hears of it.
#include "actors/controller/controller.hpp"
#include "actors/gateway/gateway.hpp"
#include "actors/type_ids.hpp"
#include "schema/seams/random.hpp"
#include "tests/support/answers.hpp"
#include "tests/support/deterministic_system.hpp"
#include "tests/support/manual_commits.hpp"
#include "tests/support/memory_log.hpp"

#include <caf/send.hpp>
#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::actors;

namespace {

using test::answers;
using test::listen;

struct controller_fixture : test::deterministic_system {
  test::manual_commits commits;
  actor_counters counters;
  seeded_random random{42};
  environment env;
  std::vector<std::shared_ptr<metadata_committed>> heard;
  std::vector<std::string> fatal;
  broker_actor broker;
  controller_actor subject;
  test::memory_log* log = nullptr;

  controller_fixture() {
    env.time = &time;
    env.random = &random;
    env.reads = &pool;
    env.commits = &commits;
    env.log = &log_lines;
    env.counters = &counters;
    env.fatal = [this](const std::string& what) { fatal.push_back(what); };
    broker = sys.spawn([this](broker_actor::pointer) -> broker_actor::behavior_type {
      return {
        [this](const ptr<metadata_committed>& m) { heard.push_back(m); },
        [](const ptr<index_wait>&) { FAIL("unexpected"); },
        [](const ptr<all_ready_wait>&) { FAIL("unexpected"); },
        [](const ptr<partition_leading>&) { FAIL("unexpected"); },
        [](const ptr<replica_failed>&) { FAIL("unexpected"); },
        [](const ptr<broker_stop>&) { FAIL("unexpected"); },
        [](const ptr<log_opened>&) { FAIL("unexpected"); },
        [](const ptr<replica_gone>&) { FAIL("unexpected"); },
        [](const ptr<leftovers_removed>&) { FAIL("unexpected"); },
        [](upkeep_atom) { FAIL("unexpected"); },
        [](tick_atom) { FAIL("unexpected"); },
      };
    });
    begin({});
  }
  ~controller_fixture() {
    for (auto* actor : {&subject})
      caf::anon_send_exit(*actor, caf::exit_reason::kill);
    caf::anon_send_exit(broker, caf::exit_reason::kill);
    subject = nullptr;
    broker = nullptr;
    settle();
    commits.waiting.clear();
  }

  void begin(std::vector<metadata_record> history) {
    auto opened = std::make_shared<metadata_log>();
    auto owned = std::make_unique<test::memory_log>(metadata_key());
    log = owned.get();
    offset at{0};
    for (auto& record : history) {
      REQUIRE(owned->write({encode_proposal({record}, at, leader_epoch{0}, time.wall())}).ok());
      ++at;
    }
    opened->log = std::move(owned);
    opened->history = std::move(history);
    auto first = std::make_shared<cluster_created>(cluster_created{cluster_id{draw_uuid(random)}, ""});
    subject = sys.spawn(controller, &env, opened, first);
    caf::anon_send(subject, broker);
    run();
  }

  // The cluster exists and node 1 is in it.
  void settle_in() {
    commits.finish();
    run();
    auto [answer, reply] = listen<committed_change>();
    node_registered self{node_id{1}, directory_id{draw_uuid(random)}, "127.0.0.1:1", "", "", "", "", "0"};
    caf::anon_send(subject, std::make_shared<register_node_command>(register_node_command{self, reply}));
    run();
    commits.finish();
    run();
    REQUIRE(answer->size() == 1);
    REQUIRE(answer->front().ok());
  }

  answers<committed_change> create(const std::string& name, int32_t partitions = 1) {
    auto [answer, reply] = listen<committed_change>();
    auto command = std::make_shared<create_topic_command>();
    command->request.name = name;
    command->request.partitions = partitions;
    command->reply = std::move(reply);
    caf::anon_send(subject, std::move(command));
    run();
    return answer;
  }
};

} // namespace

TEST_CASE_METHOD(controller_fixture, "controller: an empty log begins with the cluster's record", "[actors][controller]") {
  CHECK(heard.empty());
  REQUIRE(commits.waiting.size() == 1);
  commits.finish();
  run();
  REQUIRE(heard.size() == 1);
  CHECK(heard.front()->last == metadata_index{0});
  CHECK(std::holds_alternative<cluster_created>(heard.front()->records.at(0)));
}

TEST_CASE_METHOD(controller_fixture, "controller: nobody hears of a topic before its record is durable", "[actors][controller]") {
  settle_in();
  auto before = heard.size();
  auto answer = create("orders", 3);
  CHECK(answer->empty());
  CHECK(heard.size() == before);
  commits.finish();
  run();
  REQUIRE(answer->size() == 1);
  REQUIRE(answer->front().ok());
  CHECK(answer->front()->topic.has_value());
  REQUIRE(heard.size() == before + 1);
  CHECK(std::get<topic_created>(heard.back()->records.at(0)).partitions.size() == 3);
}

TEST_CASE_METHOD(controller_fixture, "controller: the second of two equal names sees the first", "[actors][controller]") {
  settle_in();
  auto first = create("orders");
  auto second = create("orders");
  CHECK(second->empty());
  commits.finish();
  run();
  REQUIRE(first->size() == 1);
  CHECK(first->front().ok());
  REQUIRE(second->size() == 1);
  CHECK(second->front().error().code == ec::topic_exists);
  CHECK(commits.waiting.empty());
}

TEST_CASE_METHOD(controller_fixture, "controller: a full disk refuses the change and nothing of it is seen", "[actors][controller]") {
  settle_in();
  auto before = heard.size();
  auto answer = create("orders");
  commits.refuse({ec::disk_full, "no room"});
  run();
  REQUIRE(answer->size() == 1);
  CHECK(answer->front().error().code == ec::disk_full);
  CHECK(heard.size() == before);
  auto again = create("orders");
  commits.finish();
  run();
  REQUIRE(again->size() == 1);
  CHECK(again->front().ok());
  CHECK(fatal.empty());
}

// failures S14: topics can be deleted on a full disk, and what would take more room is refused.
TEST_CASE_METHOD(controller_fixture, "controller: on a full disk topics are deleted and none is created",
                 "[actors][controller]") {
  settle_in();
  auto made = create("orders");
  commits.finish();
  run();
  REQUIRE(made->size() == 1);
  commits.full = error{ec::disk_full, "3 MiB are free"};
  auto refused = create("more");
  REQUIRE(refused->size() == 1);
  CHECK(refused->front().error().code == ec::disk_full);
  auto [deleted, reply] = listen<committed_change>();
  caf::anon_send(subject, std::make_shared<delete_topic_command>(delete_topic_command{"orders", std::nullopt, reply}));
  run();
  commits.finish();
  run();
  REQUIRE(deleted->size() == 1);
  CHECK(deleted->front().ok());
}

TEST_CASE_METHOD(controller_fixture, "controller: no record comes before the cluster's own",
                 "[actors][controller]") {
  auto early = create("orders");
  commits.refuse({ec::disk_full, "no room"});
  run();
  REQUIRE(early->size() == 1);
  CHECK(early->front().error().code == ec::disk_full);
  CHECK(commits.waiting.empty());
  auto next = create("orders"); // room again
  REQUIRE(commits.waiting.size() == 1);
  commits.finish();
  run();
  REQUIRE(heard.size() == 1);
  CHECK(std::holds_alternative<cluster_created>(heard.front()->records.at(0)));
  REQUIRE(next->size() == 1);
  CHECK(next->front().error().code == ec::not_enough_replicas);
  CHECK(fatal.empty());
}

// failures C11: a controller that cannot write its log must not go on.
TEST_CASE_METHOD(controller_fixture, "controller: a failed metadata log is fatal", "[actors][controller]") {
  settle_in();
  create("orders");
  log->fail({ec::storage_failed, "EIO"});
  commits.finish();
  run();
  REQUIRE(fatal.size() == 1);
  CHECK(fatal.front().find("EIO") != std::string::npos);
}

TEST_CASE_METHOD(controller_fixture, "controller: a late subscriber hears the whole history first", "[actors][controller]") {
  settle_in();
  auto count = heard.size();
  caf::anon_send(subject, broker);
  run();
  REQUIRE(heard.size() == count + 1);
  CHECK(heard.back()->records.size() == static_cast<size_t>(heard.back()->last.value()) + 1);
}

// failures T8: ids of a block are handed out once, and a new block begins behind the last.
TEST_CASE_METHOD(controller_fixture, "gateway: producer ids are never given twice", "[actors][gateway]") {
  settle_in();
  auto ids = sys.spawn(gateway, &env, subject);
  std::set<int64_t> seen;
  for (int i = 0; i < 2500; ++i) {
    auto [answer, reply] = listen<producer_id>();
    caf::anon_send(ids, std::make_shared<producer_id_request>(producer_id_request{reply}));
    run();
    while (answer->empty() && !commits.waiting.empty()) {
      commits.finish();
      run();
    }
    REQUIRE(answer->size() == 1);
    REQUIRE(answer->front().ok());
    REQUIRE(seen.insert(answer->front()->value()).second);
  }
  caf::anon_send_exit(ids, caf::exit_reason::kill);
  run();
}
