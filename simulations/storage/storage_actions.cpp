// What a seed asks of logs, and what the model learns from the answers.
#include "simulations/storage/storage_life.hpp"

#include <algorithm>

namespace pessoa::sim {

using namespace pessoa::persistence;

namespace {

constexpr size_t sector_value = 360; // a batch of one record of that size makes a frame of 512 bytes

} // namespace

std::string storage_world::path(const hosted& log) const { return "data/topics/" + to_string(log.model.key); }

std::string storage_world::name(const hosted& log) const {
  return "log " + std::to_string(log.model.key.index.value());
}

// -- starting ---

void storage_world::start_first() {
  auto first = data_directory::open(disk.env(), "data").value();
  first->initialise(directory_identity::draw(cluster_id{draw_uuid(random)}, node_id{1}, random)).value();
  first.reset();
  if (!try_start()) fail("the_first_start_succeeds", "it did not");
  for (auto& log : logs)
    create(log);
}

void storage_world::restart() {
  for (int attempt = 0; attempt < 4; ++attempt) {
    bool restless = manner == habit::restless;
    bool cut = with_cuts_in_recovery && attempt < 3 && random.below(2) == 0;
    if (cut && restless && habits.below(2) == 0)
      cut_at_names(1 + 4 * logs.size());
    else if (cut)
      disk.faults().cut_power_at(1 + random.below(restless ? 20 + 20 * logs.size() : 60));
    // What the last life could not write for want of room is still to be written.
    if (manner == habit::full_starts && habits.below(3) != 0)
      disk.set_capacity(disk.bytes_used() + habits.below(habits.below(4) == 0 ? 4'000 : 100'000));
    bool started = try_start();
    disk.faults().clear();
    if (started && !disk.is_cut()) {
      if (attempt < 3
          && random.below(restless ? 2 : 4) == 0) { // what a start promised holds without another write
        die(random.below(2) == 0 ? crash_kind::kill : crash_kind::power);
        continue;
      }
      return;
    }
    if (!disk.is_cut()) fail("a_start_succeeds", "it did not, on a disk without faults");
    ++outcome.crashes_in_recovery;
    die(random.below(3) == 0 ? crash_kind::kill : crash_kind::power);
  }
  disk.set_capacity(no_limit);
  if (!try_start()) fail("a_start_succeeds", "it did not, on a disk without faults");
}

bool storage_world::try_start() {
  auto opened = data_directory::open(disk.env(), "data");
  if (!opened.ok()) return false;
  directory = std::move(*opened);
  pool = std::make_unique<stepped_pool>(schedule);
  bool clean = directory->was_clean_stop();
  if (!directory->begin_writing().ok()) return false;
  auto made = commit_service::open(disk.env(), directory->journal_path(), *pool, time, settings);
  if (!made.ok()) {
    if (!disk.is_cut()) fail("the_journal_opens", to_string(made.error()));
    return false;
  }
  service = std::move(*made);
  auto listed = directory->partitions();
  if (!listed.ok()) return false;
  for (auto& log : logs) {
    bool there = std::count(listed->partitions.begin(), listed->partitions.end(), log.model.key) > 0;
    if (!there) {
      if (log.model.acked_end > offset{0} && !log.model.deletion_in_doubt)
        fail("a_log_is_there", name(log) + " is gone");
      log.model.forget();
      continue;
    }
    log.model.deletion_in_doubt = false;
    if (!open(log, clean)) return false;
  }
  // As a node does it: what the journal holds stays while a log could not take it.
  return !all_are_open() || service->recovery_complete().ok();
}

bool storage_world::open(hosted& log, bool clean) {
  auto faults_before = disk.faults().faults();
  recovery_report report;
  auto opened = partition_log::open(disk.env(), path(log), log.model.key, log_options, clean,
                                    service->recovered(log.model.key), report);
  if (disk.is_cut()) return false;
  if (!opened.ok()) {
    bool full = opened.error().code == ec::disk_full && disk.capacity() < no_limit;
    if (!full && disk.faults().faults() == faults_before)
      fail("a_log_opens", name(log) + ": " + to_string(opened.error()));
    // It is owed all the same, and opened again when there may be room: in this life, or in the next.
    service->recovered_in_vain(log.model.key);
    log.waits = true;
    ++outcome.waits;
    return true;
  }
  if (report.loss) fail("no_loss_without_damage", name(log) + ": " + *report.loss);
  log.waits = false;
  log.log = std::move(*opened);
  check_recovered(log, report);
  log.model.epoch = log.model.epoch + 1;
  return true;
}

bool storage_world::all_are_open() const {
  return std::none_of(logs.begin(), logs.end(), [](auto& log) { return log.waits; });
}

// In the middle of a life. What a failed attempt has left behind was no clean stop.
void storage_world::open_again(hosted& log) {
  if (open(log, false) && all_are_open()) (void)service->recovery_complete();
}

void storage_world::create(hosted& log) {
  if (!directory->create_partition(log.model.key).ok()) {
    log.open_failed = true;
    return;
  }
  recovery_report report;
  auto opened = partition_log::open(disk.env(), path(log), log.model.key, log_options, false,
                                    service->recovered(log.model.key), report);
  if (!opened.ok()) {
    log.open_failed = true;
    return;
  }
  log.log = std::move(*opened);
  if (log.log->log_end() != offset{0})
    fail("nothing_invented", name(log) + " is new and ends at " + std::to_string(log.log->log_end().value()));
  log.model.epoch = log.model.epoch + 1;
}

// -- writing ---

void storage_world::commit(hosted& log) {
  auto& model = log.model;
  bool broken = log.log->failed().has_value();
  if (broken && random.below(10) != 0) return;
  auto next = log.log->log_end();
  if (!broken && next != model.end())
    fail("the_log_ends_where_it_should",
         name(log) + " at " + std::to_string(next.value()) + ", not " + std::to_string(model.end().value()));
  if (random.below(30) == 0) model.epoch = model.epoch + 1;
  std::vector<model_batch> sent;
  std::vector<frame_input> frames;
  auto table = model.producers();
  auto count = 1 + random.below(3);
  for (uint64_t i = 0; i < count; ++i) {
    batch_builder builder;
    auto records = static_cast<int32_t>(1 + random.below(4));
    std::string value(1 + random.below(300), 'a');
    if (manner == habit::equal_batches) {
      records = 1;
      value.resize(sector_value);
    }
    for (auto& c : value)
      c = static_cast<char>(random.next());
    for (int32_t r = 0; r < records; ++r)
      builder.add({timestamp{time.wall().value() - static_cast<int64_t>(random.below(2000))},
                   std::nullopt,
                   as_bytes(value),
                   {}});
    batch_builder::identity producer;
    if (random.below(2) == 0) {
      producer = {producer_id{static_cast<int64_t>(random.below(producers_max))}, producer_epoch{0}, 0};
      auto* known = table.find(producer.producer);
      if (known && known->count > 0) producer.base_sequence = known->newest().last_sequence + 1;
    }
    auto data = builder.finish(producer);
    stamp_batch(data.data(), next, model.epoch);
    auto head = parse_batch_header(data).value();
    table.apply(head, time.wall());
    sent.push_back({next, head.next_offset(), model.epoch, time.wall(), head, bytes::take(std::move(data))});
    frames.push_back({sent.back().data, time.wall()});
    next = head.next_offset();
  }
  if (!broken) model.batches.insert(model.batches.end(), sent.begin(), sent.end());
  log.busy = true;
  auto generation = log.log->generation();
  service->commit(log.log, std::move(frames), [this, &log, sent, generation, broken](commit_outcome done) {
    if (!broken) return answered(log, sent, std::move(done), generation);
    log.busy = false;
    if (done.durable_end.ok()) fail("a_failed_log_takes_no_writes", name(log) + " took one");
  });
}

void storage_world::answered(hosted& log, const std::vector<model_batch>& sent, commit_outcome done,
                             uint64_t generation) {
  auto& model = log.model;
  log.busy = false;
  note(done.durable_end.ok() ? static_cast<uint64_t>(done.durable_end->value()) : 7);
  if (log.log.use_count() != 1) fail("the_loan_is_back_before_the_answer", name(log));
  if (done.generation != generation) fail("an_answer_carries_its_generation", name(log));
  if (done.durable_end.ok()) {
    ++outcome.acknowledged;
    if (*done.durable_end < sent.back().next)
      fail("an_answer_covers_what_was_sent", name(log) + ": durable to "
                                                 + std::to_string(done.durable_end->value()) + " of "
                                                 + std::to_string(sent.back().next.value()));
    for (auto& batch : sent)
      check_durable(log, batch);
    model.acked_end = sent.back().next;
    model.last_commit = sent.front().base;
    return;
  }
  if (done.durable_end.error().code == ec::disk_full && !log.log->failed()) {
    ++outcome.refused;
    model.cut(sent.front().base); // definite: it is not there, now or later
    if (log.log->log_end() != model.end()) fail("a_refused_batch_is_not_there", name(log));
    return;
  }
  ++outcome.failed;
  if (!log.log->failed())
    fail("a_failed_write_ends_the_log", name(log) + ": " + to_string(done.durable_end.error()));
}

// -- cutting ---

void storage_world::truncate(hosted& log) {
  auto& model = log.model;
  auto end = log.log->log_end();
  if (end <= model.log_start) return;
  auto span = static_cast<uint64_t>(end - model.log_start);
  auto back =
      1 + static_cast<int64_t>(random.below(random.below(2) == 0 ? span : std::min<uint64_t>(span, 5)));
  auto to = end - back;
  auto new_end = to;
  for (auto& b : model.batches)
    if (b.base <= to && to < b.next) new_end = b.base;
  if (new_end < model.log_start) return;
  auto generation = log.log->generation();
  model.truncated = true;
  model.acked_end = std::min(model.acked_end, new_end);
  model.last_commit = std::min(model.last_commit, new_end);
  auto cut = log.log->truncate(to);
  if (!cut.ok()) return; // either end, or one between, may be found
  ++outcome.truncations;
  model.cut(new_end);
  model.acked_end = new_end;
  if (log.log->log_end() != new_end || log.log->generation() != generation + 1)
    fail("a_truncation_cuts_where_it_should", name(log));
  model.epoch = model.epoch + 1;
  note(static_cast<uint64_t>(new_end.value()));
}

void storage_world::remove_before(hosted& log) {
  auto& model = log.model;
  auto limit = std::min(model.acked_end, log.log->log_end());
  if (limit <= model.log_start) return;
  auto start = model.log_start + 1
               + static_cast<int64_t>(random.below(static_cast<uint64_t>(limit - model.log_start)));
  auto removed = log.log->remove_before(start);
  if (!removed.ok()) {
    model.start_in_doubt = start;
    return;
  }
  if (*removed > 0) ++outcome.removals;
  model.log_start = start;
  model.removed = true;
  if (log.log->log_start() != start) fail("the_log_begins_where_it_should", name(log));
  note(static_cast<uint64_t>(start.value()));
}

void storage_world::remove(hosted& log) {
  if (!service->detach(*log.log).ok()) return;
  log.forgotten_at_round = journal_rounds();
  log.log.reset();
  log.model.deletion_in_doubt = true;
  if (!directory->delete_partition(log.model.key).ok()) {
    log.open_failed = true;
    return;
  }
  ++outcome.deletions;
  log.model.forget();
}

} // namespace pessoa::sim
