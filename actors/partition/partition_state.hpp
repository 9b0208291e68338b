// The state behind the PARTITION role: carries out what protocol::partition_leader decides on the borrowed log.
//
// Holds per open request its responder and, until it is handed to the commit service, its batch. One commit or one
// upkeep job at most is in flight, never both (a log has one writer). What waits for the writer goes in this order: new
// settings, DeleteRecords, upkeep, batches; so a partition that is never idle is still looked after.
#pragma once

#include "actors/environment.hpp"
#include "actors/interfaces.hpp"
#include "actors/log_loan.hpp"

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

namespace pessoa::actors {

struct partition_options {
  environment* env = nullptr;
  replica_actor replica;
  log_loan log;
  leader_epoch epoch{0};
  topic_config config;
};

struct partition_state {
  static inline const char* name = "partition";
  using pointer = partition_actor::stateful_pointer<partition_state>;

  explicit partition_state(pointer self_pointer) : self(self_pointer) {}

  void start(partition_options options);

  // -- requests ---
  void produce(const ptr<produce_command>& command);
  void fetch(const ptr<fetch_command>& command);
  void abandon(const ptr<fetch_command>& command);
  void query(const ptr<offset_query>& query);
  void query(const ptr<epoch_query>& query);
  void status(const ptr<status_query>& query);
  void delete_records(const ptr<delete_records_command>& command);
  void apply(const topic_config& config);
  void upkeep();
  void retire();

  // -- from the commit service and the pool ---
  void commit_finished(const commit_done& done);
  void upkeep_finished(const upkeep_done& done);
  void tick();

  // -- for who looks on, between two messages ---
  // The rules of the epoch; null before start().
  [[nodiscard]] const protocol::partition_leader* leader() const { return leader_ ? &*leader_ : nullptr; }
  // The first of the deletions of records that wait for the log; null: none does.
  [[nodiscard]] const delete_records_command* next_deletion() const {
    return waiting_deletes_.empty() ? nullptr : waiting_deletes_.front().get();
  }
  // Whether the log has failed, as far as this epoch goes.
  [[nodiscard]] bool log_failed() const { return log_->failed().has_value(); }
  // The first broken invariant in words, those of the rules included; nullopt when all hold. Requires: start().
  [[nodiscard]] std::optional<std::string> check_invariants() const;

private:
  struct open_request {
    std::variant<ptr<produce_command>, ptr<fetch_command>> command;
  };

  [[nodiscard]] std::vector<protocol::epoch_begin> lineage() const;
  void carry_out(protocol::effects effects);
  void perform(protocol::effects effects);
  void perform(protocol::append_batch& decided);
  void perform(protocol::answer_produce& answer);
  void perform(protocol::read_log& read);
  void perform(protocol::answer_fetch& answer);

  void next_job();
  void write_waiting();
  void delete_waiting();
  void look_after();
  void log_failed(const error& why);
  void move_start(offset before, responder_ptr<offset> reply);
  void run_upkeep(std::function<result<uint64_t>()> job, responder_ptr<offset> reply);
  void schedule_tick();

  pointer self;
  environment* env_ = nullptr;
  replica_actor replica_;
  log_loan log_;
  std::optional<protocol::partition_leader> leader_;

  protocol::request_id next_id_ = 1;
  std::map<protocol::request_id, open_request> open_;
  std::vector<persistence::frame_input> waiting_; // stamped, in order of offset
  size_t waiting_bytes_ = 0;
  bool committing_ = false;
  bool upkeep_running_ = false;
  std::deque<ptr<delete_records_command>> waiting_deletes_;
  std::optional<topic_config> new_config_; // for the log, which takes no settings beside a writer
  bool upkeep_due_ = false;
  bool used_since_upkeep_ = false;
  bool files_open_ = false; // as far as we know: then an idle upkeep closes them
  std::set<instant> ticks_; // on their way
};

} // namespace pessoa::actors
