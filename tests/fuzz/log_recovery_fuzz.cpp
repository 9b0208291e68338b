// A log, its small files and its journal, changed at will: recovery never crashes, never gives back a batch whose checksum
// is wrong, finds the same a second time, and a log it calls good takes writes and keeps them.
//
// Input: edits of six bytes each, applied to the files of a small log that was written once: what to do, which file, where
// (two bytes), how much, with what. Checksums around the place are mended when an edit asks for it, so that what they guard
// is reached, too.
#include "persistence/commit_service.hpp"
#include "persistence/frame.hpp"
#include "persistence/journal_format.hpp"
#include "schema/crc32c.hpp"
#include "schema/endian.hpp"
#include "simulations/disk/sim_disk.hpp"
#include "tests/fuzz/byte_source.hpp"
#include "tests/support/step_pool.hpp"

#include <map>
#include <tuple>

using namespace pessoa;
using namespace pessoa::persistence;

namespace {

using files = std::map<std::string, std::vector<uint8_t>>;

const partition_key key{topic_id{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}}, partition_id{2}};
const std::string log_path = "data/log";
const std::string journal_path = "data/journal";

log_settings small_log() {
  log_settings s;
  s.segment_bytes = 1200;
  s.index_interval_bytes = 300;
  s.producer_snapshot_bytes = 400;
  return s;
}

frame_input batch_at(offset base, leader_epoch epoch, int32_t sequence) {
  batch_builder builder;
  std::string value = "value " + std::to_string(base.value());
  builder.add({timestamp{1000 + base.value()}, std::nullopt, as_bytes(value), {}});
  auto data = builder.finish({producer_id{1}, producer_epoch{0}, sequence});
  stamp_batch(data.data(), base, epoch);
  return {bytes::take(std::move(data)), timestamp{1000 + base.value()}};
}

struct node { // one life on a disk
  explicit node(sim::sim_disk& disk) {
    commit_settings settings;
    settings.journal_from_logs = 1;
    settings.reserve_bytes = 0;
    service = commit_service::open(disk.env(), journal_path, pool, time, settings);
    if (!service.ok()) return;
    log = partition_log::open(disk.env(), log_path, key, small_log(), false, (*service)->recovered(key),
                              report);
  }
  tests::step_pool pool;
  tests::manual_clock time;
  recovery_report report;
  result<std::unique_ptr<commit_service>> service{ec::internal, "not opened"};
  result<std::unique_ptr<partition_log>> log{ec::internal, "not opened"};
};

void collect(sim::sim_disk& disk, const std::string& folder, files& all) {
  auto names = disk.env().list_directory(folder).value();
  for (auto& name : names)
    all[folder + "/" + name] = read_whole_file(disk.env(), folder + "/" + name, 1 << 20).value();
}

// A log of three segments with three epochs and a truncation, whose last frames the journal has, too.
const files& golden() {
  static const files all = [] {
    seeded_random random{1};
    sim::sim_disk disk{random};
    disk.env().create_directories("data").value();
    node one{disk};
    std::shared_ptr<partition_log> log = std::move(*one.log);
    for (int32_t i = 0; i < 16; ++i) {
      if (i == 9) {
        (*one.service)->flush().value();
        log->truncate(offset{7}).value();
      }
      (*one.service)->commit(log, {batch_at(log->log_end(), leader_epoch{i / 5}, i)}, [](commit_outcome) {});
      one.pool.run();
    }
    log->release_files();
    files found;
    collect(disk, log_path, found);
    collect(disk, journal_path, found);
    return found;
  }();
  return all;
}

// Writes the checksums that guard the place at `at`, as their writer would.
void mend(std::vector<uint8_t>& data, size_t at, bool small_file) {
  if (small_file && data.size() >= 4)
    store_le(data.data() + data.size() - 4, crc32c(byte_view{data}.first(data.size() - 4)));
  // The header that begins at or before: all of ours begin at multiples of 8.
  for (size_t begin = at / 8 * 8 + 8; begin-- > 0;) {
    if (begin % 8 != 0 || begin + 80 > data.size()) continue;
    auto magic = load_le<uint32_t>(data.data() + begin);
    if (magic != frame_magic && magic != 0x524a5350) continue;
    if (magic == frame_magic && begin + frame_head_size <= data.size()) {
      auto* batch = data.data() + begin + frame_header_size;
      size_t size = batch_length_prefix + static_cast<uint32_t>(load_be<int32_t>(batch + 8));
      if (size >= batch_header_size && size <= data.size() - begin - frame_header_size) {
        store_be(batch + 17, crc32c({batch + 21, size - 21}));
        std::memcpy(data.data() + begin + 72, batch + 17, 4);
        std::reverse(data.data() + begin + 72,
                     data.data() + begin + 76); // big-endian there, little-endian here
      }
    }
    store_le(data.data() + begin + 76, crc32c({data.data() + begin, 76}));
    return;
  }
}

void edit(files& all, fuzz::byte_source& in) {
  auto what = in.byte();
  auto item = std::next(all.begin(), static_cast<ptrdiff_t>(in.byte() % all.size()));
  auto& data = item->second;
  size_t at = data.empty() ? 0 : in.number() % data.size();
  size_t count = in.byte();
  auto value = in.byte();
  count = std::min(count, data.size() - at);
  switch (what % 8) {
  case 0:
    if (!data.empty()) data[at] = value;
    break;
  case 1:
    if (!data.empty()) data[at] = static_cast<uint8_t>(data[at] ^ (1u << (value % 8)));
    break;
  case 2:
    std::fill_n(data.begin() + static_cast<ptrdiff_t>(at), count, value);
    break;
  case 3:
    data.resize(at);
    break;
  case 4:
    data.insert(data.end(), count, value);
    break;
  case 5:
    data.erase(data.begin() + static_cast<ptrdiff_t>(at), data.begin() + static_cast<ptrdiff_t>(at + count));
    break;
  case 6:
    data = std::next(all.begin(), value % static_cast<ptrdiff_t>(all.size()))->second;
    break;
  case 7: { // a piece of it again, at its end
    std::vector<uint8_t> piece{data.begin() + static_cast<ptrdiff_t>(at),
                               data.begin() + static_cast<ptrdiff_t>(at + count)};
    data.insert(data.end(), piece.begin(), piece.end());
    break;
  }
  }
  if ((what & 0x40) != 0) mend(data, at, item->first.find('.') == std::string::npos);
  if ((what & 0x80) != 0 && all.size() > 1) all.erase(item);
}

// Everything that can be read is whole; damage has its own error.
void read_all(const partition_log& log) {
  auto end = log.log_end();
  for (auto at = log.log_start(); at < end;) {
    auto got = log.read(at, end, 500);
    if (!got.ok()) {
      PESSOA_ASSERT(got.error().code == ec::corrupt_data, got.error());
      return;
    }
    PESSOA_ASSERT(got->next > at && !got->data.empty(), got->next, at, log.log_start(), end,
                  log.segment_count());
    for (auto rest = got->data.view(); !rest.empty();) {
      auto head = parse_batch_header(rest);
      PESSOA_ASSERT(head.ok() && head->size() <= rest.size() && batch_crc_matches(rest.first(head->size())),
                    at);
      at = head->next_offset();
      rest = rest.subspan(head->size());
    }
  }
  auto found = log.offset_for_time(timestamp{1005}, end);
  PESSOA_ASSERT(found.ok() || found.error().code == ec::corrupt_data);
}

auto facts_of(const node& one) {
  auto& log = **one.log;
  return std::tuple{log.log_start(), log.log_end(), log.generation(), log.lineage(),
                    log.failed().has_value()};
}

std::string text_of(const decltype(facts_of(std::declval<node&>()))& facts) {
  auto& [start, end, generation, lineage, failed] = facts;
  std::string text = std::to_string(start.value()) + ".." + std::to_string(end.value()) + " generation "
                     + std::to_string(generation) + (failed ? " failed" : "") + " epochs";
  for (auto& e : lineage)
    text += " " + std::to_string(e.epoch.value()) + "@" + std::to_string(e.start.value());
  return text;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto all = golden();
  fuzz::byte_source in{data, size};
  for (size_t i = 0; i < 40 && i * 6 < size; ++i)
    edit(all, in);
  seeded_random random{1};
  sim::sim_disk disk{random};
  disk.env().create_directories(log_path).value();
  disk.env().create_directories(journal_path).value();
  for (auto& [path, content] : all) {
    auto file = disk.env().open_file(path, open_mode::create_new).value();
    file->write_at(0, byte_view{content}).value();
    file->sync().value();
  }
  for (auto& folder : {log_path, journal_path, std::string{"data"}, std::string{"."}})
    disk.env().sync_directory(folder).value();

  std::optional<decltype(facts_of(std::declval<node&>()))> before;
  for (int start = 0; start < 2; ++start) {
    node one{disk};
    if (!one.service.ok() || !one.log.ok()) {
      auto code = one.service.ok() ? one.log.error().code : one.service.error().code;
      PESSOA_ASSERT(code == ec::corrupt_data || code == ec::unsupported_version, to_string(one.log.error()));
      PESSOA_ASSERT(!before);
      return 0;
    }
    PESSOA_ASSERT((*one.log)->failed().has_value() == one.report.loss.has_value());
    read_all(**one.log);
    auto facts = facts_of(one);
    PESSOA_ASSERT(!before || *before == facts, text_of(*before), text_of(facts),
                  one.report.loss.value_or(""));
    before = facts;
    disk.crash(sim::crash_kind::kill);
  }
  node one{disk};
  auto& log = **one.log;
  if (log.failed()) return 0;
  auto base = log.log_end();
  auto epoch = std::max(log.last_epoch(), leader_epoch{0});
  log.write({batch_at(base, epoch, 0)}).value();
  log.sync().value();
  read_all(log);
  disk.crash(sim::crash_kind::power);
  node last{disk};
  PESSOA_ASSERT(!last.report.loss, *last.report.loss);
  PESSOA_ASSERT((*last.log)->log_end() == base + 1, (*last.log)->log_end(), base);
  return 0;
}
