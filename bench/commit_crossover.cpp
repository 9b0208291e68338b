// From how many dirty logs on is one journal cheaper than syncing their files? Both paths of the real commit
// service on the real disk, in alternating rounds of one run, medians; then what each path writes and how it
// recovers.
//
//   commit_crossover [DIRECTORY [ROUNDS [BATCH_BYTES]]]
#include "persistence/commit_service.hpp"
#include "schema/seams/seams_posix.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>

using namespace pessoa;
using namespace pessoa::persistence;

namespace {

bytes one_batch(offset base, size_t value_bytes) {
  batch_builder builder;
  std::string value(value_bytes, 'x');
  builder.add({timestamp{1000}, std::nullopt, as_bytes(value), {}});
  auto data = builder.finish();
  stamp_batch(data.data(), base, leader_epoch{0});
  return bytes::take(std::move(data));
}

double percentile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(p * static_cast<double>(values.size() - 1))];
}

// A directory with its service and logs, on one of the two paths.
struct side {
  side(storage_env& disk, std::string where, thread_pool& threads, const pessoa::clock& time, size_t count,
       size_t journal_from)
      : env(disk), directory(std::move(where)), pool(threads), clock_(time) {
    settings.journal_from_logs = journal_from;
    settings.journal_bytes_per_log_max = UINT64_MAX >> 20;
    settings.reserve_bytes = 0;
    settings.journal_bytes_max = 64u << 20;
    auto random = make_system_random();
    for (size_t i = 0; i < count; ++i)
      keys.push_back({topic_id{draw_uuid(*random)}, partition_id{static_cast<int32_t>(i)}});
    open();
  }
  void open() {
    service = commit_service::open(env, directory + "/journal", pool, clock_, settings).value();
    for (auto& key : keys) {
      recovery_report report;
      auto log = partition_log::open(env, directory + "/" + to_string(key), key, {}, false,
                                     service->recovered(key), report);
      bytes_read += report.bytes_read;
      from_journal += report.frames_from_journal;
      logs.push_back(std::move(log).value());
    }
    service->recovery_complete().value();
  }
  // One batch for each log; milliseconds until the last answer.
  double round(size_t batch_bytes) {
    std::mutex mutex;
    std::condition_variable over;
    size_t left = logs.size();
    std::vector<bytes> batches;
    for (auto& log : logs)
      batches.push_back(one_batch(log->log_end(), batch_bytes));
    auto begin = clock_.now();
    for (size_t i = 0; i < logs.size(); ++i)
      service->commit(logs[i], {{batches[i], timestamp{1000}}}, [&](commit_outcome outcome) {
        outcome.durable_end.value();
        std::lock_guard lock{mutex};
        if (--left == 0) over.notify_all();
      });
    std::unique_lock lock{mutex};
    over.wait(lock, [&] { return left == 0; });
    return std::chrono::duration<double, std::milli>(clock_.now() - begin).count();
  }
  void close() {
    logs.clear();
    service.reset();
  }
  storage_env& env;
  std::string directory;
  thread_pool& pool;
  const pessoa::clock& clock_;
  commit_settings settings;
  std::vector<partition_key> keys;
  std::unique_ptr<commit_service> service;
  std::vector<std::shared_ptr<partition_log>> logs;
  uint64_t bytes_read = 0, from_journal = 0;
};

// What this process had written to block devices so far (Linux accounts it when pages are dirtied; a file
// that is removed while dirty is taken back).
uint64_t written_bytes() {
  std::ifstream io{"/proc/self/io"};
  std::string name;
  uint64_t value = 0, written = 0, cancelled = 0;
  while (io >> name >> value) {
    if (name == "write_bytes:") written = value;
    if (name == "cancelled_write_bytes:") cancelled = value;
  }
  return written - std::min(written, cancelled);
}

} // namespace

int main(int argc, char** argv) {
  std::string root = argc > 1 ? argv[1] : std::filesystem::temp_directory_path().string();
  size_t rounds = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 21;
  size_t batch_bytes = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 1000;
  root += "/commit_crossover." + std::to_string(std::filesystem::hash_value(root) % 10000) + "."
          + std::to_string(rounds);
  std::filesystem::remove_all(root);
  auto env = make_posix_storage_env();
  auto time = make_system_clock();
  auto pool = make_thread_pool(4, "bench");
  std::printf("batches of %zu bytes, %zu alternating rounds each, 4 pool threads; times in ms\n", batch_bytes,
              rounds);
  std::printf("%6s | %9s %9s | %9s %9s | %s\n", "logs", "files p50", "p90", "jrnl p50", "p90",
              "files / journal");
  for (size_t count : {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256, 512, 1000}) {
    auto where = root + "/" + std::to_string(count);
    side files{*env, where + "/files", *pool, *time, count, SIZE_MAX};
    side journal{*env, where + "/journal", *pool, *time, count, 1};
    std::vector<double> by_files, by_journal;
    files.round(batch_bytes); // the first writes the epoch files
    journal.round(batch_bytes);
    for (size_t i = 0; i < rounds; ++i) {
      by_files.push_back(files.round(batch_bytes));
      by_journal.push_back(journal.round(batch_bytes));
    }
    std::printf("%6zu | %9.2f %9.2f | %9.2f %9.2f | %6.2f\n", count, percentile(by_files, 0.5),
                percentile(by_files, 0.9), percentile(by_journal, 0.5), percentile(by_journal, 0.9),
                percentile(by_files, 0.5) / percentile(by_journal, 0.5));
    std::fflush(stdout);
    files.close();
    journal.close();
    std::filesystem::remove_all(where);
  }

  constexpr size_t many = 1000;
  std::printf("\n%zu logs, %zu rounds: what was written per byte of batch, and a start after a kill\n", many,
              rounds);
  for (bool with_journal : {false, true}) {
    auto where = root + "/write";
    auto before = written_bytes();
    {
      side one{*env, where, *pool, *time, many, with_journal ? 1 : SIZE_MAX};
      for (size_t i = 0; i < rounds; ++i)
        one.round(batch_bytes);
      auto acked = written_bytes() - before;
      one.close(); // as a kill: nothing is flushed
      auto begin = time->now();
      one.open();
      auto took = std::chrono::duration<double, std::milli>(time->now() - begin).count();
      auto begin_flush = time->now();
      one.service->flush().value();
      auto flushed = std::chrono::duration<double, std::milli>(time->now() - begin_flush).count();
      auto payload = static_cast<double>(many * rounds * (batch_bytes + 70));
      std::printf("  %-7s: %.2f x when the last was answered, %.2f x in all; start %.0f ms, %llu bytes of "
                  "segments read, "
                  "%llu frames from the journal, flush %.0f ms\n",
                  with_journal ? "journal" : "files", static_cast<double>(acked) / payload,
                  static_cast<double>(written_bytes() - before) / payload, took,
                  static_cast<unsigned long long>(one.bytes_read),
                  static_cast<unsigned long long>(one.from_journal), flushed);
      one.close();
    }
    std::filesystem::remove_all(where);
  }
  std::filesystem::remove_all(root);
}
