// A log on a simulated disk, with verbs: append, reopen, crash.
#pragma once

#include "persistence/partition_log.hpp"
#include "simulations/disk/sim_disk.hpp"

#include <catch2/catch.hpp>

namespace pessoa::tests {

// One stamped batch of `records` records whose values tell its offset; `value_bytes` sets how large they are.
inline bytes make_batch(offset base, leader_epoch epoch, int32_t records = 1, size_t value_bytes = 16,
                        timestamp time = timestamp{1000}, const batch_builder::identity& producer = {}) {
  batch_builder builder;
  for (int32_t i = 0; i < records; ++i) {
    std::string value = std::to_string(base.value() + i) + ":" + std::to_string(epoch.value()) + ":";
    value.resize(std::max(value.size(), value_bytes), 'x');
    builder.add({time, std::nullopt, as_bytes(value), {}});
  }
  auto data = builder.finish(producer);
  stamp_batch(data.data(), base, epoch);
  return bytes::take(std::move(data));
}

struct log_fixture {
  seeded_random random{42};
  sim::sim_disk disk{random};
  partition_key key{topic_id{draw_uuid(random)}, partition_id{3}};
  persistence::log_settings settings;
  persistence::recovery_report report;
  std::unique_ptr<persistence::partition_log> log;
  std::vector<bytes> written; // every batch appended
  const std::string directory = "data/log";

  log_fixture() {
    settings.index_interval_bytes = 256;
    disk.env().create_directories("data").value();
    disk.env().sync_directory("data").value();
    disk.env().sync_directory(".").value();
  }

  void open(bool clean = false, persistence::journal_frames journal = {}) {
    log.reset();
    auto opened = persistence::partition_log::open(disk.env(), directory, key, settings, clean,
                                                   std::move(journal), report);
    INFO((opened.ok() ? std::string{} : to_string(opened.error())));
    REQUIRE(opened.ok());
    log = std::move(*opened);
  }
  void crash(sim::crash_kind kind = sim::crash_kind::power) {
    log.reset();
    disk.crash(kind);
  }
  // Appends `count` batches of `records` records.
  void append(int count = 1, int32_t records = 1, leader_epoch epoch = leader_epoch{0},
              size_t value_bytes = 16, timestamp time = timestamp{1000}) {
    for (int i = 0; i < count; ++i) {
      auto batch = make_batch(log->log_end(), epoch, records, value_bytes, time);
      written.push_back(batch);
      log->write({{batch, time}}).value();
    }
  }
  void append_synced(int count = 1) {
    append(count, 1, std::max(log->last_epoch(), leader_epoch{0}));
    log->sync().value();
  }
  // All that the log gives back, from its start.
  std::vector<uint8_t> content(size_t bytes_max = 4096) const {
    std::vector<uint8_t> all;
    for (auto at = log->log_start(); at < log->log_end();) {
      auto got = log->read(at, log->log_end(), bytes_max).value();
      REQUIRE(got.next > at);
      all.insert(all.end(), got.data.data(), got.data.data() + got.data.size());
      at = got.next;
    }
    return all;
  }
  std::vector<uint8_t> expected(size_t begin, size_t end) const {
    std::vector<uint8_t> all;
    for (size_t i = begin; i < end; ++i)
      all.insert(all.end(), written[i].data(), written[i].data() + written[i].size());
    return all;
  }
  std::string segment_path(int64_t base = 0) const {
    char name[32];
    std::snprintf(name, sizeof name, "%020lld.log", static_cast<long long>(base));
    return directory + "/" + name;
  }
};

} // namespace pessoa::tests
