// By what a start knows that something is missing, when the frames that would say so are gone.
#include "persistence/frame.hpp"
#include "persistence/log_files.hpp"
#include "tests/support/log_fixture.hpp"

using namespace pessoa;
using namespace pessoa::persistence;
using namespace pessoa::tests;

namespace {

struct loss_fixture : log_fixture {
  std::string index_path(int64_t base = 0) const {
    auto path = segment_path(base);
    return path.replace(path.size() - 4, 4, ".index");
  }
  void flip_header_of(uint64_t frame, uint64_t frame_bytes, int64_t base = 0) {
    disk.flip_bit(segment_path(base), 8 * (frame * frame_bytes + 8));
  }
  // The batch claims one record more: the low byte of its last offset delta.
  void lie_about_the_end_of(uint64_t frame, uint64_t frame_bytes) {
    disk.flip_bit(segment_path(), 8 * (frame * frame_bytes + frame_header_size + 26));
  }
  void lose_snapshot(offset end) {
    disk.env().remove_file(directory + "/" + file_name(end, producers_suffix)).value();
  }
  void must_miss(const std::string& what) {
    for (int again = 0; again < 3; ++again) {
      open();
      REQUIRE(report.loss);
      CHECK(report.loss->find(what) != std::string::npos);
      crash(sim::crash_kind::kill);
    }
  }
};

} // namespace

TEST_CASE_METHOD(loss_fixture, "log: what a truncation left is missed, although its index is gone",
                 "[persistence][log][recovery]") {
  open();
  append_synced(10);
  auto frame = log->size_bytes() / 10;
  log->truncate(offset{7}).value();
  crash(sim::crash_kind::kill);
  disk.env().remove_file(index_path()).value();
  flip_header_of(6, frame);
  must_miss("offset 7 was durable");
}

TEST_CASE_METHOD(loss_fixture, "log: what a clean stop left is missed by every start that is none",
                 "[persistence][log][recovery]") {
  open();
  append_synced(10);
  auto frame = log->size_bytes() / 10;
  log->checkpoint().value();
  crash(sim::crash_kind::kill);
  disk.env().remove_file(index_path()).value();
  flip_header_of(9, frame);
  open(true); // it trusts the stop, and reads what producers did
  crash(sim::crash_kind::kill);
  must_miss("offset 10 was durable");
}

// Simulated world, seed 96900: from then on two commits were one, until a mark that a power cut took.
TEST_CASE_METHOD(loss_fixture, "log: what is copied for doubt of its sync still says what was durable",
                 "[persistence][log][recovery]") {
  open();
  append_synced(2);
  append(1);
  log->note_durable_in_journal(offset{3});
  append(1);
  crash(sim::crash_kind::kill);
  open(); // nobody knows of a sync of 2 and 3, and the journal has let them go
  REQUIRE_FALSE(report.loss);
  REQUIRE(log->segment_count() == 2);
  crash(sim::crash_kind::kill);
  disk.env().remove_file(index_path(2)).value();
  flip_header_of(0, 0, 2); // of offset 2, the first of its segment
  must_miss("offset 3 was durable");
}

// Storage directory 70932424.
TEST_CASE_METHOD(loss_fixture, "log: a batch that lies about its end is missed by every start",
                 "[persistence][log][recovery]") {
  settings.index_interval_bytes = 1; // every frame has an entry, and a scan begins at the last
  open();
  append_synced(5);
  auto frame = log->size_bytes() / 5;
  log->checkpoint().value();
  crash(sim::crash_kind::kill);
  lose_snapshot(offset{5});
  lie_about_the_end_of(3, frame);
  open(true);
  REQUIRE(report.loss);
  crash(sim::crash_kind::kill);
  must_miss("says that it ends elsewhere");
}

// Storage directory 298452: it made up for what was cut behind it.
TEST_CASE_METHOD(loss_fixture, "log: nothing is cut behind a batch that lies about its end",
                 "[persistence][log][recovery]") {
  settings.index_interval_bytes = 1024;
  open();
  append_synced(5);
  auto size = log->size_bytes();
  REQUIRE(size < 1024);    // the scan begins with the first frame,
  REQUIRE(size / 5 > 128); // and all but the last are known by their heads
  crash(sim::crash_kind::kill);
  lie_about_the_end_of(3, size / 5); // the last but one
  must_miss("says that it ends elsewhere");
  CHECK(disk.content(segment_path())->size() == size);
}

// Storage directory 24748: neither in a segment that is closed.
TEST_CASE_METHOD(loss_fixture,
                 "log: nothing is cut from a closed segment behind a batch that lies about its end",
                 "[persistence][log][recovery]") {
  open();
  append_synced(5);
  auto size = log->size_bytes();
  settings.segment_bytes = 1;
  log->apply(settings);
  append_synced(1);
  crash(sim::crash_kind::kill);
  disk.env().remove_file(index_path()).value();
  lie_about_the_end_of(3, size / 5);
  must_miss("says that it ends elsewhere");
  CHECK(disk.content(segment_path())->size() == size);
}

// Storage directory 8626, with the habits of its time.
TEST_CASE_METHOD(loss_fixture, "log: rot in what was removed is not missed for the sake of its producers",
                 "[persistence][log][recovery]") {
  settings.index_interval_bytes = 1;
  open();
  append_synced(5);
  auto frame = log->size_bytes() / 5;
  log->remove_before(offset{3}).value();
  log->checkpoint().value();
  crash(sim::crash_kind::kill);
  lose_snapshot(offset{5});
  flip_header_of(1, frame);
  for (bool clean : {true, false}) {
    open(clean);
    CHECK(report.loss.value_or("") == "");
    CHECK(log->log_end() == offset{5});
    crash(sim::crash_kind::kill);
  }
}

TEST_CASE_METHOD(loss_fixture, "log: what the journal knows behind a gap is missed",
                 "[persistence][log][recovery]") {
  open();
  append_synced(10);
  auto frame = log->size_bytes() / 10;
  log->remove_before(offset{8}).value();
  crash(sim::crash_kind::kill);
  disk.env().remove_file(index_path()).value();
  disk.env().open_file(segment_path(), open_mode::read_write).value()->truncate(5 * frame).value();
  journal_frames journal;
  for (int i = 6; i < 10; ++i) // 5 is in neither, and nobody misses it; 8 is above the start
    journal.entries.push_back({{make_batch(offset{i}, leader_epoch{0}), timestamp{1}}, 0});
  open(false, journal);
  REQUIRE(report.loss);
  CHECK(report.loss->find("offset 9 was durable") != std::string::npos);
  CHECK(report.frames_from_journal == 0);
}

TEST_CASE_METHOD(loss_fixture, "log: what was removed is not missed for the sake of its epochs",
                 "[persistence][log][recovery]") {
  settings.index_interval_bytes = 1; // every frame has an entry
  open();
  append_synced(5);
  append(1, 1, leader_epoch{1});
  append_synced(4);
  auto frame = log->size_bytes() / 10;
  log->remove_before(offset{6}).value();
  append_synced(1); // the epochs are saved as they are now: the first begins at 5
  crash(sim::crash_kind::kill);
  disk.env().open_file(index_path(), open_mode::read_write).value()->truncate(64 + 3 * 40).value();
  flip_header_of(0, frame);
  open();
  INFO(report.loss.value_or(""));
  CHECK_FALSE(report.loss);
  CHECK(content() == expected(6, 11));
  CHECK(log->last_epoch() == leader_epoch{1});
}
