// What must hold: at each answer, after each start, and when a bit has rotted.
#include "persistence/frame_walk.hpp"
#include "persistence/journal_format.hpp"
#include "persistence/log_files.hpp"
#include "simulations/storage/storage_life.hpp"

#include <algorithm>

namespace pessoa::sim {

using namespace pessoa::persistence;

namespace {

std::vector<uint8_t> whole(storage_env& env, const std::string& path) {
  auto data = read_whole_file(env, path, 64u << 20);
  return data.ok() ? std::move(*data) : std::vector<uint8_t>{};
}

bool contains(byte_view all, byte_view part) {
  return std::search(all.begin(), all.end(), part.begin(), part.end()) != all.end();
}

} // namespace

// At the moment of the answer, no power cut can take the batch: it lies, with all that leads to it, in the
// durable part of its segment or of a journal file.
void storage_world::check_durable(hosted& log, const model_batch& batch) {
  auto& env = disk.env();
  auto names = env.list_directory(path(log));
  if (!names.ok()) fail("an_answer_is_durable", "its directory cannot be listed");
  offset base{-1};
  for (auto& name : *names)
    if (auto at = parse_file_name(name, segment_suffix); at && *at <= batch.base) base = std::max(base, *at);
  uint64_t segment_end = 0, durable = 0;
  if (base.value() >= 0) {
    auto file_path = path(log) + "/" + file_name(base, segment_suffix);
    auto file = env.open_file(file_path, open_mode::read);
    auto look = [&](const frame_view& view, uint64_t position, byte_view frame) {
      if (view.header.base == batch.base
          && same_bytes(frame.subspan(frame_header_size, view.header.batch_length), batch.data))
        segment_end = position + view.header.frame_length;
      return segment_end == 0;
    };
    if (file.ok()) {
      auto size = (*file)->size();
      auto walked = walk_frames(**file, log.model.key, {0, base, std::nullopt}, size.ok() ? *size : 0,
                                walk_depth::whole, look);
      if (!walked.ok()) fail("an_answer_is_durable", to_string(walked.error()));
    }
    durable = disk.durable_prefix(file_path);
    if (segment_end > 0 && durable >= segment_end) return;
  }
  auto journals = env.list_directory("data/journal");
  for (size_t i = 0; journals.ok() && i < journals->size(); ++i) {
    auto file_path = "data/journal/" + (*journals)[i];
    auto number = parse_journal_file_name((*journals)[i]);
    if (!number) continue;
    auto data = whole(env, file_path);
    auto safe = disk.durable_prefix(file_path);
    for (uint64_t at = journal_file_header_size; at + journal_record_header_size <= data.size();) {
      auto record = parse_journal_record(byte_view{data}.subspan(at), *number);
      if (!record || record->length > data.size() - at) break;
      auto body = byte_view{data}.subspan(at, record->length);
      if (record->key == log.model.key && record->base <= batch.base && batch.base < record->end
          && contains(body, batch.data) && safe >= at + record->length)
        return;
      at += record->length;
    }
  }
  fail("an_answer_is_durable", name(log) + " answered offset " + std::to_string(batch.base.value())
                                   + ", whose frame ends at " + std::to_string(segment_end) + " of which "
                                   + std::to_string(durable) + " bytes are durable, and no journal holds it");
}

void storage_world::check_recovered(hosted& log, const recovery_report& report) {
  auto& model = log.model;
  auto start = log.log->log_start();
  auto end = log.log->log_end();
  outcome.torn_tails += report.torn_bytes_cut > 0;
  outcome.frames_from_journal += report.frames_from_journal;
  note(static_cast<uint64_t>(end.value()) * 31 + log.log->generation());
  if (start != model.log_start && start != model.start_in_doubt.value_or(model.log_start))
    fail("the_log_begins_where_it_should", name(log) + " at " + std::to_string(start.value()) + ", not "
                                               + std::to_string(model.log_start.value()));
  if (start != model.log_start) model.removed = true;
  model.log_start = start;
  model.start_in_doubt.reset();
  if (end < model.acked_end)
    fail("what_was_acknowledged_is_there", name(log) + " ends at " + std::to_string(end.value())
                                               + ", acknowledged was "
                                               + std::to_string(model.acked_end.value()));
  if (end > model.end())
    fail("nothing_invented", name(log) + " ends at " + std::to_string(end.value()) + ", sent was "
                                 + std::to_string(model.end().value()));
  model.cut(end);
  if (model.end() != end)
    fail("batches_are_whole", name(log) + " ends at " + std::to_string(end.value()) + ", inside a batch");
  if (log.log->durable_end() != end) fail("what_was_recovered_is_durable", name(log));
  read_back(log, true);
  auto lineage = model.lineage();
  for (size_t i = 0; i < lineage.size(); ++i) {
    auto epoch_end = i + 1 < lineage.size() ? lineage[i + 1].start : end;
    if (epoch_end <= start) continue;
    auto known = log.log->end_of_epoch(lineage[i].epoch);
    if (known != std::pair{lineage[i].epoch, epoch_end})
      fail("epochs_are_known", name(log) + ": epoch " + std::to_string(lineage[i].epoch.value()) + " ends at "
                                   + std::to_string(known.second.value()) + ", not "
                                   + std::to_string(epoch_end.value()));
  }
  check_producers(log);
  // From now on all of it counts: a start syncs what it found.
  model.acked_end = end;
  model.last_commit = std::min(model.last_commit, report.written_again_from.value_or(end));
}

// What was removed from the start is remembered. Only a truncation can make a log forget producers, of whom it then has no
// batch: it is not cut back to what they did before.
void storage_world::check_producers(hosted& log) {
  auto& model = log.model;
  auto known = log.log->producers();
  auto expected = model.producers();
  if (known == expected) return;
  bool may_forget = model.removed && model.truncated;
  for (int64_t id = 0; may_forget && id < producers_max; ++id) {
    auto* has = known.find(producer_id{id});
    auto* had = expected.find(producer_id{id});
    bool there = std::any_of(model.batches.begin(), model.batches.end(), [&](auto& b) {
      return b.base >= log.log->log_start() && b.head.idempotent() && b.head.producer == producer_id{id};
    });
    if (has == nullptr && !there) continue;
    may_forget = has != nullptr && had != nullptr && has->count > 0 && had->count > 0
                 && has->newest().last_sequence == had->newest().last_sequence;
  }
  if (may_forget) return;
  for (int64_t id = 0; id < producers_max; ++id) {
    auto text = [id](const producer_table& table) {
      auto* p = table.find(producer_id{id});
      if (p == nullptr || p->count == 0) return std::string{"nothing"};
      return std::to_string(p->count) + " batches up to sequence "
             + std::to_string(p->newest().last_sequence);
    };
    if (auto has = text(known), had = text(expected); has != had)
      fail("producers_are_remembered",
           name(log) + " knows " + has + " of producer " + std::to_string(id) + ", who wrote " + had);
  }
  fail("producers_are_remembered", name(log) + ": what it knows of producers is not what was written to it");
}

void storage_world::read_back(hosted& log, bool to_the_end) {
  auto& model = log.model;
  auto end = log.log->log_end();
  auto at = model.log_start;
  if (!to_the_end && end > at) at = at + static_cast<int64_t>(random.below(static_cast<uint64_t>(end - at)));
  size_t i = 0;
  while (i < model.batches.size() && model.batches[i].next <= at)
    ++i;
  while (at < end) {
    auto got = log.log->read(at, end, 1 + random.below(3000));
    if (!got.ok())
      fail("what_is_there_can_be_read",
           name(log) + " at " + std::to_string(at.value()) + ": " + to_string(got.error()));
    auto rest = got->data.view();
    while (!rest.empty()) {
      if (i >= model.batches.size() || rest.size() < model.batches[i].data.size()
          || !same_bytes(rest.first(model.batches[i].data.size()), model.batches[i].data))
        fail("every_byte_is_as_it_was_sent", name(log) + " at offset " + std::to_string(at.value()));
      rest = rest.subspan(model.batches[i].data.size());
      at = model.batches[i++].next;
      ++outcome.read;
    }
    if (got->data.empty())
      fail("what_is_there_can_be_read", name(log) + ": nothing at " + std::to_string(at.value()));
    if (!to_the_end) return;
  }
}

// The batch whose frame covers that byte of a segment; -1 without one.
offset storage_world::frame_at(hosted& log, const std::string& file, uint64_t byte) {
  auto base = parse_file_name(file.substr(file.find_last_of('/') + 1), segment_suffix);
  auto opened = disk.env().open_file(file, open_mode::read);
  if (!base || !opened.ok()) return offset{-1};
  offset found{-1};
  auto look = [&](const frame_view& view, uint64_t position, byte_view) {
    if (position <= byte && byte < position + view.header.frame_length) found = view.header.base;
    return true;
  };
  auto size = (*opened)->size();
  auto walked = walk_frames(**opened, log.model.key, {0, *base, std::nullopt}, size.ok() ? *size : 0,
                            walk_depth::whole, look);
  return walked.ok() ? found : offset{-1};
}

// Where the header of that frame begins; behind the last one, of the last.
std::optional<uint64_t> storage_world::header_at(hosted& log, const std::string& file, uint64_t byte) {
  auto base = parse_file_name(file.substr(file.find_last_of('/') + 1), segment_suffix);
  auto opened = disk.env().open_file(file, open_mode::read);
  std::optional<uint64_t> found;
  if (!base || !opened.ok()) return found;
  auto look = [&](const frame_view& view, uint64_t position, byte_view) {
    found = position;
    return byte >= position + view.header.frame_length;
  };
  auto size = (*opened)->size();
  auto walked = walk_frames(**opened, log.model.key, {0, *base, std::nullopt}, size.ok() ? *size : 0,
                            walk_depth::heads, look);
  return walked.ok() ? found : std::nullopt;
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
  auto size = whole(env, file).size();
  if (size == 0) return std::nullopt;
  auto bit = last ? size * 8 : random.below(size * 8);
  // Half of the time within a frame's header: it is small, and everything hangs on it.
  bool head = in_segment && (last || random.below(2) == 0);
  if (auto header = head ? header_at(logs[owner], file, bit / 8) : std::nullopt)
    bit = *header * 8 + random.below(frame_header_size * 8);
  if (bit == size * 8) return std::nullopt; // there is no frame
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
    if (end > log.model.end()) fail("nothing_invented", name(log) + " after a flip in " + flip.file);
    for (auto& batch : log.model.batches) {
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
    // A rotten last commit may look like one that was never finished: nothing after it says that it was
    // durable.
    auto must = concerned ? std::min(log.model.acked_end, log.model.last_commit) : log.model.acked_end;
    if (!reported && end < must)
      fail("what_is_missing_is_reported",
           name(log) + " ends at " + std::to_string(end.value()) + ", acknowledged was "
               + std::to_string(log.model.acked_end.value()) + ", after a flip in " + flip.file);
  }
  // What the journal holds stays while a log lacks something: the loss may be seen by it alone.
  return !complete || service->recovery_complete().ok();
}

} // namespace pessoa::sim
