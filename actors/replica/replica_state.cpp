#include "actors/replica/replica_state.hpp"

#include "actors/partition/partition.hpp"
#include "actors/type_ids.hpp"
#include "schema/plants.hpp"

#include <caf/send.hpp>

namespace pessoa::actors {

void replica_state::start(environment* env, broker_actor broker,
                          std::unique_ptr<persistence::partition_log> log, topic_config config) {
  PESSOA_ASSERT(log != nullptr);
  env_ = env;
  broker_ = std::move(broker);
  key_ = log->key();
  log_ = std::move(log);
  config_ = std::move(config);
  env_->counters->replicas_open.fetch_add(1, std::memory_order_relaxed);
  // Recovery found a loss: nobody leads with a log of which acknowledged records are missing.
  if (auto why = log_->failed(); why && !PESSOA_PLANT("lead_a_log_with_loss")) failed(*why);
}

void replica_state::lead(leader_epoch epoch) {
  // An epoch is served once: a late or repeated word about it changes nothing.
  if (epoch <= led_epoch_ || (wanted_epoch_ && epoch <= *wanted_epoch_)) return;
  wanted_epoch_ = epoch;
  next_step();
}

void replica_state::next_step() {
  if (log_ == nullptr) {
    // Lent: ask for it. When it is back, log_back() goes on here.
    if (partition_ != nullptr && (wanted_epoch_ || stopping_)) {
      self->send(partition_, retire_atom::value);
      partition_ = nullptr;
    }
    return;
  }
  if (stopping_) return close();
  if (!wanted_epoch_ || failure_) return;
  led_epoch_ = *wanted_epoch_;
  wanted_epoch_.reset();
  partition_options options{env_, replica_actor{self}, lend(std::move(log_), replica_actor{self}), led_epoch_,
                            config_};
  partition_ = self->spawn(partition, std::move(options));
  self->send(broker_, std::make_shared<partition_leading>(partition_leading{key_, led_epoch_, partition_}));
}

void replica_state::log_back(log_returned& message) {
  PESSOA_ASSERT(log_ == nullptr && message.log != nullptr);
  log_ = std::move(message.log);
  log_->apply(env_->logs.with(config_)); // they may have changed while nobody was there to hear
  partition_ = nullptr;
  next_step();
}

void replica_state::failed(const error& why) {
  if (!failure_) {
    failure_ = why;
    env_->counters->replicas_offline.fetch_add(1, std::memory_order_relaxed);
  }
  self->send(broker_, std::make_shared<replica_failed>(replica_failed{key_, why}));
}

void replica_state::status(const ptr<status_query>& query) {
  if (partition_ != nullptr) return static_cast<void>(self->send(partition_, query));
  partition_status status;
  status.key = key_;
  status.epoch = led_epoch_;
  if (log_ != nullptr) {
    status.log_start = log_->log_start();
    status.log_end = log_->log_end();
    status.bytes = log_->size_bytes();
    status.segments = log_->segment_count();
    status.failed = log_->failed();
  }
  query->reply->answer(std::move(status));
}

void replica_state::apply(const topic_config& config) {
  config_ = config;
  if (partition_ != nullptr)
    self->send(partition_, std::make_shared<settings_change>(settings_change{config}));
  else if (log_ != nullptr)
    log_->apply(env_->logs.with(config));
}

void replica_state::upkeep() {
  if (partition_ != nullptr) self->send(partition_, upkeep_atom::value);
}

void replica_state::stop(const ptr<replica_stop>& command) {
  PESSOA_ASSERT(!stopping_, to_string(key_)); // a second answer would come before the first is true
  stopping_ = command;
  next_step();
}

void replica_state::close() {
  auto remove = stopping_->remove;
  auto reply = stopping_->reply;
  // The job owns the log: closing and unlinking are file work.
  std::shared_ptr<persistence::partition_log> log = std::move(log_);
  env_->reads->post(
      [env = env_, log = std::move(log), key = key_, remove, reply, me = replica_actor{self}]() mutable {
        auto close_log = [&]() -> result<void> {
          auto detached = env->commits->detach(*log);
          if (!remove) {
            if (auto why = log->failed()) return *why; // no clean stop: the next start looks at everything
            PESSOA_CHECK(detached);
            PESSOA_CHECK(log->checkpoint());
          }
          log.reset();
          if (remove) PESSOA_CHECK(env->delete_partition(key));
          return {};
        };
        auto outcome = close_log();
        log.reset();
        caf::anon_send(me, std::make_shared<replica_closed>(replica_closed{std::move(outcome), reply}));
      });
}

void replica_state::closed(const replica_closed& message) {
  env_->counters->replicas_open.fetch_sub(1, std::memory_order_relaxed);
  if (failure_) env_->counters->replicas_offline.fetch_sub(1, std::memory_order_relaxed);
  if (!message.outcome)
    env_->log->warn("replica", "closing " + to_string(key_) + ": " + to_string(message.outcome.error()));
  if (message.reply) {
    if (message.outcome)
      message.reply->answer(key_);
    else
      message.reply->answer(message.outcome.error());
  }
  self->quit();
}

} // namespace pessoa::actors
