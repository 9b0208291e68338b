// The commit service behind commit_service.hpp: a queue, and one round at a time over the pool.
//
// A round takes everything that waits. Each of its pool jobs holds the round, so that a pool which drops its
// jobs drops the round and every answer in it, unrun. Files path: group_commit.cpp. Journal path:
// group_commit_journal.cpp.
#pragma once

#include "persistence/commit_service.hpp"
#include "persistence/latency_histogram.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace pessoa::persistence {

class group_commit final : public commit_service {
public:
  group_commit(storage_env& env, std::string directory, thread_pool& pool, const clock& time,
               commit_settings settings);
  ~group_commit() override;
  result<void> open();

  journal_frames recovered(const partition_key& key) override;
  result<void> recovery_complete() override;
  void commit(std::shared_ptr<partition_log> log, std::vector<frame_input> frames,
              std::function<void(commit_outcome)> done) override;
  result<void> flush() override;
  result<void> detach(partition_log& log) override;
  [[nodiscard]] commit_counters counters() const override;
  [[nodiscard]] std::optional<error> refusing() const override;

private:
  struct request {
    std::shared_ptr<partition_log> log;
    std::vector<frame_input> frames;
    std::function<void(commit_outcome)> done;
    uint64_t bytes = 0;
    commit_outcome outcome{offset{0}, 0};
  };
  class round;
  class job_count; // counts pool jobs for the destructor

  void post_round();
  void run_round(const std::shared_ptr<round>& now);
  void run_files(const std::shared_ptr<round>& now);
  void commit_one(request& r);
  bool write(request& r);
  void sync(request& r);
  void answer(request& r);
  void answered(round& now, size_t count);
  void check_space(round& now);
  void probe_space() const;
  [[nodiscard]] std::optional<error> short_of_space(uint64_t bytes) const;

  storage_env& env_;
  const std::string directory_;
  thread_pool& pool_;
  const clock& time_;
  const commit_settings settings_;

  mutable std::mutex mutex_;
  mutable std::condition_variable idle_;
  std::vector<request> waiting_;
  bool running_ = false;
  bool stopping_ = false;
  mutable size_t jobs_ = 0;
  mutable std::optional<error> refusing_;
  mutable instant probed_{};
  mutable bool probing_ = false;
  commit_counters counters_;
  latency_histogram sync_times_;
  latency_histogram write_times_;
};

} // namespace pessoa::persistence
