// The commit service behind commit_service.hpp: a queue, and one round at a time over the pool.
//
// A round takes everything that waits. Each of its pool jobs holds the round, so that a pool which drops its
// jobs drops the round and every answer in it, unrun. Files path: group_commit.cpp. Journal path:
// group_commit_journal.cpp.
#pragma once

#include "persistence/commit_service.hpp"
#include "persistence/journal.hpp"
#include "persistence/journal_recovery.hpp"
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
  void recovered_in_vain(const partition_key& key) override;
  result<void> recovery_complete() override;
  void commit(std::shared_ptr<partition_log> log, std::vector<frame_input> frames,
              std::function<void(commit_outcome)> done) override;
  result<void> flush() override;
  result<void> detach(partition_log& log) override;
  [[nodiscard]] commit_counters counters() const override;
  [[nodiscard]] std::optional<error> refusing() const override;
  [[nodiscard]] std::optional<space_info> space() const override;
  void look_at_space() const override;

private:
  struct request {
    std::shared_ptr<partition_log> log;
    std::vector<frame_input> frames;
    std::function<void(commit_outcome)> done;
    uint64_t bytes = 0;
    commit_outcome outcome{offset{0}, 0};
  };
  // One per posted job; the destructor of the service waits until there is none.
  class job_count {
  public:
    explicit job_count(const group_commit& service) : service_(service) {
      ++service_.jobs_;
    } // Requires: mutex_ held
    job_count(const job_count&) = delete;
    job_count& operator=(const job_count&) = delete;
    ~job_count() {
      std::lock_guard lock{service_.mutex_};
      --service_.jobs_;
      service_.idle_.notify_all();
    }

  private:
    const group_commit& service_;
  };
  struct round {
    explicit round(const group_commit& service) : alive(service) {}
    job_count alive;
    std::vector<request> requests;
    std::vector<request*> to_commit; // those that were not refused
    std::vector<request*> own;       // those that the round's first job answers
    std::atomic<size_t> unanswered{0};
  };

  void post_round();
  void run_round(const std::shared_ptr<round>& now);
  void run_files(const std::shared_ptr<round>& now);
  void run_journal(round& now);
  void trim();
  void trim_if_wanted();
  void commit_one(request& r);
  bool write(request& r);
  void sync(request& r);
  void answer(request& r);
  void answered(round& now, size_t count);
  void count_failure();
  void check_space(round& now);
  void probe_soon() const;
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
  mutable std::optional<space_info> space_;
  mutable instant probed_{};
  mutable bool probing_ = false;
  commit_counters counters_;
  bool trimming_ = false;
  std::unique_ptr<journal> journal_;

  std::mutex recovery_mutex_;
  journal_recovery recovery_;

  latency_histogram sync_times_;
  latency_histogram write_times_;
};

} // namespace pessoa::persistence
