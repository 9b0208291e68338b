#include "persistence/frame.hpp"
#include "persistence/log_files.hpp"
#include "tests/support/log_fixture.hpp"

using namespace pessoa;
using namespace pessoa::persistence;
using namespace pessoa::tests;

TEST_CASE_METHOD(log_fixture, "log: what was written is read back byte for byte", "[persistence][log]") {
  open();
  append(20, 3);
  CHECK(log->log_end() == offset{60});
  CHECK(log->durable_end() == offset{0});
  CHECK(log->sync().value() == offset{60});
  CHECK(log->durable_end() == offset{60});
  CHECK(content() == expected(0, 20));
  auto one = log->read(offset{31}, offset{60}, 1).value();
  CHECK(one.first == offset{30}); // the batch that contains it, whole, although one byte was allowed
  CHECK(one.next == offset{33});
  CHECK(same_bytes(one.data, written[10]));
  auto below = log->read(offset{0}, offset{5}, 1 << 20).value();
  CHECK(below.next == offset{3}); // the batch that crosses the limit stays away
  CHECK(log->read(offset{60}, offset{60}, 100).value().data.empty());
  CHECK(log->read(offset{61}, offset{99}, 100).error().code == ec::offset_out_of_range);
}

TEST_CASE_METHOD(log_fixture, "log: a batch larger than any read ahead is read whole", "[persistence][log]") {
  open();
  append(1, 1);
  append(1, 1, leader_epoch{0}, 300'000);
  append(1, 1);
  CHECK(content(1000) == expected(0, 3));
  auto large = log->read(offset{1}, offset{3}, 10).value();
  CHECK(same_bytes(large.data, written[1]));
}

TEST_CASE_METHOD(log_fixture, "log: a batch that does not follow is refused and nothing is written",
                 "[persistence][log]") {
  open();
  append(2);
  auto gap = log->write({{make_batch(offset{3}, leader_epoch{0}), timestamp{1}}});
  CHECK(gap.error().code == ec::internal);
  CHECK(log->log_end() == offset{2});
  append(1, 1, leader_epoch{4});
  auto back = log->write({{make_batch(offset{3}, leader_epoch{3}), timestamp{1}}});
  CHECK(back.error().code == ec::internal);
  CHECK_FALSE(log->failed());
}

TEST_CASE_METHOD(log_fixture, "log: synced batches survive power loss, kills and repeated crashes",
                 "[persistence][log][recovery]") {
  auto kind = GENERATE(sim::crash_kind::kill, sim::crash_kind::power);
  for (int round = 0; round < 20; ++round) {
    open();
    REQUIRE_FALSE(report.loss);
    auto end = log->log_end().value();
    REQUIRE(end == static_cast<int64_t>(written.size()));
    REQUIRE(content() == expected(0, written.size()));
    append_synced(3);
    auto safe = written.size();
    append(4);
    crash(kind);
    open();
    REQUIRE_FALSE(report.loss);
    REQUIRE(log->log_end().value() >= static_cast<int64_t>(safe));
    REQUIRE(log->durable_end() == log->log_end());
    written.resize(static_cast<size_t>(log->log_end().value()));
    crash(kind);
  }
}

TEST_CASE_METHOD(log_fixture, "log: segments roll by size and by age, and are found again",
                 "[persistence][log]") {
  settings.segment_bytes = 2000;
  settings.segment_ms = 100;
  open();
  append(50, 1, leader_epoch{0}, 100);
  CHECK(log->segment_count() > 4);
  auto before = log->segment_count();
  append(1, 1, leader_epoch{0}, 16, timestamp{1200}); // older than 100 ms
  CHECK(log->segment_count() == before + 1);
  log->sync().value();
  CHECK(content() == expected(0, 51));
  crash();
  open();
  CHECK_FALSE(report.loss);
  CHECK(log->segment_count() == before + 1);
  CHECK(content() == expected(0, 51));
  append_synced(5);
  CHECK(content() == expected(0, 56));
}

TEST_CASE_METHOD(log_fixture, "log: recovery reads once what was not known to be durable, and little else",
                 "[persistence][log][recovery]") {
  settings.index_interval_bytes = 4096;
  settings.producer_snapshot_bytes = 4096;
  auto value_bytes = GENERATE(size_t{16}, size_t{300}, size_t{9000});
  int count = value_bytes > 1000 ? 100 : 1000;
  auto journalled = [&](int batches) {
    for (int i = 0; i < batches; ++i) {
      append(1, 1, leader_epoch{0}, value_bytes);
      log->note_durable_in_journal(log->log_end());
    }
  };
  open();
  journalled(count);
  log->background_sync()->sync().value();
  auto synced = log->size_bytes();
  journalled(count / 2);
  auto doubt = log->size_bytes() - synced;
  REQUIRE(doubt > 40'000);
  auto index = [&] {
    uint64_t size = 0;
    auto names = disk.env().list_directory(directory).value();
    for (auto& name : names)
      if (name.find(".index") != std::string::npos)
        size += disk.env().open_file(directory + "/" + name, open_mode::read).value()->size().value();
    return size;
  };
  auto read_by_start = [&] {
    crash(sim::crash_kind::kill);
    auto before = disk.counters().bytes_read;
    open();
    CHECK(log->log_end() == offset{count + count / 2});
    CHECK_FALSE(report.index_rebuilt);
    return disk.counters().bytes_read - before;
  };
  auto constant = 4 * 4096 + index();
  CHECK(read_by_start() < doubt + constant);
  CHECK(read_by_start() < 4096 + index()); // it was idle
  CHECK(content(1 << 20) == expected(0, written.size()));
}

TEST_CASE_METHOD(log_fixture, "log: a lost, damaged or foreign index is rebuilt",
                 "[persistence][log][recovery]") {
  settings.segment_bytes = 3000;
  open();
  append_synced(60);
  crash(sim::crash_kind::kill);
  auto names = disk.env().list_directory(directory).value();
  auto which = GENERATE(0, 1, 2);
  std::string previous;
  for (auto& name : names) {
    if (name.size() < 6 || name.substr(name.size() - 6) != ".index") continue;
    auto path = directory + "/" + name;
    if (which == 0) disk.env().remove_file(path).value();
    if (which == 1) disk.flip_bit(path, 8 * 80);
    if (which == 2 && !previous.empty())
      replace_file(disk.env(), path, read_whole_file(disk.env(), previous, 1 << 20).value()).value();
    previous = path;
  }
  open();
  CHECK_FALSE(report.loss);
  CHECK(report.index_rebuilt);
  CHECK(content(500) == expected(0, 60));
  CHECK(log->read(offset{33}, offset{60}, 1).value().first == offset{33});
  open(); // a damage in the middle of a sealed index shows only when that index is used
  open();
  CHECK_FALSE(report.index_rebuilt);
}

TEST_CASE_METHOD(log_fixture, "log: a torn tail is cut at the last whole frame",
                 "[persistence][log][recovery]") {
  open();
  append_synced(5);
  auto size = log->size_bytes();
  append(3);
  log->release_files();
  auto cut = GENERATE(1, 79, 80, 100, 141, 200);
  disk.env()
      .open_file(segment_path(), open_mode::read_write)
      .value()
      ->truncate(size + static_cast<uint64_t>(cut))
      .value();
  crash(sim::crash_kind::kill);
  open();
  CHECK_FALSE(report.loss);
  CHECK(report.torn_bytes_cut > 0);
  auto kept = static_cast<size_t>(log->log_end().value());
  CHECK(kept >= 5);
  CHECK(kept < 8);
  CHECK(content() == expected(0, kept));
  uint64_t size_now = 0; // the frames in doubt have a segment of their own now
  auto names = disk.env().list_directory(directory).value();
  for (auto& name : names)
    if (name.find(".log") != std::string::npos)
      size_now += disk.env().open_file(directory + "/" + name, open_mode::read).value()->size().value();
  CHECK(log->size_bytes() == size_now);
}

TEST_CASE_METHOD(log_fixture, "log: damage below a durable end is loss and is never cut",
                 "[persistence][log][recovery]") {
  open();
  for (int i = 0; i < 10; ++i)
    append_synced(1);
  auto size = log->size_bytes();
  crash(sim::crash_kind::kill);
  disk.flip_bit(segment_path(),
                8 * (size / 10 * 9 + 90)); // in the last frame: only the index's mark knows of it
  disk.env().remove_file(directory + "/epochs").value(); // (so that all of it is scanned)
  for (int again = 0; again < 3; ++again) {
    open();
    REQUIRE(report.loss);
    CHECK(report.loss->find("offset 10 was durable") != std::string::npos);
    REQUIRE(log->failed());
    CHECK(log->failed()->code == ec::corrupt_data);
    CHECK(log->log_end() == offset{9});
    CHECK(content() == expected(0, 9));
    CHECK(log->write({{make_batch(offset{9}, leader_epoch{0}), timestamp{1}}}).error().code
          == ec::corrupt_data);
    CHECK(disk.env().open_file(segment_path(), open_mode::read).value()->size().value() == size);
    crash(sim::crash_kind::kill);
  }
}

TEST_CASE_METHOD(log_fixture, "log: whatever is damaged, no wrong byte is read", "[persistence][log]") {
  settings.segment_bytes = 2000;
  open();
  for (int i = 0; i < 10; ++i)
    append_synced(5);
  log->release_files();
  auto names = disk.env().list_directory(directory).value();
  for (int i = 0; i < 300; ++i) {
    auto& name = names[random.below(names.size())];
    auto path = directory + "/" + name;
    auto size = disk.env().open_file(path, open_mode::read).value()->size().value();
    if (size == 0) continue;
    auto bit = random.below(size * 8);
    disk.flip_bit(path, bit);
    for (size_t at = 0; at < written.size(); ++at) {
      auto got = log->read(offset{static_cast<int64_t>(at)}, log->log_end(), 1);
      INFO(path << " bit " << bit << " of byte " << bit / 8 << " offset " << at);
      if (got.ok())
        CHECK(same_bytes(got->data, written[at]));
      else
        CHECK(got.error().code == ec::corrupt_data);
    }
    log->release_files(); // a damaged index entry may have been dropped, with what followed it
    if (disk.env().open_file(path, open_mode::read).value()->size().value() == size) disk.flip_bit(path, bit);
  }
}

TEST_CASE_METHOD(log_fixture, "log: truncation is durable, counted, and another history may follow",
                 "[persistence][log][truncate]") {
  settings.segment_bytes = 1500;
  open();
  append(10, 1, leader_epoch{0});
  append(10, 1, leader_epoch{1});
  log->sync().value();
  auto to = GENERATE(0, 1, 9, 10, 13, 19);
  log->truncate(offset{to}).value();
  CHECK(log->generation() == 1);
  CHECK(log->log_end() == offset{to});
  CHECK(log->durable_end() == offset{to});
  written.resize(static_cast<size_t>(to));
  crash();
  open();
  CHECK_FALSE(report.loss);
  CHECK(log->generation() == 1);
  CHECK(log->log_end() == offset{to});
  append(7, 1, leader_epoch{2});
  if (to > 0) CHECK(log->end_of_epoch(leader_epoch{1}).second == offset{to});
  log->sync().value();
  crash();
  open();
  CHECK_FALSE(report.loss);
  CHECK(content() == expected(0, written.size()));
  CHECK(log->last_epoch() == leader_epoch{2});
}

TEST_CASE_METHOD(log_fixture, "log: what was removed is known by producers, whatever a crash takes",
                 "[persistence][log][recovery]") {
  settings.segment_bytes = 500; // a segment for every few batches
  auto kind = GENERATE(sim::crash_kind::kill, sim::crash_kind::power);
  open();
  int32_t sequence = 0;
  auto produce = [&](producer_id id, int32_t first) {
    auto batch =
        make_batch(log->log_end(), leader_epoch{0}, 1, 16, timestamp{1000}, {id, producer_epoch{0}, first});
    log->write({{batch, timestamp{1000}}}).value();
    log->sync().value();
  };
  produce(producer_id{7}, 0); // and never again
  for (; sequence < 40; ++sequence)
    produce(producer_id{8}, sequence);
  REQUIRE(log->segment_count() > 5);
  auto before = log->producers();
  REQUIRE(log->remove_before(offset{38}).value() > 0);
  for (int i = 0; i < 3; ++i) { // each start is followed by a crash at once
    crash(kind);
    open();
    CHECK_FALSE(report.loss);
    CHECK(log->log_start() == offset{38});
    CHECK(log->producers() == before);
  }
}

// Storage directory 280408.
TEST_CASE_METHOD(log_fixture, "log: a start that runs out of room forgets no producer",
                 "[persistence][log][recovery]") {
  settings.segment_bytes = 500;
  open();
  auto only = make_batch(offset{0}, leader_epoch{0}, 1, 16, timestamp{1000},
                         {producer_id{7}, producer_epoch{0}, 0}); // and never again
  log->write({{only, timestamp{1000}}}).value();
  append_synced(9);
  append();
  auto before = log->producers();
  log->note_durable_in_journal(log->log_end());
  REQUIRE(log->remove_before(offset{8}).value() > 0); // a snapshot is all that knows of 7 now
  crash(sim::crash_kind::kill);
  // The last frame came to the journal alone.
  auto last = frame_length_of(written.back().size());
  auto file = disk.env().open_file(segment_path(10), open_mode::read_write).value();
  REQUIRE(file->size().value() == last);
  file->truncate(0).value();
  file.reset();
  journal_frames journal;
  journal.entries.push_back({{written.back(), timestamp{1000}}, 0});
  disk.set_capacity(disk.bytes_used() + last - 1);
  auto full = partition_log::open(disk.env(), directory, key, settings, false, journal, report);
  REQUIRE_FALSE(full.ok());
  CHECK(full.error().code == ec::disk_full);
  disk.set_capacity(1u << 30);
  open(false, journal);
  CHECK_FALSE(report.loss);
  CHECK(log->log_end() == offset{11});
  CHECK(log->producers() == before);
}

TEST_CASE_METHOD(log_fixture, "log: a truncation inside a batch takes the whole batch",
                 "[persistence][log][truncate]") {
  open();
  append(3, 10);
  log->truncate(offset{25}).value();
  CHECK(log->log_end() == offset{20});
  CHECK(log->truncate(offset{20}).ok());
  CHECK(log->generation() == 1); // nothing to cut
}

TEST_CASE_METHOD(log_fixture, "log: a truncation cut short by power loss is finished by the next start",
                 "[persistence][log][truncate][recovery]") {
  settings.segment_bytes = 1500;
  for (uint64_t nth = 1; nth < 20; ++nth) {
    log.reset();
    disk.env().remove_tree(directory).value();
    written.clear();
    open();
    append(20);
    log->sync().value();
    disk.faults().cut_power_at(nth);
    auto done = log->truncate(offset{7}).ok();
    if (!disk.is_cut()) disk.faults().clear();
    crash();
    open();
    INFO("cut at change " << nth);
    REQUIRE_FALSE(report.loss);
    auto end = log->log_end().value();
    REQUIRE((end == 7 || (!done && end == 20)));
    written.resize(static_cast<size_t>(end));
    append_synced(5);
    crash();
    open();
    REQUIRE_FALSE(report.loss);
    REQUIRE(content() == expected(0, written.size()));
  }
}

TEST_CASE_METHOD(log_fixture, "log: old segments go whole, and the start is durable first",
                 "[persistence][log][retention]") {
  settings.segment_bytes = 1500;
  open();
  append_synced(50);
  auto segments = log->segment_count();
  auto freed = log->remove_before(offset{23}).value();
  CHECK(freed > 0);
  CHECK(log->segment_count() < segments);
  CHECK(log->log_start() == offset{23});
  CHECK(log->read(offset{22}, offset{50}, 1).error().code == ec::offset_out_of_range);
  crash();
  open();
  CHECK_FALSE(report.loss);
  CHECK(log->log_start() == offset{23});
  CHECK(log->read(offset{23}, offset{50}, 1).value().first == offset{23});
  CHECK(log->remove_before(offset{50}).value() > 0); // all of it
  CHECK(log->log_end() == offset{50});
  crash();
  open();
  CHECK_FALSE(report.loss);
  CHECK(log->log_start() == offset{50});
  CHECK(log->log_end() == offset{50});
  append_synced(2);
  CHECK(log->log_end() == offset{52});
}

TEST_CASE_METHOD(log_fixture, "log: retention goes by size and by append time",
                 "[persistence][log][retention]") {
  settings.segment_bytes = 1500;
  open();
  append(30, 1, leader_epoch{0}, 16, timestamp{1000});
  append(30, 1, leader_epoch{0}, 16, timestamp{5000});
  CHECK_FALSE(log->retention_start(timestamp{1'000'000}, log->log_end())); // for ever
  settings.retention_ms = 1000;
  log->apply(settings);
  auto by_time = log->retention_start(timestamp{4000}, log->log_end());
  REQUIRE(by_time);
  CHECK(*by_time <= offset{30});
  CHECK(*by_time > offset{20});
  CHECK(log->retention_start(timestamp{10'000}, log->log_end()) == offset{60}); // the active one, too
  CHECK(*log->retention_start(timestamp{10'000}, offset{40}) <= offset{40});
  settings.retention_ms = -1;
  settings.retention_bytes = 4000;
  log->apply(settings);
  auto by_size = log->retention_start(timestamp{10'000}, log->log_end());
  REQUIRE(by_size);
  log->remove_before(*by_size).value();
  CHECK(log->size_bytes() >= 4000);
  CHECK(log->size_bytes() < 4000 + 1500);
  CHECK_FALSE(log->retention_start(timestamp{10'000}, log->log_end()));
}

TEST_CASE_METHOD(log_fixture, "log: a record is found by its time", "[persistence][log]") {
  settings.segment_bytes = 1500;
  open();
  for (int i = 0; i < 60; ++i)
    append(1, 2, leader_epoch{i / 20}, 16, timestamp{1000 + i * 10});
  auto find = [&](int64_t at) { return log->offset_for_time(timestamp{at}, log->log_end()).value(); };
  CHECK(find(0)->at == offset{0});
  CHECK(find(1000)->at == offset{0});
  CHECK(find(1001)->at == offset{2});
  CHECK(find(1455)->at == offset{92});
  CHECK(find(1455)->time == timestamp{1460});
  CHECK(find(1455)->epoch == leader_epoch{2});
  CHECK_FALSE(find(2000));
  CHECK_FALSE(log->offset_for_time(timestamp{1455}, offset{92}).value());
}

TEST_CASE_METHOD(log_fixture, "log: epochs are known after a crash, with and without their file",
                 "[persistence][log][epochs]") {
  settings.segment_bytes = 1500;
  open();
  for (int epoch = 0; epoch < 8; epoch += 2)
    append(10, 1, leader_epoch{epoch});
  auto lineage = log->lineage();
  REQUIRE(lineage.size() == 4);
  CHECK(log->end_of_epoch(leader_epoch{3}) == std::pair{leader_epoch{2}, offset{20}});
  CHECK(log->end_of_epoch(leader_epoch{9}) == std::pair{leader_epoch{6}, offset{40}});
  log->sync().value();
  crash();
  auto without = GENERATE(false, true);
  if (without) disk.env().remove_file(directory + "/epochs").value();
  open();
  CHECK(log->lineage() == lineage);
}

TEST_CASE_METHOD(log_fixture,
                 "log: producers are the same after a crash, a truncation, and without snapshots",
                 "[persistence][log][producers]") {
  settings.segment_bytes = 4000;
  open();
  std::vector<producer_table> after;
  for (int i = 0; i < 60; ++i) {
    batch_builder::identity producer{producer_id{i % 3}, producer_epoch{0}, i / 3};
    log->write({{make_batch(log->log_end(), leader_epoch{0}, 1, 16, timestamp{1000}, producer),
                 timestamp{1000 + i}}})
        .value();
    after.push_back(log->producers());
  }
  log->checkpoint().value();
  crash();
  open();
  CHECK(log->producers() == after.back());
  log->truncate(offset{31}).value();
  CHECK(log->producers() == after[30]);
  crash();
  auto names = disk.env().list_directory(directory).value();
  for (auto& name : names)
    if (name.find(".producers") != std::string::npos) disk.env().remove_file(directory + "/" + name).value();
  open();
  CHECK(log->producers() == after[30]);
}

TEST_CASE_METHOD(log_fixture, "log: a clean start reads no segment", "[persistence][log]") {
  open();
  append(100, 1, leader_epoch{3});
  log->checkpoint().value();
  crash(sim::crash_kind::kill);
  open(true);
  CHECK(report.clean);
  CHECK(report.bytes_read == 0);
  CHECK(log->last_epoch() == leader_epoch{3});
  append_synced(5);
  crash();
  open(); // not clean: the checkpoint of before is not believed
  CHECK_FALSE(report.loss);
  CHECK(content() == expected(0, 105));
}

TEST_CASE_METHOD(log_fixture, "log: the first failed write or sync ends the log", "[persistence][log]") {
  auto op = GENERATE(sim::disk_operation::write, sim::disk_operation::sync);
  open();
  append_synced(3);
  disk.faults().inject({op, sim::disk_fault::error, 1, 1, ".log"});
  auto written_now = log->write({{make_batch(offset{3}, leader_epoch{0}), timestamp{1}}});
  auto synced = log->sync();
  CHECK_FALSE((written_now.ok() && synced.ok()));
  REQUIRE(log->failed());
  CHECK(log->failed()->code == ec::storage_failed);
  CHECK(log->write({{make_batch(log->log_end(), leader_epoch{0}), timestamp{1}}}).error().code
        == ec::storage_failed);
  CHECK(log->sync().error().code == ec::storage_failed);
  CHECK(log->durable_end() == offset{3});
  CHECK(log->read(offset{0}, offset{3}, 1).ok()); // what is durable can be read
}

TEST_CASE_METHOD(log_fixture, "log: a full disk takes nothing, and the log goes on when there is space",
                 "[persistence][log][disk_full]") {
  settings.segment_bytes = 3000;
  open();
  append_synced(10);
  auto skipped = GENERATE(1u, 2u, 3u, 4u);
  disk.faults().inject({sim::disk_operation::write, sim::disk_fault::no_space, skipped, 1, ".log"});
  std::vector<frame_input> many;
  for (int i = 0; i < 60; ++i)
    many.push_back({make_batch(offset{10 + i}, leader_epoch{1}), timestamp{1000}});
  auto refused = log->write(many);
  disk.faults().clear();
  if (refused.ok()) return; // fewer writes than that
  CHECK(refused.error().code == ec::disk_full);
  CHECK_FALSE(log->failed());
  CHECK(log->log_end() == offset{10});
  CHECK(log->last_epoch() == leader_epoch{0});
  append_synced(20);
  CHECK(content() == expected(0, 30));
  crash();
  open();
  CHECK_FALSE(report.loss);
  CHECK(content() == expected(0, 30));
}

TEST_CASE_METHOD(log_fixture,
                 "log: frames that only the journal has are appended, those of a cut history are not",
                 "[persistence][log][recovery]") {
  open();
  append_synced(5);
  journal_frames journal;
  for (int i = 3; i < 9; ++i)
    journal.entries.push_back({{make_batch(offset{i}, leader_epoch{1}), timestamp{1}}, 0});
  crash();
  open(false, journal);
  CHECK(report.frames_from_journal == 4);
  CHECK(log->log_end() == offset{9});
  CHECK(log->lineage().size() == 2);
  log->truncate(offset{5}).value();
  crash();
  open(false, journal);
  CHECK(report.frames_from_journal == 0);
  CHECK(log->log_end() == offset{5});
  CHECK_FALSE(report.loss);
  journal_frames gap;
  gap.entries.push_back({{make_batch(offset{7}, leader_epoch{1}), timestamp{1}}, 1});
  crash();
  open(false, gap);
  CHECK(report.loss); // 5 and 6 were durable when 7 was journalled
}

TEST_CASE_METHOD(log_fixture, "log: a frame that was put in another's place breaks the chain",
                 "[persistence][log][recovery]") {
  open();
  append(3);
  log->sync().value();
  auto file_size = log->size_bytes();
  std::vector<uint8_t> old(file_size / 3);
  disk.env()
      .open_file(segment_path(), open_mode::read)
      .value()
      ->read_at(file_size / 3, old.data(), old.size())
      .value();
  // Another history of the same offsets, whose second frame is replaced by the first history's.
  log.reset();
  disk.env().remove_tree(directory).value();
  open();
  log->write({{make_batch(offset{0}, leader_epoch{0}, 1, 16, timestamp{2000}), timestamp{1000}}}).value();
  append(2);
  log->release_files();
  disk.env()
      .open_file(segment_path(), open_mode::read_write)
      .value()
      ->write_at(file_size / 3, byte_view{old})
      .value();
  crash(sim::crash_kind::kill);
  open();
  CHECK(log->log_end() == offset{1});
}

namespace {

// A log on a file system that may show old sectors where a file grows.
struct old_sectors {
  explicit old_sectors(uint64_t seed) : random(seed) {
    create_directories_durably(disk.env(), "log").value();
  }
  std::unique_ptr<partition_log> open() {
    return partition_log::open(disk.env(), "log", key, settings, false, {}, report).value();
  }

  seeded_random random;
  sim::sim_disk disk{random, {.stale_sectors = true}};
  partition_key key{topic_id{draw_uuid(random)}, partition_id{0}};
  log_settings settings;
  recovery_report report;
};

} // namespace

// Storage seeds 7622 and 25178: a frame that lacks but its padding is completed by any zeros.
TEST_CASE("log: a torn frame that was cut does not come back in the place of the next",
          "[persistence][log][recovery]") {
  int with_old_sectors = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    old_sectors on{seed};
    auto& disk = on.disk;
    auto file = [&] {
      return disk.env().open_file("log/" + file_name(offset{0}, ".log"), open_mode::read_write).value();
    };
    auto log = on.open();
    auto torn = make_batch(offset{0}, leader_epoch{0}, 1, 360, timestamp{1});
    log->write({{torn, timestamp{1}}}).value();
    log.reset();
    REQUIRE(padding_of(torn.size()) > 0);
    file()->truncate(frame_header_size + torn.size()).value(); // all of it but its padding
    file()->sync().value();
    disk.crash(sim::crash_kind::kill);
    log = on.open();
    REQUIRE(log->log_end() == offset{0});
    auto next = make_batch(offset{0}, leader_epoch{0}, 1, 360, timestamp{2});
    log->write({{next, timestamp{2}}}).value();
    log.reset();
    disk.crash(sim::crash_kind::power);
    with_old_sectors += disk.last_crash_lost();
    log = on.open();
    if (log->log_end() == offset{0}) continue;
    INFO("seed " << seed);
    REQUIRE(same_bytes(log->read(offset{0}, log->log_end(), 1000).value().data, next));
  }
  CHECK(with_old_sectors > 10);
}

// Storage directories 4594 and 12397: its index had an entry for the frame that should be there, and the one that was
// found there had been truncated.
TEST_CASE("log: a truncated frame does not come back in the place of the next",
          "[persistence][log][recovery]") {
  int with_old_sectors = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    old_sectors on{seed};
    on.settings.index_interval_bytes = 64;
    auto log = on.open();
    std::vector<bytes> batches;
    auto append = [&](int64_t at) {
      batches.resize(static_cast<size_t>(at));
      batches.push_back(make_batch(offset{at}, leader_epoch{0}, 1, 360, timestamp{1}));
      log->write({{batches.back(), timestamp{1}}}).value();
    };
    for (int64_t at = 0; at < 5; ++at)
      append(at);
    log->sync().value();
    log->truncate(offset{1}).value();
    // With another frame in the place of the first that went, or not.
    auto durable = 1 + static_cast<int64_t>(on.random.below(3));
    for (int64_t at = 1; at < durable; ++at)
      append(at);
    log->sync().value();
    append(durable);
    append(durable + 1);
    log->release_files();
    log.reset();
    on.disk.crash(sim::crash_kind::power);
    with_old_sectors += on.disk.last_crash_lost();
    log = on.open();
    INFO("seed " << seed << ", " << durable << " durable");
    REQUIRE(on.report.loss.value_or("") == "");
    REQUIRE(log->log_end() >= offset{durable});
    for (auto at = offset{0}; at < log->log_end(); at = at + 1)
      REQUIRE(same_bytes(log->read(at, log->log_end(), 1).value().data,
                         batches[static_cast<size_t>(at.value())]));
  }
  CHECK(with_old_sectors > 10);
}

TEST_CASE_METHOD(log_fixture, "log: an idle log holds no open file and reads again", "[persistence][log]") {
  open();
  append_synced(10);
  log->release_files();
  CHECK(content() == expected(0, 10));
  log->release_files();
  append_synced(1);
  CHECK(content() == expected(0, 11));
}

// Seed 71847: the journal has idle logs synced before it is trimmed.
TEST_CASE_METHOD(log_fixture, "log: a sync in the background leaves an idle log without open files",
                 "[persistence][log]") {
  open();
  auto background = log->background_sync();
  append(2);
  log->release_files();
  REQUIRE(disk.open_files().empty());
  CHECK(background->sync().value() == offset{2});
  CHECK(disk.open_files().empty());
  append(1);
  REQUIRE_FALSE(disk.open_files().empty());
  CHECK(background->sync().value() == offset{3});
  CHECK_FALSE(disk.open_files().empty());
}

TEST_CASE("log: the worked example of docs/formats/segment.md is what is written", "[persistence][log]") {
  seeded_random random{1};
  sim::sim_disk disk{random};
  disk.env().create_directories("data").value();
  partition_key key{topic_id{*parse_uuid("00112233-4455-4677-8899-aabbccddeeff")}, partition_id{3}};
  recovery_report report;
  auto log = partition_log::open(disk.env(), "data/log", key, {}, false, {}, report).value();
  batch_builder builder;
  builder.add({timestamp{1'700'000'000'000}, std::nullopt, as_bytes("hi"), {}});
  auto batch = builder.finish();
  stamp_batch(batch.data(), offset{0}, leader_epoch{0});
  log->write({{bytes::take(std::move(batch)), timestamp{1'700'000'000'005}}}).value();
  auto file = read_whole_file(disk.env(), "data/log/00000000000000000000.log", 1000).value();
  std::string hex;
  for (auto byte : byte_view{file}.first(0x65)) {
    char text[3];
    std::snprintf(text, sizeof text, "%02x", byte);
    hex += text;
  }
  CHECK(file.size() == 152);
  CHECK(hex
        == "5053464d0100500098000000460000004a73868c213e351c0300000000000000"
           "00000000000000000568e5cf8b01000000000000000000000000000000000000"
           "00000000000000001541ccbb1f4d61e800000000000000000000003a00000000"
           "02bbcc4115");
}
