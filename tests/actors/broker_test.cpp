// The broker on a simulated disk: what the metadata says is what the node hosts, leads and publishes. Storage jobs run
// when a test says so.
#include "actors/broker/broker.hpp"
#include "actors/type_ids.hpp"
#include "persistence/data_directory.hpp"
#include "simulations/disk/sim_disk.hpp"
#include "tests/support/answers.hpp"
#include "tests/support/deterministic_system.hpp"
#include "tests/support/manual_commits.hpp"

#include <caf/send.hpp>
#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::actors;
using namespace std::chrono_literals;

namespace {

using test::answers;
using test::listen;

struct broker_fixture : test::deterministic_system {
  seeded_random random{7};
  sim::sim_disk disk{random};
  std::unique_ptr<persistence::data_directory> directory;
  test::manual_commits commits;
  routing_table routes;
  actor_counters counters;
  environment env;
  broker_actor subject;
  metadata_index last{-1};
  std::vector<metadata_record> history;
  const node_id self{1};
  const directory_id own_directory{draw_uuid(random)};

  broker_fixture() {
    directory = persistence::data_directory::open(disk.env(), "data").value();
    auto identity = persistence::directory_identity::draw(cluster_id{draw_uuid(random)}, self, random);
    directory->initialise(identity).value();
    directory->begin_writing().value();
    env.time = &time;
    env.random = &random;
    env.reads = &pool;
    env.commits = &commits;
    env.disk = &disk.env();
    env.log = &log_lines;
    env.routes = &routes;
    env.counters = &counters;
    env.self = self;
    env.create_partition = [this](const partition_key& key) { return directory->create_partition(key); };
    env.delete_partition = [this](const partition_key& key) -> result<void> {
      PESSOA_CHECK(directory->delete_partition(key));
      PESSOA_CHECK(directory->finish_deletions());
      return {};
    };
    env.list_partitions = [this]() -> result<std::vector<partition_key>> {
      PESSOA_TRY(auto list, directory->partitions());
      return std::move(list.partitions);
    };
    env.fatal = [](const std::string& what) { FAIL(what); };
    subject = sys.spawn(broker, &env);
    run();
  }
  ~broker_fixture() { end(); }

  // The broker and all it spawned are gone, as after a stop that went wrong half-way.
  void end() {
    if (subject != nullptr) {
      auto [heard, reply] = listen<bool>();
      if (!stopping) caf::anon_send(subject, std::make_shared<broker_stop>(broker_stop{std::move(reply)}));
      subject = nullptr;
    }
    for (int i = 0; i < 100; ++i) {
      settle();
      commits.finish_all();
    }
    routes.clear();
  }

  // -- what the controller says ---

  void say(std::vector<metadata_record> records) {
    last = metadata_index{last.value() + static_cast<int64_t>(records.size())};
    history.insert(history.end(), records.begin(), records.end());
    caf::anon_send(subject,
                   std::make_shared<metadata_committed>(metadata_committed{std::move(records), last}));
  }
  metadata_record registration() const {
    return node_registered{self, own_directory, "127.0.0.1:1", "", "", "", "", "0"};
  }
  // A cluster with this node in it.
  void settle_in() {
    say({cluster_created{cluster_id{draw_uuid(random)}, ""}});
    say({registration()});
    settle();
  }
  topic_id create(const std::string& name, size_t partitions = 1) {
    topic_id id{draw_uuid(random)};
    say({topic_created{id, name, 1, {}, std::vector<partition_assignment>(partitions, {{self}})}});
    return id;
  }
  // The same cluster in the next life of the process: its history, then the registration, which raises every epoch.
  void start_again(const topic_id& led, int epoch) {
    subject = sys.spawn(broker, &env);
    stopping = nullptr;
    auto all = std::exchange(history, {});
    last = metadata_index{-1};
    say(std::move(all));
    settle();
    say({registration(), partition_changed{led, partition_id{0}, self, leader_epoch{epoch}, {self}, {self}}});
    settle();
  }

  // -- asking it ---

  answers<bool> stop() {
    auto [heard, reply] = listen<bool>();
    stopping = heard;
    caf::anon_send(subject, std::make_shared<broker_stop>(broker_stop{std::move(reply)}));
    run();
    return heard;
  }
  answers<ready_replicas> all_ready() {
    auto [heard, reply] = listen<ready_replicas>();
    caf::anon_send(subject, std::make_shared<all_ready_wait>(all_ready_wait{std::move(reply)}));
    run();
    return heard;
  }
  partition_route route(const topic_id& id, size_t index = 0) {
    auto* topic = routes.load()->find(id);
    return topic == nullptr ? partition_route{} : topic->partitions.at(index);
  }
  answers<protocol::produced> produce(const partition_actor& to) {
    batch_builder builder;
    record_view record;
    record.time = time.wall();
    record.value = as_bytes("value");
    builder.add(record);
    auto batch = builder.finish();
    auto [heard, reply] = listen<protocol::produced>();
    auto command = std::make_shared<produce_command>();
    command->facts = validate_batch(batch, {}).value();
    command->batch = std::shared_ptr<uint8_t[]>(new uint8_t[batch.size()]);
    std::memcpy(command->batch.get(), batch.data(), batch.size());
    command->deadline = time.now() + 10s;
    command->reply = std::move(reply);
    caf::anon_send(to, std::move(command));
    run();
    commits.finish_all();
    run();
    return heard;
  }
  std::string path_of(const topic_id& id, int index = 0) {
    return directory->partition_path(partition_key{id, partition_id{index}});
  }
  bool logged(const std::string& text) {
    for (auto& line : log_lines.lines)
      if (line.find(text) != std::string::npos) return true;
    return false;
  }

  answers<bool> stopping;
};

} // namespace

TEST_CASE_METHOD(broker_fixture, "broker: a created topic is opened, led and then published",
                 "[actors][broker]") {
  settle_in();
  auto id = create("orders", 2);
  run();
  // Known at once, served when its log is open.
  REQUIRE(routes.load()->find("orders") != nullptr);
  CHECK(route(id).local == nullptr);
  CHECK_FALSE(route(id).offline);
  auto ready = all_ready();
  CHECK(ready->empty());
  settle();
  REQUIRE(route(id, 1).local != nullptr);
  CHECK(route(id, 1).epoch == leader_epoch{0});
  REQUIRE(ready->size() == 1);
  CHECK(ready->front()->hosted == 2);
  CHECK(ready->front()->failed == 0);
  auto heard = produce(route(id, 1).local);
  REQUIRE(heard->size() == 1);
  CHECK(heard->front()->base == offset{0});
  CHECK(disk.env().exists(path_of(id, 1)));
}

TEST_CASE_METHOD(broker_fixture, "broker: an index is reached when it is published, not when it is applied",
                 "[actors][broker]") {
  settle_in();
  create("orders");
  std::vector<metadata_index> seen;
  auto wait = std::make_shared<index_wait>();
  wait->index = last;
  wait->deadline = time.now() + 1s;
  wait->reply = make_responder<metadata_index>([&](const result<metadata_index>& reached) {
    REQUIRE(reached.ok());
    seen.push_back(routes.load()->index);
  });
  caf::anon_send(subject, wait);
  wait = nullptr;
  sched.try_run_once(); // the record
  sched.try_run_once(); // the question
  CHECK(seen.empty());
  run();
  REQUIRE(seen.size() == 1);
  CHECK(seen.front() == last);
}

TEST_CASE_METHOD(broker_fixture, "broker: who waits for an index that does not come hears so",
                 "[actors][broker]") {
  settle_in();
  auto [heard, reply] = listen<metadata_index>();
  caf::anon_send(subject, std::make_shared<index_wait>(
                              index_wait{metadata_index{99}, time.now() + 1s, std::move(reply)}));
  run();
  CHECK(heard->empty());
  pass(env.upkeep_interval);
  REQUIRE(heard->size() == 1);
  CHECK(heard->front().error().code == ec::timed_out);
}

TEST_CASE_METHOD(broker_fixture, "broker: a topic deleted while its log is being opened is removed",
                 "[actors][broker]") {
  settle_in();
  auto id = create("orders");
  run();
  REQUIRE(pool.waiting() == 1);
  say({topic_deleted{id}});
  run();
  CHECK(routes.load()->find(id) == nullptr);
  settle();
  CHECK_FALSE(disk.env().exists(path_of(id)));
  auto ready = all_ready();
  REQUIRE(ready->size() == 1);
  CHECK(ready->front()->hosted == 0);
  // The name may come again, as another topic.
  auto again = create("orders");
  settle();
  CHECK(route(again).local != nullptr);
  CHECK(counters.replicas_open == 1);
}

TEST_CASE_METHOD(broker_fixture, "broker: a topic deleted before its log is opened leaves nothing",
                 "[actors][broker]") {
  env.opens_in_parallel = 1;
  settle_in();
  auto id = create("orders", 3);
  run();
  say({topic_deleted{id}});
  settle();
  for (int i = 0; i < 3; ++i)
    CHECK_FALSE(disk.env().exists(path_of(id, i)));
  CHECK(all_ready()->size() == 1);
}

TEST_CASE_METHOD(broker_fixture, "broker: what is written in flight is written before its topic is removed",
                 "[actors][broker]") {
  settle_in();
  auto id = create("orders");
  settle();
  auto old = route(id).local;
  say({topic_deleted{id}});
  settle();
  CHECK_FALSE(disk.env().exists(path_of(id)));
  auto late = produce(old);
  REQUIRE(late->size() == 1);
  CHECK(late->front().error().code == ec::not_leader);
  CHECK(counters.replicas_open == 0);
}

TEST_CASE_METHOD(broker_fixture, "broker: a log that cannot be opened is offline, and its route says why",
                 "[actors][broker]") {
  settle_in();
  auto id = create("orders", 2);
  disk.faults().inject({sim::disk_operation::open, sim::disk_fault::error, 1, 1, path_of(id, 1)});
  auto ready = all_ready();
  settle();
  CHECK(route(id, 0).local != nullptr);
  CHECK(route(id, 1).local == nullptr);
  REQUIRE(route(id, 1).offline);
  CHECK(route(id, 1).offline->code == ec::storage_failed);
  REQUIRE(ready->size() == 1);
  CHECK(ready->front()->hosted == 2);
  CHECK(ready->front()->failed == 1);
  CHECK(counters.replicas_offline == 1);
  SECTION("its topic can be deleted") {
    say({topic_deleted{id}});
    settle();
    CHECK_FALSE(disk.env().exists(path_of(id, 1)));
    CHECK(counters.replicas_offline == 0);
  }
  SECTION("the stop is not clean") {
    auto stopped = stop();
    settle();
    REQUIRE(stopped->size() == 1);
    CHECK_FALSE(*stopped->front());
  }
}

// rules.md 1: damage below the durable end is loss. The node starts, and says so.
TEST_CASE_METHOD(broker_fixture,
                 "broker: a log that has lost records is offline and does not keep the node down",
                 "[actors][broker]") {
  settle_in();
  auto id = create("orders");
  settle();
  for (int i = 0; i < 3; ++i)
    REQUIRE(produce(route(id).local)->size() == 1);
  end();
  disk.flip_bit(path_of(id) + "/00000000000000000000.log", 8 * 100);
  disk.env().remove_file(path_of(id) + "/checkpoint").value();
  start_again(id, 1);
  CHECK(route(id).local == nullptr);
  REQUIRE(route(id).offline);
  CHECK(route(id).offline->code == ec::corrupt_data);
  CHECK(logged("has lost data"));
  auto ready = all_ready();
  REQUIRE(ready->size() == 1);
  CHECK(ready->front()->failed == 1);
}

// rules.md 2: an epoch is served by one incarnation, also on a single node.
TEST_CASE_METHOD(broker_fixture, "broker: no epoch of an earlier life is led", "[actors][broker]") {
  settle_in();
  auto id = create("orders");
  settle();
  end();
  CHECK(counters.leaderships == 1);
  subject = sys.spawn(broker, &env);
  auto all = std::exchange(history, {});
  last = metadata_index{-1};
  say(std::move(all));
  settle();
  CHECK(route(id).local == nullptr);
  CHECK(counters.leaderships == 1);
  say({registration(), partition_changed{id, partition_id{0}, self, leader_epoch{1}, {self}, {self}}});
  settle();
  CHECK(route(id).local != nullptr);
  CHECK(route(id).epoch == leader_epoch{1});
  CHECK(counters.leaderships == 2);
}

TEST_CASE_METHOD(broker_fixture, "broker: a stop waits for what is being opened and closes it",
                 "[actors][broker]") {
  settle_in();
  create("orders", 2);
  run();
  auto stopped = stop();
  CHECK(stopped->empty());
  settle();
  REQUIRE(stopped->size() == 1);
  CHECK(*stopped->front());
  CHECK(counters.replicas_open == 0);
}

TEST_CASE_METHOD(broker_fixture, "broker: a stop is clean only for what was opened or is clean already",
                 "[actors][broker]") {
  env.opens_in_parallel = 1;
  env.clean_stop = GENERATE(false, true);
  settle_in();
  create("orders", 2);
  run();
  auto stopped = stop();
  settle();
  REQUIRE(stopped->size() == 1);
  CHECK(*stopped->front() == env.clean_stop);
}

TEST_CASE_METHOD(broker_fixture, "broker: what is committed during a stop neither delays it nor is begun",
                 "[actors][broker]") {
  settle_in();
  auto id = create("orders");
  settle();
  auto stopped = stop();
  CHECK(stopped->empty());
  auto late = create("late");
  say({topic_deleted{id}});
  settle();
  REQUIRE(stopped->size() == 1);
  CHECK(*stopped->front());
  CHECK_FALSE(disk.env().exists(path_of(late)));
  CHECK(disk.env().exists(path_of(id))); // the next start removes it
}

TEST_CASE_METHOD(broker_fixture,
                 "broker: what a crash left of deleted topics goes, what nothing explains stays",
                 "[actors][broker]") {
  topic_id deleted{draw_uuid(random)}, stranger{draw_uuid(random)};
  for (auto& id : {deleted, stranger})
    directory->create_partition({id, partition_id{0}}).value();
  say({cluster_created{cluster_id{draw_uuid(random)}, ""}, registration(),
       topic_created{deleted, "gone", 1, {}, {{{self}}}}, topic_deleted{deleted}});
  SECTION("at the start") {
    settle();
    CHECK_FALSE(disk.env().exists(path_of(deleted)));
    CHECK(disk.env().exists(path_of(stranger)));
    CHECK(logged("explains the directory of partition " + to_string(stranger)));
  }
  SECTION("but not beside the end of a stop") {
    run();
    auto stopped = stop();
    CHECK(stopped->empty()); // the job could still touch the directory
    settle();
    CHECK(stopped->size() == 1);
    CHECK(disk.env().exists(path_of(deleted)));
  }
}
