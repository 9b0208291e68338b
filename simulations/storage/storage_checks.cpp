// What must hold: at each answer and after each start.
#include "persistence/frame_walk.hpp"
#include "persistence/journal_format.hpp"
#include "persistence/log_files.hpp"
#include "simulations/storage/storage_life.hpp"

namespace pessoa::sim {

using namespace pessoa::persistence;

namespace {

std::vector<uint8_t> whole(storage_env& env, const std::string& path) {
  auto data = read_whole_file(env, path, 64u << 20);
  return data.ok() ? std::move(*data) : std::vector<uint8_t>{};
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

} // namespace pessoa::sim
