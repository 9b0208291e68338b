#include "actors/partition/partition_state.hpp"

#include "actors/type_ids.hpp"
#include "schema/plants.hpp"

#include <caf/send.hpp>

namespace pessoa::actors {

using protocol::acks;
using protocol::answer_fetch;
using protocol::answer_produce;
using protocol::append_batch;
using protocol::fetch_input;
using protocol::leader_settings;
using protocol::leader_start;
using protocol::produce_input;
using protocol::read_log;

void partition_state::start(partition_options options) {
  env_ = options.env;
  replica_ = std::move(options.replica);
  log_ = std::move(options.log);
  PESSOA_ASSERT(log_->durable_end() == log_->log_end(), log_->durable_end(), log_->log_end());
  leader_start begin;
  begin.key = log_->key();
  begin.epoch = options.epoch;
  begin.log_start = log_->log_start();
  begin.log_end = log_->log_end();
  if (!PESSOA_PLANT("no_dedup_after_restart")) begin.producers = log_->producers();
  begin.settings.config = options.config;
  begin.settings.waiting_bytes_max = env_->waiting_bytes_max;
  begin.settings.parked_fetches_max = env_->parked_fetches_max;
  begin.settings.producers_max = env_->logs.producers_max;
  begin.settings.producer_expiry = std::chrono::milliseconds{env_->logs.producer_expiry_ms};
  leader_.emplace(std::move(begin));
  env_->counters->leaderships.fetch_add(1, std::memory_order_relaxed);
}

// -- requests ---

void partition_state::produce(const ptr<produce_command>& command) {
  auto id = next_id_++;
  produce_input input{id, command->facts, command->level, command->deadline, command->known_epoch};
  open_.emplace(id, open_request{command});
  carry_out(leader_->produce(input, env_->time->now(), env_->time->wall()));
}

void partition_state::fetch(const ptr<fetch_command>& command) {
  auto id = next_id_++;
  fetch_input input{
      id, command->from, command->bytes_min, command->bytes_max, command->deadline, command->known_epoch};
  command->id = id;
  open_.emplace(id, open_request{command});
  env_->counters->fetches.fetch_add(1, std::memory_order_relaxed);
  carry_out(leader_->fetch(input, env_->time->now()));
}

void partition_state::abandon(const ptr<fetch_command>& command) {
  auto found = open_.find(command->id);
  if (found == open_.end()) return; // answered, or being read
  auto* open = std::get_if<ptr<fetch_command>>(&found->second.command);
  if (open == nullptr || *open != command) return;
  PESSOA_PROBE("fetch_abandoned");
  if (!PESSOA_PLANT("keep_abandoned_fetch")) leader_->forget_fetch(found->first);
  open_.erase(found);
}

void partition_state::query(const ptr<offset_query>& query) {
  auto log_end = leader_->log_end();
  if (auto checked = leader_->check_epoch(query->known_epoch); !checked)
    return query->reply->answer(checked.error());
  switch (query->at) {
  case offset_query::place::start: {
    auto start = leader_->log_start();
    query->reply->answer(offset_answer{start, no_timestamp, protocol::epoch_at(lineage(), start), log_end});
    return;
  }
  case offset_query::place::end: {
    query->reply->answer(offset_answer{leader_->high_watermark(), no_timestamp, leader_->epoch(), log_end});
    return;
  }
  case offset_query::place::time:
    break;
  }
  used_since_upkeep_ = files_open_ = true;
  env_->reads->post([log = log_, query, limit = leader_->high_watermark(), log_end] {
    auto found = log->offset_for_time(query->time, limit);
    if (!found) return query->reply->answer(found.error());
    offset_answer answer;
    answer.log_end = log_end;
    if (found->has_value()) {
      answer.at = (*found)->at;
      answer.time = (*found)->time;
      answer.epoch = (*found)->epoch;
    }
    query->reply->answer(answer);
  });
}

void partition_state::query(const ptr<epoch_query>& query) {
  if (auto checked = leader_->check_epoch(query->known_epoch); !checked)
    return query->reply->answer(checked.error());
  query->reply->answer(protocol::end_of_epoch(lineage(), leader_->log_end(), query->epoch));
}

// Of the log, and this epoch, which may not have written anything yet.
std::vector<protocol::epoch_begin> partition_state::lineage() const {
  std::vector<protocol::epoch_begin> out;
  for (auto& begin : log_->lineage())
    if (begin.epoch < leader_->epoch()) out.push_back({begin.epoch, begin.start});
  out.push_back({leader_->epoch(), leader_->begin()});
  return out;
}

void partition_state::status(const ptr<status_query>& query) {
  query->reply->answer(partition_status{leader_->key(), leader_->epoch(), leader_->log_start(),
                                        leader_->high_watermark(), leader_->log_end(), log_->size_bytes(),
                                        log_->segment_count(), log_->failed()});
}

void partition_state::apply(const topic_config& config) {
  leader_settings settings;
  settings.config = config;
  leader_->apply(settings);
  new_config_ = config;
  next_job();
}

// -- effects ---

void partition_state::carry_out(protocol::effects effects) {
  perform(std::move(effects));
  next_job();
  schedule_tick();
}

void partition_state::perform(protocol::effects effects) {
  for (auto& next : effects)
    std::visit([this](auto& decided) { perform(decided); }, next);
}

void partition_state::perform(append_batch& decided) {
  auto& command = *std::get<ptr<produce_command>>(open_.at(decided.id).command);
  auto size = command.facts.header.size();
  auto records = static_cast<uint64_t>(command.facts.header.record_count);
  auto* batch = command.batch.get();
  stamp_batch(batch, decided.base, decided.epoch);
  if (decided.stamp_append_time)
    stamp_append_time({batch, size}, decided.now);
  else if (decided.stamp_max_timestamp)
    stamp_max_timestamp({batch, size}, *decided.stamp_max_timestamp);
  // The bytes and their place in the budget are shared with the log from here on.
  struct held {
    std::shared_ptr<uint8_t[]> batch;
    std::shared_ptr<void> charge;
  };
  auto owner = std::make_shared<const held>(held{std::move(command.batch), std::move(command.charge)});
  waiting_.push_back({bytes{owner, byte_view{batch, size}}, decided.now});
  waiting_bytes_ += size;
  command.reply->mark_begun();
  if (command.reply->answered()) open_.erase(decided.id); // acks=0: nobody waits
  auto& counters = *env_->counters;
  counters.batches_in.fetch_add(1, std::memory_order_relaxed);
  counters.bytes_in.fetch_add(size, std::memory_order_relaxed);
  counters.records_in.fetch_add(records, std::memory_order_relaxed);
}

void partition_state::perform(answer_produce& answer) {
  auto found = open_.find(answer.id);
  PESSOA_ASSERT(found != open_.end(), answer.id);
  auto& command = std::get<ptr<produce_command>>(found->second.command);
  auto& counters = *env_->counters;
  if (!answer.outcome)
    counters.produce_errors.fetch_add(1, std::memory_order_relaxed);
  else if (answer.outcome->duplicate)
    counters.duplicates.fetch_add(1, std::memory_order_relaxed);
  // With acks=0 the answer may come before the batch is handed on: then append_batch closes the request.
  bool still_needed = command->level == acks::none && answer.outcome && !answer.outcome->duplicate
                      && command->batch != nullptr;
  command->reply->answer(std::move(answer.outcome));
  if (!still_needed) open_.erase(found);
}

void partition_state::perform(read_log& read) {
  auto found = open_.find(read.id);
  PESSOA_ASSERT(found != open_.end(), read.id);
  auto command = std::get<ptr<fetch_command>>(found->second.command);
  open_.erase(found);
  if (read.bytes_max == 0 && !command->whole_batch)
    return command->reply->answer(fetched{{}, read.from, read.high_watermark, read.log_start, {}});
  std::shared_ptr<void> charge;
  if (command->reserve && !(charge = command->reserve(read.bytes_max))) {
    env_->counters->fetch_errors.fetch_add(1, std::memory_order_relaxed);
    return command->reply->answer(
        error{ec::overloaded, "answers that are not sent yet fill the memory for requests"});
  }
  used_since_upkeep_ = files_open_ = true;
  env_->reads->post([log = log_, command, read, charge = std::move(charge), counters = env_->counters] {
    auto data = log->read(read.from, read.limit, read.bytes_max);
    if (!data) {
      counters->fetch_errors.fetch_add(1, std::memory_order_relaxed);
      return command->reply->answer(data.error());
    }
    if (data->data.size() > read.bytes_max && !command->whole_batch)
      return command->reply->answer(fetched{{}, read.from, read.high_watermark, read.log_start, {}});
    counters->bytes_out.fetch_add(data->data.size(), std::memory_order_relaxed);
    command->reply->answer(fetched{data->data, data->next, read.high_watermark, read.log_start, charge});
  });
}

void partition_state::perform(answer_fetch& answer) {
  auto found = open_.find(answer.id);
  PESSOA_ASSERT(found != open_.end(), answer.id);
  auto command = std::get<ptr<fetch_command>>(found->second.command);
  open_.erase(found);
  if (!answer.outcome) {
    env_->counters->fetch_errors.fetch_add(1, std::memory_order_relaxed);
    return command->reply->answer(answer.outcome.error());
  }
  command->reply->answer(
      fetched{{}, command->from, answer.outcome->high_watermark, answer.outcome->log_start, {}});
}

// -- the log: one job at a time ---

void partition_state::next_job() {
  if ((committing_ && !PESSOA_PLANT("two_commits_in_flight")) || upkeep_running_) return;
  if (new_config_) log_->apply(env_->logs.with(*std::exchange(new_config_, std::nullopt)));
  if (!PESSOA_PLANT("writes_go_first") || waiting_.empty()) {
    if (!log_->failed()) delete_waiting();
    if (!upkeep_running_ && std::exchange(upkeep_due_, false)) look_after();
  }
  if (!upkeep_running_) write_waiting();
}

void partition_state::write_waiting() {
  if (waiting_.empty()) return;
  committing_ = true;
  used_since_upkeep_ = files_open_ = true;
  auto size = std::exchange(waiting_bytes_, 0);
  env_->commits->commit(
      log_, std::exchange(waiting_, {}),
      [me = partition_actor{self}, size](persistence::commit_outcome outcome) {
        caf::anon_send(me, std::make_shared<commit_done>(commit_done{std::move(outcome), size}));
      });
}

void partition_state::commit_finished(const commit_done& done) {
  committing_ = false;
  auto& outcome = done.outcome;
  // A stale generation speaks of a log that was truncated since (failures R25).
  if (outcome.generation != log_->generation()) return carry_out({});
  if (outcome.durable_end) return carry_out(leader_->committed(*outcome.durable_end));
  if (PESSOA_PLANT("ignore_failed_append")) return carry_out(leader_->committed(leader_->log_end()));
  auto why = outcome.durable_end.error();
  // What was decided behind the failed write was never handed over.
  if (!PESSOA_PLANT("write_behind_a_refusal")) waiting_.clear();
  waiting_bytes_ = 0;
  if (why.code == ec::disk_full && !log_->failed())
    return carry_out(leader_->refused(why, log_->log_end(), log_->producers()));
  log_failed(why);
}

void partition_state::log_failed(const error& why) {
  env_->log->fail("partition", to_string(leader_->key()) + " is offline: " + to_string(why));
  for (auto& command : std::exchange(waiting_deletes_, {}))
    command->reply->answer(why);
  carry_out(leader_->failed(why));
  caf::anon_send(replica_, std::make_shared<epoch_failed>(epoch_failed{why}));
}

// -- upkeep ---

void partition_state::upkeep() {
  upkeep_due_ = true;
  carry_out(leader_->tick(env_->time->now(), env_->time->wall()));
}

void partition_state::look_after() {
  auto start =
      log_->failed() ? std::nullopt : log_->retention_start(env_->time->wall(), leader_->high_watermark());
  if (start) return move_start(*start, nullptr);
  // An idle log holds no open file, and is not asked again to close what is closed.
  if (std::exchange(used_since_upkeep_, false) || !std::exchange(files_open_, false)) return;
  run_upkeep([log = log_]() -> result<uint64_t> { return log->release_files(), uint64_t{0}; }, nullptr);
}

void partition_state::delete_records(const ptr<delete_records_command>& command) {
  constexpr size_t waiting_max = 1000;
  auto before = command->before;
  if (before < offset{-1} || before > leader_->high_watermark()) {
    std::ostringstream text;
    text << "offset " << before << " is not between 0 and the high watermark " << leader_->high_watermark();
    return command->reply->answer(error{ec::offset_out_of_range, text.str()});
  }
  if (auto failed = log_->failed()) return command->reply->answer(*failed);
  if (waiting_deletes_.size() >= waiting_max)
    return command->reply->answer(
        error{ec::overloaded, "too many deletions of records wait for this partition"});
  waiting_deletes_.push_back(command);
  next_job();
}

void partition_state::delete_waiting() {
  while (!upkeep_running_ && !waiting_deletes_.empty()) {
    auto command = std::move(waiting_deletes_.front());
    waiting_deletes_.pop_front();
    auto before = command->before == offset{-1} ? leader_->high_watermark() : command->before;
    // What the log says is durable; the leader's start may be ahead of it.
    if (before <= log_->log_start())
      command->reply->answer(log_->log_start());
    else
      move_start(before, command->reply);
  }
}

void partition_state::move_start(offset before, responder_ptr<offset> reply) {
  upkeep_running_ = true;
  used_since_upkeep_ = files_open_ = true; // a new segment may be opened
  // The log moves first, durably: a start that was told to anybody must not go back when the node dies. Until the leader
  // hears of it, what reads below is refused by the log itself.
  if (PESSOA_PLANT("tell_the_start_early")) carry_out(leader_->start_moved(before));
  run_upkeep([log = log_, before] { return log->remove_before(before); }, std::move(reply));
}

void partition_state::run_upkeep(std::function<result<uint64_t>()> job, responder_ptr<offset> reply) {
  upkeep_running_ = true;
  env_->reads->post([job = std::move(job), reply = std::move(reply), me = partition_actor{self}]() mutable {
    auto freed = job();
    job = nullptr; // the loan ends before anybody hears of it
    caf::anon_send(me, std::make_shared<upkeep_done>(upkeep_done{std::move(freed), std::move(reply)}));
  });
}

void partition_state::upkeep_finished(const upkeep_done& done) {
  upkeep_running_ = false;
  // Also when it failed halfway: below the log's start there is nothing to read, and who asks must hear where it begins.
  if (done.freed_bytes || !PESSOA_PLANT("start_not_told_after_failure"))
    perform(leader_->start_moved(log_->log_start()));
  if (!done.freed_bytes) {
    auto& why = done.freed_bytes.error();
    if (done.reply) done.reply->answer(why);
    // A full disk is no broken disk: the next upkeep tries again.
    if (why.code != ec::disk_full || log_->failed()) return log_failed(why);
    env_->log->warn("partition",
                    to_string(leader_->key()) + ": the log start cannot be moved: " + to_string(why));
    return carry_out({});
  }
  if (*done.freed_bytes > 0 && !done.reply) PESSOA_PROBE("segment_removed_by_retention");
  if (*done.freed_bytes > 0 && done.reply) PESSOA_PROBE("segment_removed_by_request");
  env_->counters->retention_bytes.fetch_add(*done.freed_bytes, std::memory_order_relaxed);
  if (done.reply) done.reply->answer(log_->log_start());
  carry_out({});
}

// -- time and end ---

void partition_state::tick() {
  // They arrive in the order of their times. One that comes for a deadline that has passed asks for no other while a
  // later one is on its way: else every early deadline would leave one more clock ticking.
  if (!ticks_.empty() && !PESSOA_PLANT("tick_still_awaited")) ticks_.erase(ticks_.begin());
  carry_out(leader_->tick(env_->time->now(), env_->time->wall()));
}

void partition_state::schedule_tick() {
  auto due = leader_->next_deadline();
  if (!due || (!ticks_.empty() && *ticks_.begin() <= *due)) return;
  ticks_.insert(*due);
  auto now = env_->time->now();
  if (PESSOA_PLANT("wall_clock_for_timeout"))
    now = instant{} + std::chrono::milliseconds{env_->time->wall().value()};
  self->delayed_send(self, *due > now ? *due - now : duration{0}, tick_atom::value);
}

void partition_state::retire() {
  perform(leader_->end());
  self->quit();
}

} // namespace pessoa::actors
