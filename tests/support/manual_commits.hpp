// A commit service whose commits finish when the test says so, and how it says so.
#pragma once

#include "persistence/commit_service.hpp"

#include <deque>

namespace pessoa::test {

class manual_commits final : public persistence::commit_service {
public:
  persistence::journal_frames recovered(const partition_key&) override { return {}; }
  void recovered_in_vain(const partition_key&) override {}
  result<void> recovery_complete() override { return {}; }
  void commit(std::shared_ptr<persistence::partition_log> log, std::vector<persistence::frame_input> frames,
              std::function<void(persistence::commit_outcome)> done) override {
    for (auto& other : waiting)
      PESSOA_ASSERT(other.log != log); // one commit per log in flight
    waiting.push_back({std::move(log), std::move(frames), std::move(done)});
  }
  result<void> flush() override { return {}; }
  result<void> detach(persistence::partition_log&) override { return {}; }
  persistence::commit_counters counters() const override { return {}; }
  std::optional<error> refusing() const override { return full; }
  std::optional<persistence::space_info> space() const override { return std::nullopt; }
  void look_at_space() const override {}

  // Writes and syncs the oldest waiting commit, as the real one does.
  void finish() {
    auto next = take();
    auto generation = next.log->generation();
    auto written = next.log->write(next.frames);
    auto synced = written ? next.log->sync() : result<offset>{written.error()};
    answer(std::move(next), {std::move(synced), generation});
  }
  // Nothing of it was written.
  void refuse(error why) {
    auto next = take();
    auto generation = next.log->generation();
    answer(std::move(next), {std::move(why), generation});
  }
  void finish_all() {
    while (!waiting.empty())
      finish();
  }

  struct request {
    std::shared_ptr<persistence::partition_log> log;
    std::vector<persistence::frame_input> frames;
    std::function<void(persistence::commit_outcome)> done;
  };
  std::deque<request> waiting;
  std::optional<error> full; // what refusing() says

private:
  request take() {
    PESSOA_ASSERT(!waiting.empty());
    auto next = std::move(waiting.front());
    waiting.pop_front();
    return next;
  }
  static void answer(request next, persistence::commit_outcome outcome) {
    next.log.reset();
    next.done(std::move(outcome));
  }
};

} // namespace pessoa::test
