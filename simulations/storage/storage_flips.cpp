// One bit rots while the process is down: what flips, and what must hold after each start since.
#include "persistence/log_files.hpp"
#include "simulations/storage/storage_life.hpp"

#include <algorithm>
#include <bit>

namespace pessoa::sim {

using namespace pessoa::persistence;

namespace {

constexpr size_t last_offset_delta_low = 26; // schema/record_batch.hpp: big-endian, from 23 on

} // namespace

// False if it is no segment that can be read.
bool storage_world::walk_segment(const hosted& log, const std::string& file, walk_depth depth,
                                 const frame_visitor& look) {
  auto base = parse_file_name(file.substr(file.find_last_of('/') + 1), segment_suffix);
  auto opened = disk.env().open_file(file, open_mode::read);
  if (!base || !opened.ok()) return false;
  auto size = (*opened)->size();
  return walk_frames(**opened, log.model.key, {0, *base, std::nullopt}, size.ok() ? *size : 0, depth, look)
      .ok();
}

// The batch whose frame covers that byte of a segment; -1 without one.
offset storage_world::frame_at(const hosted& log, const std::string& file, uint64_t byte) {
  offset found{-1};
  auto look = [&](const frame_view& view, uint64_t position, byte_view) {
    if (position <= byte && byte < position + view.header.frame_length) found = view.header.base;
    return true;
  };
  return walk_segment(log, file, walk_depth::whole, look) ? found : offset{-1};
}

// Where the header of that frame begins; behind the last one, of the last.
std::optional<uint64_t> storage_world::header_at(const hosted& log, const std::string& file, uint64_t byte) {
  std::optional<uint64_t> found;
  auto look = [&](const frame_view& view, uint64_t position, byte_view) {
    found = position;
    return byte >= position + view.header.frame_length;
  };
  return walk_segment(log, file, walk_depth::heads, look) ? found : std::nullopt;
}

// A bit by which a batch would say that it reaches to the end of the log: the worst that one can do, as who walks over heads
// would miss nothing of what is behind it.
std::optional<uint64_t> storage_world::bit_that_makes_up(const hosted& log, const std::string& file) {
  std::optional<uint64_t> found;
  uint64_t candidates = 0;
  auto look = [&](const frame_view& view, uint64_t position, byte_view) {
    auto claimed = static_cast<uint64_t>(log.model.end() - view.header.base - 1);
    auto other = claimed ^ static_cast<uint64_t>(view.batch.last_offset_delta);
    if (std::has_single_bit(other) && other < 256 && habits.below(++candidates) == 0)
      found = (position + frame_header_size + last_offset_delta_low) * 8
              + static_cast<uint64_t>(std::countr_zero(other));
    return true;
  };
  return walk_segment(log, file, walk_depth::heads, look) ? found : std::nullopt;
}

bool storage_world::is_somewhere(const hosted& log, const model_batch& batch) const {
  for (auto& folder : {path(log), std::string{"data/journal"}})
    for (auto& file : disk.names_in(folder))
      if (contains(disk.content(folder + "/" + file).value_or(byte_view{}), batch.data)) return true;
  return false;
}

// What is known of the bit, and of the starts since.
struct storage_world::flipped {
  std::string file;
  size_t owner; // which log's file; logs.size() for the journal
  uint64_t bit;
  offset hit;             // the batch whose frame it is in; -1 without one
  std::vector<bool> lost; // logs of which the start before has reported a loss
  bool mended = false;    // what was damaged may have been written anew
};

std::optional<storage_world::flipped> storage_world::flip_something() {
  auto& env = disk.env();
  std::vector<std::pair<std::string, size_t>> files; // and whose: logs.size() for the journal
  auto add = [&](const std::string& folder, size_t owner) {
    auto names = env.list_directory(folder);
    for (size_t i = 0; names.ok() && i < names->size(); ++i)
      files.emplace_back(folder + "/" + (*names)[i], owner);
  };
  for (size_t i = 0; i < logs.size(); ++i)
    add(path(logs[i]), i);
  add("data/journal", logs.size());
  if (files.empty()) return std::nullopt;
  // Segments twice as often as the rest.
  auto is_segment = [](const auto& f) {
    return f.first.size() > 4 && f.first.substr(f.first.size() - 4) == ".log";
  };
  auto rest = std::partition(files.begin(), files.end(), is_segment);
  auto segments = static_cast<uint64_t>(rest - files.begin());
  bool in_segment = segments > 0 && random.below(3) != 0;
  auto [file, owner] = files[in_segment ? random.below(segments) : random.below(files.size())];
  // Many in the last segment of a log, some of them in its last frame: nothing that comes after it tells of it.
  auto where = in_segment ? habits.below(4) : 3;
  bool last = where == 0;
  for (auto at = files.begin(); where <= 1 && at != rest; ++at)
    if (at->second == owner) file = std::max(file, at->first);
  auto size = disk.content(file).value_or(byte_view{}).size();
  if (size == 0) return std::nullopt;
  auto bit = last ? size * 8 : random.below(size * 8);
  // Half of the time within a frame's header: it is small, and everything hangs on it.
  bool head = in_segment && (last || random.below(2) == 0);
  if (auto header = head ? header_at(logs[owner], file, bit / 8) : std::nullopt) {
    bit = *header * 8 + random.below(frame_header_size * 8);
    // Where the batch says that it ends: who walks over heads follows it, and its checksum is that of the whole batch.
    if (manner == habit::rotten_ends && habits.below(2) == 0) {
      bit = (*header + frame_header_size + last_offset_delta_low) * 8 + habits.below(8);
      if (habits.below(2) == 0) bit = bit_that_makes_up(logs[owner], file).value_or(bit);
    }
  }
  if (bit >= size * 8) return std::nullopt; // there is no such frame
  auto hit = owner < logs.size() ? frame_at(logs[owner], file, bit / 8) : offset{-1};
  disk.flip_bit(file, bit);
  ++outcome.flips;
  return flipped{file, owner, bit, hit, std::vector<bool>(logs.size())};
}

// One bit rots while the process is down: what is served is right, and what is missing is reported, by each start anew.
void storage_world::check_flipped() {
  auto flip = flip_something();
  if (!flip) return;
  if (habits.below(4) == 0) { // a start that does not come to its end
    disk.faults().cut_power_at(1 + habits.below(60));
    bool whole = start_flipped(*flip);
    disk.faults().clear();
    if (!whole) ++outcome.crashes_in_recovery;
    // What told of a loss may have been in memory alone: after a power cut the next start need not say the same.
    auto kind = habits.below(2) == 0 ? crash_kind::kill : crash_kind::power;
    if (!whole || kind == crash_kind::power) flip->lost.assign(logs.size(), false);
    flip->mended = flip->mended || !whole;
    die(kind);
  }
  start_flipped(*flip);
  die(crash_kind::kill);
  start_flipped(*flip);
}

// False when the power went.
bool storage_world::start_flipped(flipped& flip) {
  auto& env = disk.env();
  pool = std::make_unique<stepped_pool>(schedule);
  auto found = data_directory::open(env, "data");
  if (!found.ok() && disk.is_cut()) return false;
  directory = std::move(found).value();
  bool clean = directory->was_clean_stop();
  auto begun = directory->begin_writing();
  if (disk.is_cut()) return false;
  begun.value();
  auto made = commit_service::open(env, directory->journal_path(), *pool, time, settings);
  if (disk.is_cut()) return false;
  if (!made.ok()) fail("a_damaged_journal_does_not_stop_a_start", to_string(made.error()));
  service = std::move(*made);
  bool complete = true;
  for (size_t i = 0; i < logs.size(); ++i) {
    auto& log = logs[i];
    if (!env.exists(path(log))) continue;
    recovery_report report;
    auto opened = partition_log::open(env, path(log), log.model.key, log_options, clean,
                                      service->recovered(log.model.key), report);
    if (disk.is_cut()) return false;
    if (!opened.ok()) fail("a_damaged_log_opens", name(log) + ": " + to_string(opened.error()));
    bool reported = report.loss.has_value();
    complete = complete && !reported;
    bool concerned = flip.owner == i || flip.owner == logs.size();
    if (reported && !concerned) fail("no_loss_without_damage", *report.loss);
    if (flip.lost[i] && !reported)
      fail("a_loss_stays_reported", name(log) + " had lost something after a flip in " + flip.file
                                        + ", and the next start says nothing of it");
    flip.lost[i] = reported;
    flip.mended = flip.mended || (flip.owner == i && report.frames_from_journal > 0);
    auto end = (*opened)->log_end();
    // A rotten last record of the journal looks like one that was never finished, and it may have been the one that a
    // deletion left; only here is a log made anew under the same key.
    bool undone = flip.owner == logs.size() && log.forgotten_at_round == outcome.journal_rounds;
    if (end > log.model.end() && !undone)
      fail("nothing_invented", name(log) + " after a flip in " + flip.file);
    // A rotten last commit may look like one that was never finished: nothing after it says that it was
    // durable.
    auto must = concerned ? std::min(log.model.acked_end, log.model.last_commit) : log.model.acked_end;
    // Removed may be what any of them says: the file that knows may be the one that is damaged.
    auto kept = std::max({(*opened)->log_start(), log.model.log_start,
                          log.model.start_in_doubt.value_or(log.model.log_start)});
    for (auto& batch : log.model.batches) {
      if (flip.owner == i && batch.base != flip.hit && batch.base >= kept && batch.next <= must
          && !is_somewhere(log, batch))
        fail("what_is_whole_stays", name(log) + " at " + std::to_string(batch.base.value())
                                        + " is in no file any more, after a flip in " + flip.file);
      if (batch.base < (*opened)->log_start() || batch.next > end) continue;
      auto got = (*opened)->read(batch.base, end, 1);
      if (disk.is_cut()) return false;
      if (!got.ok() && got.error().code != ec::corrupt_data)
        fail("damage_has_its_error", to_string(got.error()));
      if (got.ok() && flip.owner == i && batch.base == flip.hit && !flip.mended)
        fail("damage_is_noticed", name(log) + " serves offset " + std::to_string(flip.hit.value())
                                      + " although bit " + std::to_string(flip.bit) + " of " + flip.file
                                      + ", in its frame, was flipped");
      if (!got.ok())
        reported = true;
      else if (!same_bytes(got->data, batch.data))
        fail("no_damaged_byte_is_served",
             name(log) + " at " + std::to_string(batch.base.value()) + " after a flip in " + flip.file);
    }
    outcome.losses_reported += reported;
    if (!reported && end < must)
      fail("what_is_missing_is_reported",
           name(log) + " ends at " + std::to_string(end.value()) + ", acknowledged was "
               + std::to_string(log.model.acked_end.value()) + ", after a flip in " + flip.file);
  }
  // What the journal holds stays while a log lacks something: the loss may be seen by it alone.
  return !complete || service->recovery_complete().ok();
}

} // namespace pessoa::sim
