#include "persistence/commit_service.hpp"
#include "persistence/log_files.hpp"
#include "schema/seams/seams_posix.hpp"
#include "tests/support/log_fixture.hpp"
#include "tests/support/step_pool.hpp"
#include "tests/support/temporary_directory.hpp"

#include <algorithm>
#include <atomic>
#include <future>

using namespace pessoa;
using namespace pessoa::persistence;
using namespace pessoa::tests;
using namespace std::chrono_literals;

namespace {

struct service_fixture {
  seeded_random random{5};
  sim::sim_disk disk{random};
  step_pool pool;
  manual_clock time;
  commit_settings settings;
  std::unique_ptr<commit_service> service;
  std::vector<std::shared_ptr<partition_log>> logs;
  std::vector<partition_key> keys;
  log_settings log_options;

  service_fixture() {
    settings.reserve_bytes = 1000;
    disk.env().create_directories("data").value();
    disk.env().sync_directory("data").value();
    disk.env().sync_directory(".").value();
    log_options.index_interval_bytes = 512;
  }
  void start(size_t count) {
    service = commit_service::open(disk.env(), "data/journal", pool, time, settings).value();
    while (keys.size() < count)
      keys.push_back({topic_id{draw_uuid(random)}, partition_id{static_cast<int32_t>(keys.size())}});
    for (size_t i = 0; i < count; ++i)
      logs.push_back(open_log(keys[i]));
  }
  std::shared_ptr<partition_log> open_log(const partition_key& key) {
    recovery_report report;
    auto log = partition_log::open(disk.env(), "data/" + to_string(key), key, log_options, false,
                                   service->recovered(key), report);
    REQUIRE(log.ok());
    INFO(report.loss.value_or(""));
    REQUIRE_FALSE(report.loss);
    return std::move(*log);
  }
  void crash(sim::crash_kind kind = sim::crash_kind::power) {
    pool.drop();
    service.reset();
    logs.clear();
    disk.crash(kind);
  }
  struct answer {
    bool came = false;
    commit_outcome outcome{offset{-1}, 0};
  };
  std::shared_ptr<answer> commit(size_t log, int frames = 1) {
    auto a = std::make_shared<answer>();
    std::vector<frame_input> input;
    for (int i = 0; i < frames; ++i)
      input.push_back({make_batch(logs[log]->log_end() + i, leader_epoch{0}), timestamp{1000}});
    service->commit(logs[log], std::move(input), [a](commit_outcome outcome) {
      CHECK_FALSE(a->came);
      a->came = true;
      a->outcome = std::move(outcome);
    });
    return a;
  }
};

} // namespace

TEST_CASE_METHOD(service_fixture, "commit: an answer comes after the sync, with the durable end",
                 "[persistence][commit]") {
  start(1);
  auto first = commit(0, 3);
  CHECK_FALSE(first->came);
  CHECK(pool.jobs() == 1);
  pool.run_job();
  CHECK_FALSE(first->came);
  CHECK(logs[0]->durable_end() == offset{3});
  pool.run();
  REQUIRE(first->came);
  CHECK(first->outcome.durable_end.value() == offset{3});
  crash();
  start(1);
  CHECK(logs[0]->log_end() == offset{3});
}

TEST_CASE_METHOD(service_fixture, "commit: what arrives during a round forms the next one",
                 "[persistence][commit]") {
  start(3);
  auto a = commit(0);
  pool.run_job();
  auto b = commit(1);
  auto c = commit(2);
  CHECK(pool.jobs() == 0);
  pool.run_answer();
  CHECK(a->came);
  CHECK(pool.jobs() == 1);
  pool.run();
  CHECK(b->came);
  CHECK(c->came);
  auto counters = service->counters();
  CHECK(counters.rounds == 2);
  CHECK(counters.requests == 3);
  CHECK(counters.queued_bytes == 0);
}

TEST_CASE_METHOD(service_fixture, "commit: the loan is let go of before the answer",
                 "[persistence][commit]") {
  start(1);
  bool free_at_answer = false;
  std::weak_ptr<partition_log> watch = logs[0];
  auto log = std::move(logs[0]);
  auto batch = make_batch(offset{0}, leader_epoch{0});
  service->commit(std::move(log), {{batch, timestamp{1}}},
                  [&](commit_outcome) { free_at_answer = watch.expired(); });
  pool.run();
  CHECK(free_at_answer);
}

TEST_CASE_METHOD(service_fixture, "commit: a service that dies drops the answers unrun",
                 "[persistence][commit]") {
  start(2);
  struct guard {
    int* dropped;
    ~guard() { ++*dropped; }
  };
  int dropped = 0, ran = 0;
  for (size_t i = 0; i < 2; ++i)
    service->commit(logs[i], {{make_batch(offset{0}, leader_epoch{0}), timestamp{1}}},
                    [&ran, g = std::make_shared<guard>(guard{&dropped})](commit_outcome) { ++ran; });
  dropped = 0;
  pool.run_job();
  pool.drop();
  service.reset();
  CHECK(ran == 0);
  CHECK(dropped == 2);
}

TEST_CASE_METHOD(service_fixture,
                 "commit: a full disk is refused with its figures, and the refusal ends by itself",
                 "[persistence][commit][disk_full]") {
  settings.reserve_bytes = 1 << 20;
  start(1);
  disk.set_capacity(disk.bytes_used() + (1 << 20));
  auto refused = commit(0);
  pool.run();
  REQUIRE(refused->came);
  REQUIRE(refused->outcome.durable_end.error().code == ec::disk_full);
  CHECK(refused->outcome.durable_end.error().message.find("MiB") != std::string::npos);
  CHECK(logs[0]->log_end() == offset{0});
  CHECK_FALSE(logs[0]->failed());
  REQUIRE(service->refusing());
  CHECK(service->counters().refused_disk_full == 1);
  disk.set_capacity(1ull << 40);
  CHECK(service->refusing()); // not looked yet
  time.pass(2s);
  CHECK(service->refusing());
  pool.run();
  CHECK_FALSE(service->refusing());
  auto taken = commit(0);
  pool.run();
  CHECK(taken->outcome.durable_end.ok());
}

TEST_CASE_METHOD(service_fixture, "commit: the metadata log may use the reserve",
                 "[persistence][commit][disk_full]") {
  settings.reserve_bytes = 1 << 20;
  log_options.may_use_reserve = true;
  start(1);
  disk.set_capacity(disk.bytes_used() + (1 << 20));
  auto taken = commit(0);
  pool.run();
  CHECK(taken->outcome.durable_end.ok());
}

TEST_CASE_METHOD(service_fixture, "commit: one log's failure is its own", "[persistence][commit]") {
  start(3);
  disk.faults().inject({sim::disk_operation::sync, sim::disk_fault::error, 1, 1, to_string(keys[1])});
  auto a = commit(0);
  auto b = commit(1);
  auto c = commit(2);
  pool.run();
  CHECK(a->outcome.durable_end.ok());
  CHECK(b->outcome.durable_end.error().code == ec::storage_failed);
  CHECK(c->outcome.durable_end.ok());
  CHECK(logs[1]->failed());
}

// -- the journal ---

namespace {

struct journal_fixture : service_fixture {
  journal_fixture() { settings.journal_from_logs = 2; }
  // A round of all logs; every answer must be ok.
  void round(int frames = 1) {
    std::vector<std::shared_ptr<answer>> answers;
    for (size_t i = 0; i < logs.size(); ++i)
      answers.push_back(commit(i, frames));
    pool.run();
    for (auto& a : answers) {
      REQUIRE(a->came);
      REQUIRE(a->outcome.durable_end.ok());
    }
  }
  std::vector<std::string> journal_files() { // ascending
    auto names = disk.env().list_directory("data/journal").value();
    std::sort(names.begin(), names.end());
    return names;
  }
};

} // namespace

TEST_CASE_METHOD(journal_fixture, "commit: many logs cost one sync, and power loss takes nothing",
                 "[persistence][commit][journal]") {
  start(20);
  for (int i = 0; i < 5; ++i)
    round(2);
  auto counters = service->counters();
  CHECK(counters.journal_syncs == 5);
  CHECK(counters.segment_syncs == 0);
  CHECK(counters.journal_bytes > 0);
  crash();
  start(20);
  for (auto& log : logs) {
    CHECK(log->log_end() == offset{10});
    CHECK(log->durable_end() == offset{10});
  }
  service->recovery_complete().value();
  CHECK(journal_files().empty());
  round();
  crash();
  start(20);
  for (auto& log : logs)
    CHECK(log->log_end() == offset{11});
}

TEST_CASE_METHOD(journal_fixture, "commit: after a kill the journal is read once, and so are the segments",
                 "[persistence][commit][journal]") {
  log_options.index_interval_bytes = 4096;
  settings.journal_bytes_max = 64 << 20;
  start(10);
  for (int i = 0; i < 30; ++i)
    round(20);
  uint64_t doubt = 0; // nothing was synced but the journal
  for (auto& log : logs)
    doubt += log->size_bytes();
  for (auto& name : journal_files())
    doubt += disk.env().open_file("data/journal/" + name, open_mode::read).value()->size().value();
  REQUIRE(doubt > 1'000'000);
  crash(sim::crash_kind::kill);
  auto before = disk.counters().bytes_read;
  start(10);
  CHECK(disk.counters().bytes_read - before < doubt + doubt / 10 + 10 * 2048);
  for (auto& log : logs)
    CHECK(log->log_end() == offset{600});
}

TEST_CASE_METHOD(journal_fixture, "commit: a crash before recovery is complete loses nothing",
                 "[persistence][commit][journal]") {
  start(6);
  round(3);
  crash();
  for (int i = 0; i < 5; ++i) {
    start(6);
    round();
    crash();
  }
  start(6);
  for (auto& log : logs)
    CHECK(log->log_end() == offset{8});
}

TEST_CASE_METHOD(journal_fixture, "commit: a life that trims its journal beside an old one leaves no doubt",
                 "[persistence][commit][journal]") {
  settings.journal_bytes_max = 40'000;
  start(6);
  round(3);
  crash();
  // One log is never opened: recovery is not complete, and the old files stay.
  start(6);
  auto old = journal_files();
  REQUIRE_FALSE(old.empty());
  for (int i = 0; i < 100; ++i)
    round(2);
  auto now = journal_files();
  REQUIRE(std::includes(now.begin(), now.end(), old.begin(), old.end()));
  REQUIRE(now.size() < 20); // it was trimmed
  crash(sim::crash_kind::kill);
  start(6);
  for (auto& log : logs) {
    CHECK_FALSE(log->failed().has_value());
    CHECK(log->log_end() == offset{203});
  }
}

TEST_CASE_METHOD(journal_fixture,
                 "commit: a deleted log stays forgotten while an old journal holds its frames",
                 "[persistence][commit][journal]") {
  settings.journal_bytes_max = 40'000;
  start(6);
  round(3);
  crash();
  // Recovery is not complete: a log waits to be opened.
  start(6);
  service->detach(*logs[5]).value();
  logs.pop_back();
  disk.env().remove_tree("data/" + to_string(keys[5])).value();
  disk.env().sync_directory("data").value();
  auto with_the_forgotten = journal_files().size();
  for (int i = 0; i < 100; ++i)
    round(2);
  CHECK(journal_files().size() > with_the_forgotten);
  crash(sim::crash_kind::kill);
  start(6);
  CHECK(logs[5]->log_end() == offset{0});
  service->recovery_complete().value();
  CHECK(journal_files().empty());
}

// Simulated world, seed 96900: from then on the two rounds were one.
TEST_CASE_METHOD(journal_fixture,
                 "commit: what is written again from the journal still says what was durable",
                 "[persistence][commit][journal]") {
  start(3);
  round();
  round();
  crash(sim::crash_kind::kill);
  start(3);
  service->recovery_complete().value();
  crash(sim::crash_kind::kill);
  auto directory = "data/" + to_string(keys[0]);
  disk.env().remove_file(directory + "/" + file_name(offset{0}, index_suffix)).value();
  disk.flip_bit(directory + "/" + file_name(offset{0}, segment_suffix), 8 * 8); // the first frame's header
  service = commit_service::open(disk.env(), "data/journal", pool, time, settings).value();
  recovery_report report;
  auto log = partition_log::open(disk.env(), directory, keys[0], log_options, false,
                                 service->recovered(keys[0]), report);
  REQUIRE(log.ok());
  REQUIRE(report.loss);
  CHECK(report.loss->find("offset 1 was durable") != std::string::npos);
}

// Storage seed 8536 with full_disk_never_ends.
TEST_CASE_METHOD(journal_fixture, "commit: what is read of an old journal is not vouched for as durable",
                 "[persistence][commit][journal]") {
  for (int i = 0; i < 15; ++i) {
    start(3);
    round();
    disk.faults().inject({.operation = sim::disk_operation::sync,
                          .fault = sim::disk_fault::power_cut,
                          .path_contains = ".journal"});
    for (size_t log = 0; log < logs.size(); ++log)
      commit(log);
    pool.run();
    crash(sim::crash_kind::kill);
    disk.faults().clear();
    start(3); // the old files stay: recovery is not complete
    round();
    crash();
    start(3); // without a loss
    service->recovery_complete().value();
    crash();
  }
}

// Storage seed 2074198.
TEST_CASE_METHOD(journal_fixture, "commit: a journal that a kill left removed does not come back later",
                 "[persistence][commit][journal]") {
  for (int i = 0; i < 20; ++i) {
    start(3);
    service->recovery_complete().value();
    round();
    crash(sim::crash_kind::kill);
    start(3);
    disk.faults().inject({.operation = sim::disk_operation::sync_directory,
                          .fault = sim::disk_fault::power_cut,
                          .path_contains = "data/journal"});
    CHECK_FALSE(service->recovery_complete().ok());
    crash(sim::crash_kind::kill);
    disk.faults().clear();
    start(3);
    auto seen = journal_files();
    crash();
    CHECK(journal_files() == seen);
  }
}

TEST_CASE_METHOD(journal_fixture, "commit: a file that is missing in a life's row is everybody's doubt",
                 "[persistence][commit][journal]") {
  settings.journal_bytes_max = 40'000;
  start(6);
  while (journal_files().size() < 3)
    round(2);
  auto files = journal_files();
  crash(sim::crash_kind::kill);
  disk.env().remove_file("data/journal/" + files[1]).value();
  service = commit_service::open(disk.env(), "data/journal", pool, time, settings).value();
  for (auto& key : keys)
    CHECK(service->recovered(key).damage.has_value());
}

TEST_CASE_METHOD(journal_fixture, "commit: a log that could not be opened is given its frames once more",
                 "[persistence][commit][journal]") {
  start(6);
  round(3);
  crash();
  service = commit_service::open(disk.env(), "data/journal", pool, time, settings).value();
  for (auto& key : keys) {
    auto count = service->recovered(key).entries.size();
    CHECK(count == 3);
    CHECK(service->recovered(key).entries.empty());
    service->recovered_in_vain(key);
    CHECK(service->recovered(key).entries.size() == count);
  }
}

TEST_CASE_METHOD(service_fixture, "commit: a disk that cannot say how much is free takes what it can",
                 "[persistence][commit]") {
  start(1);
  REQUIRE(service->space().has_value());
  disk.refuse_space(true);
  auto stored = commit(0);
  pool.run();
  CHECK(stored->outcome.durable_end.ok());
  CHECK(service->counters().failures == 0);
  CHECK_FALSE(service->space().has_value());
  disk.refuse_space(false);
  disk.set_capacity(disk.bytes_used() + 900); // below the reserve
  auto refused = commit(0);
  pool.run();
  CHECK(refused->outcome.durable_end.error().code == ec::disk_full);
  disk.refuse_space(true); // what was last known holds
  auto still = commit(0);
  pool.run();
  CHECK(still->outcome.durable_end.error().code == ec::disk_full);
  disk.refuse_space(false);
  disk.set_capacity(1ull << 40);
  service->look_at_space();
  pool.run();
  CHECK_FALSE(service->refusing().has_value());
  CHECK(service->space()->total_bytes == 1ull << 40);
}

TEST_CASE_METHOD(journal_fixture, "commit: the journal is bounded, and trimmed behind the segments",
                 "[persistence][commit][journal]") {
  settings.journal_bytes_max = 40'000;
  start(10);
  for (int i = 0; i < 100; ++i) {
    round(2);
    uint64_t bytes = 0;
    for (auto& name : journal_files())
      bytes += disk.env().open_file("data/journal/" + name, open_mode::read).value()->size().value();
    REQUIRE(bytes < 50'000);
  }
  CHECK(service->counters().journal_syncs > 50);
  crash();
  start(10);
  for (auto& log : logs)
    CHECK(log->log_end() == offset{200});
}

TEST_CASE_METHOD(journal_fixture, "commit: flush leaves no journal, and every segment synced",
                 "[persistence][commit][journal]") {
  start(10);
  round();
  service->flush().value();
  CHECK(journal_files().empty());
  round();
  service->flush().value();
  crash();
  disk.env().remove_tree("data/journal").value();
  start(10);
  for (auto& log : logs)
    CHECK(log->log_end() == offset{2});
}

TEST_CASE_METHOD(journal_fixture, "commit: a journal that fails is left for the segments",
                 "[persistence][commit][journal]") {
  start(5);
  round();
  auto op = GENERATE(sim::disk_operation::write, sim::disk_operation::sync);
  disk.faults().inject({op, sim::disk_fault::error, 1, 1, "journal"});
  round();
  round();
  CHECK(service->counters().segment_syncs == 10);
  crash();
  start(5);
  for (auto& log : logs)
    CHECK(log->log_end() == offset{3});
}

TEST_CASE_METHOD(journal_fixture, "commit: frames of a log that was deleted do not come back",
                 "[persistence][commit][journal]") {
  start(3);
  round(4);
  service->detach(*logs[1]).value();
  logs[1].reset();
  disk.env().remove_tree("data/" + to_string(keys[1])).value();
  disk.env().sync_directory("data").value();
  auto again = GENERATE(false, true);
  if (again) {
    logs[1] = open_log(keys[1]);
    auto a = commit(1);
    pool.run();
    CHECK(a->outcome.durable_end.value() == offset{1});
  }
  crash();
  start(3);
  CHECK(logs[0]->log_end() == offset{4});
  CHECK(logs[1]->log_end() == offset{again ? 1 : 0});
}

TEST_CASE_METHOD(journal_fixture, "commit: what was truncated does not come back from the journal",
                 "[persistence][commit][journal]") {
  start(3);
  round(4);
  logs[0]->truncate(offset{2}).value();
  logs[1]->truncate(offset{2}).value();
  auto a = commit(1);
  pool.run();
  CHECK(a->outcome.generation == 1);
  crash();
  start(3);
  CHECK(logs[0]->log_end() == offset{2});
  CHECK(logs[1]->log_end() == offset{3});
  CHECK(logs[2]->log_end() == offset{4});
}

TEST_CASE_METHOD(journal_fixture, "commit: a damaged journal is loss for those it may concern",
                 "[persistence][commit][journal]") {
  start(4);
  round();
  round();
  auto name = "data/journal/" + journal_files().at(0);
  crash();
  // Segments that lost their pages, and one byte of the first round's second record.
  auto header = GENERATE(true, false);
  auto record = (disk.env().open_file(name, open_mode::read).value()->size().value() - 32) / 8;
  disk.flip_bit(name, 8 * (32 + record + (header ? 20 : 100)));
  for (auto& key : keys)
    disk.env().remove_file("data/" + to_string(key) + "/00000000000000000000.log").value();
  service = commit_service::open(disk.env(), "data/journal", pool, time, settings).value();
  int lost = 0;
  for (auto& key : keys) {
    disk.env().create_directories("data/" + to_string(key)).value();
    disk.env().open_file("data/" + to_string(key) + "/00000000000000000000.log", open_mode::create).value();
    recovery_report report;
    auto log = partition_log::open(disk.env(), "data/" + to_string(key), key, log_options, false,
                                   service->recovered(key), report);
    REQUIRE(log.ok());
    if (report.loss)
      ++lost;
    else
      CHECK((*log)->log_end() == offset{2});
  }
  CHECK(lost == (header ? 4 : 1));
}

TEST_CASE("commit: many threads, one real disk", "[persistence][commit]") {
  temporary_directory directory;
  auto env = make_posix_storage_env();
  auto time = make_system_clock();
  auto random = make_system_random();
  auto pool = make_thread_pool(3, "commit");
  commit_settings settings;
  settings.reserve_bytes = 0;
  settings.journal_from_logs = 4;
  auto service = commit_service::open(*env, directory.path() + "/journal", *pool, *time, settings).value();
  constexpr int logs = 10, rounds = 30;
  std::vector<std::shared_ptr<partition_log>> open;
  for (int i = 0; i < logs; ++i) {
    partition_key key{topic_id{draw_uuid(*random)}, partition_id{i}};
    recovery_report report;
    open.push_back(
        partition_log::open(*env, directory.path() + "/" + to_string(key), key, {}, false, {}, report)
            .value());
  }
  std::atomic<int> left{logs};
  std::atomic<int> failures{0};
  std::promise<void> over;
  std::function<void(int, int)> next = [&](int log, int round) {
    if (round == rounds) {
      if (--left == 0) over.set_value();
      return;
    }
    auto end = open[static_cast<size_t>(log)]->log_end();
    service->commit(open[static_cast<size_t>(log)], {{make_batch(end, leader_epoch{0}), timestamp{1000}}},
                    [&, log, round, end](commit_outcome outcome) {
                      if (!outcome.durable_end.ok() || *outcome.durable_end != end + 1) ++failures;
                      next(log, round + 1);
                    });
  };
  for (int i = 0; i < logs; ++i)
    next(i, 0);
  REQUIRE(over.get_future().wait_for(100s) == std::future_status::ready);
  CHECK(failures == 0);
  for (auto& log : open)
    CHECK(log->durable_end() == offset{rounds});
  CHECK(service->counters().requests == logs * rounds);
  for (auto& log : open)
    CHECK(service->detach(*log).ok());
  service.reset();
}
