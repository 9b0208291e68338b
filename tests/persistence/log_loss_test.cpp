// By what a start knows that something is missing, when the frames that would say so are gone.
#include "tests/support/log_fixture.hpp"

using namespace pessoa;
using namespace pessoa::persistence;
using namespace pessoa::tests;

namespace {

struct loss_fixture : log_fixture {
  std::string index_path() const {
    auto path = segment_path();
    return path.replace(path.size() - 4, 4, ".index");
  }
  void flip_header_of(uint64_t frame, uint64_t frame_bytes) {
    disk.flip_bit(segment_path(), 8 * (frame * frame_bytes + 8));
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
