// How fast one log takes and gives back 64 KiB batches, without and with syncs; the page cache is the disk
// here.
//
//   log_throughput [DIRECTORY [MIB]]
#include "persistence/partition_log.hpp"
#include "schema/seams/random.hpp"
#include "schema/seams/seams_posix.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

using namespace pessoa;
using namespace pessoa::persistence;

namespace {

std::vector<uint8_t> batch_of(size_t size, seeded_random& random) {
  batch_builder builder;
  std::string value(1000, 'x');
  while (builder.size() < size - 1100) {
    for (auto& c : value)
      c = static_cast<char>(random.next());
    builder.add({timestamp{1000}, std::nullopt, as_bytes(value), {}});
  }
  return builder.finish();
}

} // namespace

int main(int argc, char** argv) {
  std::string root =
      (argc > 1 ? std::string{argv[1]} : std::filesystem::temp_directory_path().string()) + "/log_throughput";
  size_t mib = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 2048;
  std::filesystem::remove_all(root);
  auto env = make_posix_storage_env();
  auto time = make_system_clock();
  seeded_random random{1};
  auto plain = batch_of(64 << 10, random);
  size_t count = (mib << 20) / plain.size();
  auto seconds = [&](instant since) { return std::chrono::duration<double>(time->now() - since).count(); };
  auto fresh = [&] {
    std::filesystem::remove_all(root);
    env->create_directories(root).value();
  };
  fresh();
  {
    auto file = env->open_file(root + "/bare", open_mode::create_new).value();
    auto begin = time->now();
    for (size_t i = 0; i < count; ++i)
      file->write_at(i * plain.size(), byte_view{plain}).value();
    auto took = seconds(begin);
    std::printf("bare writes of the same size: %.2f GB/s\n",
                static_cast<double>(count * plain.size()) / 1e9 / took);
  }
  for (size_t per_write : {1, 8}) {
    std::filesystem::remove_all(root);
    partition_key key{topic_id{draw_uuid(random)}, partition_id{0}};
    recovery_report report;
    auto log = partition_log::open(*env, root, key, {}, false, {}, report).value();
    // Stamping is the leader's work, and the buffers come from the network: not part of this.
    std::vector<std::vector<frame_input>> writes;
    offset next{0};
    auto head = parse_batch_header(plain).value();
    double writing = 0;
    auto begin_all = time->now();
    for (size_t i = 0; i < count / per_write; ++i) {
      std::vector<frame_input> frames;
      for (size_t j = 0; j < per_write; ++j) {
        auto copy = plain;
        stamp_batch(copy.data(), next, leader_epoch{0});
        frames.push_back({bytes::take(std::move(copy)), timestamp{1000}});
        next = next + head.last_offset_delta + 1;
      }
      auto begin = time->now();
      log->write(frames).value();
      writing += seconds(begin);
    }
    auto begin = time->now();
    log->sync().value();
    auto syncing = seconds(begin);
    auto all = seconds(begin_all);
    begin = time->now();
    uint64_t bytes_read = 0;
    for (auto at = offset{0}; at < log->log_end();) {
      auto got = log->read(at, log->log_end(), 1 << 20).value();
      bytes_read += got.data.size();
      at = got.next;
    }
    auto reading = seconds(begin);
    auto gb = static_cast<double>(bytes_read) / 1e9;
    std::printf("%zu batches of %zu KiB per write: write %.2f GB/s, the sync after it %.2f s (all: %.2f "
                "GB/s), read %.2f GB/s\n",
                per_write, plain.size() >> 10, gb / writing, syncing, gb / all, gb / reading);
  }
  std::filesystem::remove_all(root);
}
