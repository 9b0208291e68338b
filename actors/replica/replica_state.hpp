// The state behind the REPLICA role: who has the log now, and what must happen when it comes back.
//
// Life: idle (has the log) -> leading (the log is lent to a partition actor) -> idle -> ... -> closing -> gone.
// A new epoch, a stop or a removal that arrives while the log is lent retires the partition first and waits for the loan.
#pragma once

#include "actors/environment.hpp"
#include "actors/interfaces.hpp"
#include "actors/log_loan.hpp"

#include <optional>

namespace pessoa::actors {

struct replica_state {
  static inline const char* name = "replica";
  using pointer = replica_actor::stateful_pointer<replica_state>;

  explicit replica_state(pointer self_pointer) : self(self_pointer) {}

  void start(environment* env, broker_actor broker, std::unique_ptr<persistence::partition_log> log, topic_config config);
  void lead(leader_epoch epoch);
  void status(const ptr<status_query>& query);
  void apply(const topic_config& config);
  void upkeep();
  void stop(const ptr<replica_stop>& command);
  void log_back(log_returned& message);
  void failed(const error& why);
  void closed(const replica_closed& message);

private:
  void next_step();
  void close();

  pointer self;
  environment* env_ = nullptr;
  broker_actor broker_;
  partition_key key_;
  topic_config config_;
  std::unique_ptr<persistence::partition_log> log_; // null while lent
  partition_actor partition_;                       // null while nobody leads
  std::optional<leader_epoch> wanted_epoch_;
  leader_epoch led_epoch_ = no_epoch;
  ptr<replica_stop> stopping_;
  std::optional<error> failure_;
};

} // namespace pessoa::actors
