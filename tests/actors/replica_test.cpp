// The replica, its partitions and the loan between them, stepped message by message.
#include "actors/replica/replica.hpp"
#include "actors/type_ids.hpp"
#include "tests/support/answers.hpp"
#include "tests/support/deterministic_system.hpp"
#include "tests/support/manual_commits.hpp"
#include "tests/support/memory_log.hpp"

#include <caf/send.hpp>
#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::actors;
using namespace std::chrono_literals;

namespace {

using test::answers;
using test::listen;

struct replica_fixture : test::deterministic_system {
  test::manual_commits commits;
  actor_counters counters;
  environment env;
  partition_key key{topic_id{topic_id::bytes_type{1}}, partition_id{0}};
  int logs_alive = 0;
  test::memory_log* log = nullptr; // owned by the replica or the loan
  std::vector<std::shared_ptr<partition_leading>> leading;
  std::vector<std::shared_ptr<replica_failed>> failures;
  broker_actor broker;
  replica_actor subject;

  replica_fixture() {
    env.time = &time;
    env.reads = &pool;
    env.commits = &commits;
    env.log = &log_lines;
    env.counters = &counters;
    env.fatal = [](const std::string& what) { FAIL(what); };
    env.delete_partition = [this](const partition_key& which) -> result<void> {
      removed.push_back(which);
      return {};
    };
    broker = sys.spawn([this](broker_actor::pointer) -> broker_actor::behavior_type {
      return {
        [](const ptr<metadata_committed>&) { FAIL("unexpected"); },
        [](const ptr<index_wait>&) { FAIL("unexpected"); },
        [](const ptr<all_ready_wait>&) { FAIL("unexpected"); },
        [this](const ptr<partition_leading>& m) { leading.push_back(m); },
        [this](const ptr<replica_failed>& m) { failures.push_back(m); },
        [](const ptr<broker_stop>&) { FAIL("unexpected"); },
        [](const ptr<log_opened>&) { FAIL("unexpected"); },
        [](const ptr<replica_gone>&) { FAIL("unexpected"); },
        [](const ptr<leftovers_removed>&) { FAIL("unexpected"); },
        [](upkeep_atom) { FAIL("unexpected"); },
        [](tick_atom) { FAIL("unexpected"); },
      };
    });
    begin();
  }

  // A replica with an empty log; one that failed when it was opened, if `broken` says why.
  void begin(std::optional<error> broken = std::nullopt) {
    if (subject != nullptr) caf::anon_send_exit(subject, caf::exit_reason::kill);
    auto owned = std::make_unique<test::memory_log>(key, &logs_alive);
    if (broken) owned->fail(*broken);
    log = owned.get();
    auto box = std::make_shared<std::unique_ptr<persistence::partition_log>>(std::move(owned));
    subject = sys.spawn(replica, &env, broker, box, topic_config{});
    run();
  }

  ~replica_fixture() {
    leading.clear();
    caf::anon_send_exit(subject, caf::exit_reason::kill);
    caf::anon_send_exit(broker, caf::exit_reason::kill);
    subject = nullptr;
    broker = nullptr;
    settle();
    commits.waiting.clear();
    settle();
  }

  void lead(int epoch) {
    caf::anon_send(subject, std::make_shared<lead_command>(lead_command{leader_epoch{epoch}}));
    run();
  }
  partition_actor leader() { return leading.back()->partition; }

  answers<protocol::produced> produce(const partition_actor& to, std::string_view value,
                                      protocol::acks level = protocol::acks::all) {
    batch_builder builder;
    record_view record;
    record.time = time.wall();
    record.value = as_bytes(value);
    builder.add(record);
    auto batch = builder.finish();
    auto [heard, reply] = listen<protocol::produced>();
    auto command = std::make_shared<produce_command>();
    auto facts = validate_batch(batch, {});
    REQUIRE(facts.ok());
    command->facts = *facts;
    command->batch = std::shared_ptr<uint8_t[]>(new uint8_t[batch.size()]);
    std::memcpy(command->batch.get(), batch.data(), batch.size());
    command->level = level;
    command->deadline = time.now() + 10s;
    command->reply = std::move(reply);
    caf::anon_send(to, std::move(command));
    run();
    return heard;
  }

  answers<fetched> fetch(const partition_actor& from, int64_t at, duration wait = 1s,
                         std::function<std::shared_ptr<void>(size_t)> reserve = {}) {
    auto [heard, reply] = listen<fetched>();
    auto command = std::make_shared<fetch_command>();
    command->from = offset{at};
    command->deadline = time.now() + wait;
    command->reserve = std::move(reserve);
    command->reply = std::move(reply);
    caf::anon_send(from, std::move(command));
    settle();
    return heard;
  }

  answers<offset> delete_records(const partition_actor& in, int64_t before) {
    auto [heard, reply] = listen<offset>();
    caf::anon_send(in, std::make_shared<delete_records_command>(
                           delete_records_command{offset{before}, std::move(reply)}));
    run();
    return heard;
  }
  void look_after() {
    caf::anon_send(subject, upkeep_atom::value);
    run();
  }

  answers<partition_key> stop(bool remove) {
    auto [heard, reply] = listen<partition_key>();
    caf::anon_send(subject, std::make_shared<replica_stop>(replica_stop{remove, std::move(reply)}));
    run();
    return heard;
  }

  std::vector<partition_key> removed;
};

} // namespace

TEST_CASE_METHOD(replica_fixture, "replica: a producer hears nothing before its batch is durable", "[actors][partition]") {
  lead(0);
  REQUIRE(leading.size() == 1);
  auto heard = produce(leader(), "a");
  CHECK(heard->empty());
  CHECK(log->durable_end() == offset{0});
  commits.finish();
  run();
  REQUIRE(heard->size() == 1);
  CHECK(heard->front()->base == offset{0});
  CHECK(log->durable_end() == offset{1});
}

TEST_CASE_METHOD(replica_fixture, "replica: batches that arrive during a commit form the next one", "[actors][partition]") {
  lead(0);
  produce(leader(), "a");
  produce(leader(), "b");
  auto last = produce(leader(), "c");
  REQUIRE(commits.waiting.size() == 1);
  CHECK(commits.waiting.front().frames.size() == 1);
  commits.finish();
  run();
  REQUIRE(commits.waiting.size() == 1);
  CHECK(commits.waiting.front().frames.size() == 2);
  commits.finish();
  run();
  REQUIRE(last->size() == 1);
  CHECK(last->front()->base == offset{2});
}

TEST_CASE_METHOD(replica_fixture, "replica: a parked fetch wakes when its record is durable, not before", "[actors][partition]") {
  lead(0);
  auto heard = fetch(leader(), 0);
  produce(leader(), "a");
  settle();
  CHECK(heard->empty());
  commits.finish();
  settle();
  REQUIRE(heard->size() == 1);
  CHECK(heard->front()->next == offset{1});
  CHECK_FALSE(heard->front()->batches.empty());
}

TEST_CASE_METHOD(replica_fixture, "replica: a parked fetch is answered empty at its deadline", "[actors][partition]") {
  lead(0);
  auto heard = fetch(leader(), 0);
  pass(999ms);
  CHECK(heard->empty());
  pass(2ms);
  REQUIRE(heard->size() == 1);
  CHECK(heard->front()->batches.empty());
  CHECK(heard->front()->high_watermark == offset{0});
}

TEST_CASE_METHOD(replica_fixture, "replica: a new epoch waits until the old one's write is over", "[actors][replica]") {
  lead(0);
  auto first = leader();
  auto waiting = produce(first, "a");
  auto parked = fetch(first, 0);
  lead(1);
  // The old epoch has answered what waited; its log is still in the hands of the commit.
  REQUIRE(waiting->size() == 1);
  CHECK(waiting->front().error().code == ec::unknown_result);
  REQUIRE(parked->size() == 1);
  CHECK(parked->front().error().code == ec::not_leader);
  CHECK(leading.size() == 1);
  commits.finish();
  settle();
  REQUIRE(leading.size() == 2);
  CHECK(leading.back()->epoch == leader_epoch{1});
  auto heard = produce(leader(), "b");
  commits.finish();
  run();
  REQUIRE(heard->size() == 1);
  CHECK(heard->front()->base == offset{1});
  CHECK(log->lineage().size() == 2);
}

TEST_CASE_METHOD(replica_fixture, "replica: an epoch is served once, and never an older one", "[actors][replica]") {
  lead(3);
  lead(3);
  lead(2);
  settle();
  REQUIRE(leading.size() == 1);
  CHECK(leading.back()->epoch == leader_epoch{3});
}

TEST_CASE_METHOD(replica_fixture, "replica: requests to an epoch that has ended are answered not_leader", "[actors][replica]") {
  lead(0);
  auto old = leader();
  lead(1);
  settle();
  auto heard = produce(old, "late");
  REQUIRE(heard->size() == 1);
  CHECK(heard->front().error().code == ec::not_leader);
}

TEST_CASE_METHOD(replica_fixture, "replica: a full disk refuses what was not written and recovers by itself", "[actors][partition]") {
  lead(0);
  auto first = produce(leader(), "a");
  auto second = produce(leader(), "b");
  commits.refuse({ec::disk_full, "12 bytes are free"});
  run();
  REQUIRE(first->size() == 1);
  CHECK(first->front().error().code == ec::disk_full);
  REQUIRE(second->size() == 1);
  CHECK(second->front().error().code == ec::disk_full);
  auto third = produce(leader(), "c");
  commits.finish();
  run();
  REQUIRE(third->size() == 1);
  CHECK(third->front()->base == offset{0});
}

// failures S6, R15: an error means unknown, and the first one ends the store.
TEST_CASE_METHOD(replica_fixture, "replica: a failed write takes the partition offline and is told as unknown", "[actors][partition]") {
  lead(0);
  auto first = produce(leader(), "a");
  log->fail({ec::storage_failed, "EIO"});
  commits.finish();
  settle();
  REQUIRE(first->size() == 1);
  CHECK(first->front().error().code == ec::unknown_result);
  REQUIRE(failures.size() == 1);
  CHECK(failures.front()->why.code == ec::storage_failed);
  auto later = produce(leader(), "b");
  REQUIRE(later->size() == 1);
  CHECK(later->front().error().code == ec::storage_failed);
}

TEST_CASE_METHOD(replica_fixture, "replica: stopping while the log is lent closes it once, after the write", "[actors][replica]") {
  lead(0);
  produce(leader(), "a");
  auto heard = stop(true);
  settle();
  CHECK(heard->empty());
  CHECK(logs_alive == 1);
  commits.finish();
  settle();
  REQUIRE(heard->size() == 1);
  CHECK(heard->front().ok());
  CHECK(logs_alive == 0);
  REQUIRE(removed.size() == 1);
}

TEST_CASE_METHOD(replica_fixture, "replica: retention moves the start, and an idle log holds no open file", "[actors][partition]") {
  lead(0);
  produce(leader(), "a");
  commits.finish();
  run();
  log->set_retention_start(offset{1});
  caf::anon_send(subject, upkeep_atom::value);
  settle();
  CHECK(log->log_start() == offset{1});
  auto heard = fetch(leader(), 0);
  REQUIRE(heard->size() == 1);
  CHECK(heard->front().error().code == ec::offset_out_of_range);
  for (int i = 0; i < 2; ++i) {
    caf::anon_send(subject, upkeep_atom::value);
    settle();
  }
  CHECK(log->released >= 1);
}

// Else a reader would be sent away by the log and sent back by its leader, without end.
TEST_CASE_METHOD(replica_fixture, "replica: a removal that fails after the start was saved still moves the leader's start",
                 "[actors][partition]") {
  lead(0);
  produce(leader(), "a");
  produce(leader(), "b");
  commits.finish_all();
  run();
  commits.finish_all();
  run();
  log->fail_next_remove({ec::storage_failed, "EIO"});
  auto deleted = delete_records(leader(), 1);
  settle();
  REQUIRE(deleted->size() == 1);
  CHECK(deleted->front().error().code == ec::storage_failed);
  CHECK(failures.size() == 1);
  auto below = fetch(leader(), 0);
  REQUIRE(below->size() == 1);
  CHECK(below->front().error().code == ec::offset_out_of_range);
  CHECK(below->front().error().message.find("from 1 to 2") != std::string::npos); // said by the leader itself
}

TEST_CASE_METHOD(replica_fixture, "replica: acks=0 is answered at once and still written", "[actors][partition]") {
  lead(0);
  auto heard = produce(leader(), "a", protocol::acks::none);
  REQUIRE(heard->size() == 1);
  CHECK(heard->front().ok());
  commits.finish_all();
  run();
  CHECK(log->durable_end() == offset{1});
}

TEST_CASE_METHOD(replica_fixture, "replica: DeleteRecords that comes during a write is answered after it",
                 "[actors][partition]") {
  lead(0);
  produce(leader(), "a");
  commits.finish();
  run();
  produce(leader(), "b");
  auto heard = delete_records(leader(), 1);
  CHECK(heard->empty());
  commits.finish();
  settle();
  REQUIRE(heard->size() == 1);
  REQUIRE(heard->front().ok());
  CHECK(*heard->front() == offset{1});
  CHECK(log->log_start() == offset{1});
}

TEST_CASE_METHOD(replica_fixture,
                 "replica: a partition that always writes is looked after between two writes",
                 "[actors][partition]") {
  lead(0);
  produce(leader(), "a");
  commits.finish();
  run();
  produce(leader(), "b");
  auto last = produce(leader(), "c");
  log->set_retention_start(offset{1});
  look_after();
  CHECK(pool.waiting() == 0);
  commits.finish();
  run();
  // One writer: the next write waits for the upkeep.
  CHECK(commits.waiting.empty());
  CHECK(pool.waiting() == 1);
  settle();
  CHECK(log->log_start() == offset{1});
  commits.finish();
  run();
  REQUIRE(last->size() == 1);
  CHECK(last->front().ok());
}

TEST_CASE_METHOD(replica_fixture, "replica: a log gets new settings when nobody writes to it",
                 "[actors][partition]") {
  lead(0);
  produce(leader(), "a");
  log->applied.reset();
  topic_config config;
  config.segment_bytes = 12345678;
  caf::anon_send(subject, std::make_shared<settings_change>(settings_change{config}));
  run();
  CHECK_FALSE(log->applied);
  commits.finish();
  run();
  REQUIRE(log->applied);
  CHECK(log->applied->segment_bytes == 12345678);
}

// failures S14: the state ends by itself.
TEST_CASE_METHOD(replica_fixture,
                 "replica: a disk too full to move the log start leaves the partition online",
                 "[actors][partition]") {
  lead(0);
  produce(leader(), "a");
  commits.finish();
  run();
  log->refuse_next_remove({ec::disk_full, "no room"});
  auto first = delete_records(leader(), 1);
  settle();
  REQUIRE(first->size() == 1);
  CHECK(first->front().error().code == ec::disk_full);
  CHECK(failures.empty());
  // Asked again it is done, not only said to be.
  auto second = delete_records(leader(), 1);
  settle();
  REQUIRE(second->size() == 1);
  CHECK(second->front().ok());
  CHECK(log->log_start() == offset{1});
  auto heard = produce(leader(), "b");
  commits.finish();
  run();
  REQUIRE(heard->size() == 1);
  CHECK(heard->front().ok());
}

TEST_CASE_METHOD(replica_fixture,
                 "replica: consumers of different patience do not make the clock tick faster",
                 "[actors][partition]") {
  lead(0);
  auto patient = fetch(leader(), 0, 10s);
  size_t most = 0;
  for (int i = 0; i < 200; ++i) {
    if (!patient->empty()) patient = fetch(leader(), 0, 10s);
    auto hasty = fetch(leader(), 0, 100ms);
    time.pass(100ms);
    most = std::max(most, sched.advance_time(100ms));
    settle();
    REQUIRE(hasty->size() == 1);
  }
  // A moment at which both are due: never one tick for every fetch that was.
  CHECK(most <= 2);
  pass(10s);
}

TEST_CASE_METHOD(replica_fixture, "replica: what finds no place in memory is not read",
                 "[actors][partition]") {
  lead(0);
  produce(leader(), "a");
  commits.finish();
  run();
  auto refused = fetch(leader(), 0, 1s, [](size_t) { return std::shared_ptr<void>{}; });
  REQUIRE(refused->size() == 1);
  CHECK(refused->front().error().code == ec::overloaded);
  std::weak_ptr<int> place;
  auto heard = fetch(leader(), 0, 1s, [&place](size_t bytes) -> std::shared_ptr<void> {
    auto made = std::make_shared<int>(static_cast<int>(bytes));
    place = made;
    return made;
  });
  REQUIRE(heard->size() == 1);
  REQUIRE(heard->front().ok());
  CHECK_FALSE(place.expired()); // as long as the bytes are there
  heard->clear();
  CHECK(place.expired());
}

TEST_CASE_METHOD(replica_fixture, "replica: a fetch whose caller has gone is forgotten",
                 "[actors][partition]") {
  lead(0);
  auto [heard, reply] = listen<fetched>();
  auto command = std::make_shared<fetch_command>();
  command->deadline = time.now() + 1s;
  command->reply = std::move(reply);
  auto other = fetch(leader(), 0);
  caf::anon_send(leader(), command);
  run();
  caf::anon_send(leader(), std::make_shared<fetch_abandoned>(fetch_abandoned{command}));
  run();
  CHECK(command.use_count() == 1);
  command = nullptr;
  CHECK(heard->size() == 1);
  CHECK(other->empty());
  pass(2s); // and nobody else is
  REQUIRE(other->size() == 1);
  CHECK(other->front().ok());
}

TEST_CASE_METHOD(replica_fixture,
                 "replica: a log that recovery found damaged is not led and not closed as clean",
                 "[actors][replica]") {
  begin(error{ec::corrupt_data, "damaged at byte 7"});
  REQUIRE(failures.size() == 1);
  CHECK(failures.front()->why.code == ec::corrupt_data);
  lead(0);
  settle();
  CHECK(leading.empty());
  auto heard = stop(false);
  settle();
  REQUIRE(heard->size() == 1);
  CHECK(heard->front().error().code == ec::corrupt_data);
}
