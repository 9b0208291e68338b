#include "persistence/group_commit.hpp"

#include "schema/plants.hpp"

#include <algorithm>
#include <set>

namespace pessoa::persistence {

using namespace std::chrono_literals;

namespace {

constexpr duration space_probe_interval = 1s; // while writes are refused

std::string mib(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

} // namespace

result<std::unique_ptr<commit_service>> commit_service::open(storage_env& env, std::string directory,
                                                             thread_pool& pool, const clock& time,
                                                             commit_settings settings) {
  auto service = std::make_unique<group_commit>(env, std::move(directory), pool, time, settings);
  PESSOA_CHECK(service->open());
  return std::unique_ptr<commit_service>{std::move(service)};
}

group_commit::group_commit(storage_env& env, std::string directory, thread_pool& pool, const clock& time,
                           commit_settings settings)
    : env_(env), directory_(std::move(directory)), pool_(pool), time_(time), settings_(settings) {}

group_commit::~group_commit() {
  std::vector<request> dropped;
  std::unique_lock lock{mutex_};
  stopping_ = true;
  dropped.swap(waiting_);
  idle_.wait(lock, [&] { return jobs_ == 0; });
}

result<void> group_commit::open() {
  PESSOA_CHECK(create_directories_durably(env_, directory_));
  // A file that a kill left removed must not come back after this life has counted it as gone.
  if (!PESSOA_PLANT("act_on_names_first")) PESSOA_CHECK(env_.sync_directory(directory_));
  if (auto space = env_.space(directory_)) space_ = *space;
  PESSOA_TRY(recovery_, journal_recovery::read(env_, directory_));
  // Eight files: a trim frees an eighth, and waits for an eighth's logs.
  journal_ = std::make_unique<journal>(
      env_, directory_, recovery_.next_number(), recovery_.newest_bytes(),
      journal::limits{settings_.journal_bytes_max, settings_.journal_bytes_max / 8});
  return {};
}

// -- the queue ---

void group_commit::commit(std::shared_ptr<partition_log> log, std::vector<frame_input> frames,
                          std::function<void(commit_outcome)> done) {
  request r{std::move(log), std::move(frames), std::move(done)};
  for (auto& frame : r.frames)
    r.bytes += frame.batch.size();
  std::lock_guard lock{mutex_};
  counters_.queued_bytes += r.bytes;
  ++counters_.requests;
  waiting_.push_back(std::move(r));
  if (!running_ && !stopping_) post_round();
}

// Requires: mutex_ held, no round running.
void group_commit::post_round() {
  running_ = true;
  auto now = std::make_shared<round>(*this);
  pool_.post([this, now] { run_round(now); },
             [this, now] {
               for (auto* r : now->own)
                 answer(*r);
               answered(*now, now->own.size());
             });
}

void group_commit::answered(round& now, size_t count) {
  if (now.unanswered.fetch_sub(count) != count || count == 0) return;
  std::lock_guard lock{mutex_};
  running_ = false;
  if (!waiting_.empty() && !stopping_) post_round();
}

void group_commit::answer(request& r) {
  auto done = std::move(r.done);
  r.done = nullptr;
  done(std::move(r.outcome));
}

void group_commit::run_round(const std::shared_ptr<round>& now) {
  {
    std::lock_guard lock{mutex_};
    // A log's second request (callers keep one in flight) waits for the next round.
    std::set<const partition_log*> seen;
    std::vector<request> later;
    for (auto& r : waiting_)
      (seen.insert(r.log.get()).second ? now->requests : later).push_back(std::move(r));
    waiting_ = std::move(later);
    ++counters_.rounds;
    for (auto& r : now->requests) {
      counters_.queued_bytes -= r.bytes;
      counters_.frames += r.frames.size();
      counters_.bytes += r.bytes;
    }
  }
  now->unanswered = now->requests.size();
  check_space(*now);
  uint64_t bytes = 0;
  for (auto* r : now->to_commit)
    bytes += r->bytes;
  auto logs = now->to_commit.size();
  bool pays = logs >= settings_.journal_from_logs && bytes <= logs * settings_.journal_bytes_per_log_max;
  if (pays && journal_->usable() && !journal_->full())
    run_journal(*now);
  else
    run_files(now);
}

// -- room on the disk ---

std::optional<error> group_commit::short_of_space(uint64_t bytes) const {
  auto space = env_.space(directory_);
  if (PESSOA_PLANT("reserve_not_kept")) return {};
  std::lock_guard lock{mutex_};
  if (PESSOA_PLANT("full_disk_never_ends") && refusing_) return refusing_;
  // Who cannot say how much is free has not said that it is too little: a write that does not fit tells itself.
  if (!space.ok()) {
    space_.reset();
    return refusing_;
  }
  space_ = *space;
  if (space->free_bytes >= settings_.reserve_bytes && space->free_bytes - settings_.reserve_bytes >= bytes)
    return {};
  return error{ec::disk_full, mib(space->free_bytes) + " of " + mib(space->total_bytes) + " are free in "
                                  + directory_ + ", and " + mib(settings_.reserve_bytes)
                                  + " are kept in reserve"};
}

// Refuses what does not fit; answers it with this job.
void group_commit::check_space(round& now) {
  uint64_t bytes = 0;
  for (auto& r : now.requests)
    bytes += r.bytes;
  auto refused = short_of_space(2 * bytes); // segments and journal
  {
    std::lock_guard lock{mutex_};
    if (refusing_ && !refused) PESSOA_PROBE("full_disk_ended");
    refusing_ = refused;
    probed_ = time_.now();
  }
  for (auto& r : now.requests) {
    if (!refused || r.log->may_use_reserve()) {
      now.to_commit.push_back(&r);
      continue;
    }
    PESSOA_PROBE("full_disk_refused");
    now.own.push_back(&r);
    r.outcome = {*refused, r.log->generation()};
    r.log.reset();
    std::lock_guard lock{mutex_};
    ++counters_.refused_disk_full;
  }
}

std::optional<error> group_commit::refusing() const {
  std::lock_guard lock{mutex_};
  // Who is refused sends nothing, so nothing but this would notice that there is room again.
  if (refusing_ && time_.now() - probed_ >= space_probe_interval) probe_soon();
  return refusing_;
}

std::optional<space_info> group_commit::space() const {
  std::lock_guard lock{mutex_};
  return space_;
}

void group_commit::look_at_space() const {
  std::lock_guard lock{mutex_};
  probe_soon();
}

// Requires: mutex_ held.
void group_commit::probe_soon() const {
  if (probing_ || stopping_) return;
  probing_ = true;
  auto alive = std::make_shared<job_count>(*this);
  pool_.post([this, alive] { probe_space(); });
}

void group_commit::probe_space() const {
  auto refused = short_of_space(0);
  std::lock_guard lock{mutex_};
  probing_ = false;
  probed_ = time_.now();
  if (refused) return;
  if (refusing_) PESSOA_PROBE("full_disk_ended");
  refusing_.reset();
}

// -- the files path ---

void group_commit::run_files(const std::shared_ptr<round>& now) {
  // This job takes the first log, others the rest: their syncs overlap.
  if (now->to_commit.empty()) return;
  now->own.push_back(now->to_commit[0]);
  for (size_t i = 1; i < now->to_commit.size(); ++i) {
    auto* r = now->to_commit[i];
    pool_.post([this, now, r] { commit_one(*r); },
               [this, now, r] {
                 answer(*r);
                 answered(*now, 1);
               });
  }
  commit_one(*now->to_commit[0]);
}

void group_commit::commit_one(request& r) {
  if (write(r)) sync(r);
  r.log.reset();
}

bool group_commit::write(request& r) {
  auto begin = time_.now();
  auto written = r.log->write(r.frames);
  write_times_.add(time_.now() - begin);
  r.outcome.generation = r.log->generation();
  r.frames.clear();
  if (written.ok()) return true;
  r.outcome.durable_end = written.error();
  count_failure();
  return false;
}

void group_commit::sync(request& r) {
  auto begin = time_.now();
  if (PESSOA_PLANT("answer_before_sync"))
    r.outcome.durable_end = r.log->log_end();
  else
    r.outcome.durable_end = r.log->sync();
  sync_times_.add(time_.now() - begin);
  std::lock_guard lock{mutex_};
  ++counters_.segment_syncs;
  if (!r.outcome.durable_end.ok()) ++counters_.failures;
}

void group_commit::count_failure() {
  std::lock_guard lock{mutex_};
  ++counters_.failures;
}

commit_counters group_commit::counters() const {
  std::lock_guard lock{mutex_};
  auto all = counters_;
  all.sync_micros_histogram = sync_times_.counts();
  all.write_micros_histogram = write_times_.counts();
  return all;
}

} // namespace pessoa::persistence
