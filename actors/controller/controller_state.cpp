#include "actors/controller/controller_state.hpp"

#include "actors/type_ids.hpp"
#include "schema/plants.hpp"

#include <caf/send.hpp>

namespace pessoa::actors {

void controller_state::start(environment* env, metadata_log opened, cluster_created first) {
  env_ = env;
  log_ = std::move(opened.log);
  history_ = std::move(opened.history);
  // The epoch of the one voter: each life of the process is a new one.
  epoch_ = leader_epoch{std::max(log_->last_epoch().value(), -1) + 1};
  metadata_index index{0};
  for (auto& record : history_) {
    if (auto applied = image_.apply(record, index); !applied)
      return env_->fatal("metadata record " + std::to_string(index.value()) + ": "
                         + to_string(applied.error()));
    ++index;
  }
  first_ = std::move(first);
  if (history_.empty()) begin_cluster();
}

// Nothing may be committed before the record that says which cluster this is.
void controller_state::begin_cluster() { propose({first_}); }

void controller_state::subscribe(const broker_actor& broker) {
  brokers_.push_back(broker);
  if (history_.empty()) return; // it hears the first record when it is committed
  self->send(broker, std::make_shared<metadata_committed>(metadata_committed{history_, image_.last()}));
}

void controller_state::next() {
  if (history_.empty() && !proposed_ && !waiting_.empty()) return begin_cluster();
  while (!proposed_ && !waiting_.empty()) {
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    auto decided = decide(next);
    if (!decided) continue;
    current_ = std::move(next);
    propose(std::move(*decided));
  }
  if (stopping_ && !proposed_ && waiting_.empty()) close();
}

template <class Reply>
std::optional<controller_state::records> controller_state::checked(result<records> decided,
                                                                   const responder_ptr<Reply>& reply) {
  if (!decided) {
    reply->answer(decided.error());
    return std::nullopt;
  }
  return std::move(*decided);
}

std::optional<error> controller_state::refused(const command& next) const {
  bool grows = std::holds_alternative<ptr<create_topic_command>>(next)
               || std::holds_alternative<ptr<allocate_producer_ids_command>>(next);
  if (auto* m = std::get_if<ptr<alter_topic_command>>(&next)) grows = (*m)->request.partitions != -1;
  return grows ? env_->commits->refusing() : std::nullopt;
}

std::optional<controller_state::records> controller_state::decide(command& next) {
  if (auto why = refused(next)) {
    std::visit([&](auto& m) { m->reply->answer(*why); }, next);
    return std::nullopt;
  }
  if (auto* m = std::get_if<ptr<create_topic_command>>(&next)) return decide_creation(**m);
  if (auto* m = std::get_if<ptr<alter_topic_command>>(&next))
    return checked(protocol::alter_topic((*m)->request, image_), (*m)->reply);
  if (auto* m = std::get_if<ptr<delete_topic_command>>(&next))
    return checked((*m)->id ? protocol::delete_topic(*(*m)->id, image_)
                            : protocol::delete_topic((*m)->name, image_),
                   (*m)->reply);
  if (auto* m = std::get_if<ptr<register_node_command>>(&next))
    return checked(protocol::register_node((*m)->registration, image_), (*m)->reply);
  auto& allocate = std::get<ptr<allocate_producer_ids_command>>(next);
  block_ = protocol::next_producer_ids(image_);
  return checked(protocol::allocate_producer_ids(env_->self, image_), allocate->reply);
}

std::optional<controller_state::records> controller_state::decide_creation(create_topic_command& command) {
  auto decided = checked(protocol::create_topic(command.request, image_, *env_->random), command.reply);
  if (!decided || !command.request.validate_only) return decided;
  command.reply->answer(committed_change{image_.last(), std::nullopt}); // it could be done, and is not
  return std::nullopt;
}

void controller_state::propose(records proposal) {
  if (proposal.empty()) { // nothing changes: it is true already
    answer_committed(proposal, image_.last());
    return;
  }
  auto frame = encode_proposal(proposal, log_->log_end(), epoch_, env_->time->wall());
  proposed_ = std::move(proposal);
  env_->commits->commit(
      log_, {std::move(frame)}, [me = controller_actor{self}](persistence::commit_outcome outcome) {
        caf::anon_send(me, std::make_shared<metadata_commit_done>(metadata_commit_done{std::move(outcome)}));
      });
}

void controller_state::commit_finished(const metadata_commit_done& done) {
  PESSOA_ASSERT(proposed_.has_value());
  auto committed = std::move(*proposed_);
  proposed_.reset();
  if (!done.outcome.durable_end) {
    auto& why = done.outcome.durable_end.error();
    if (why.code != ec::disk_full || log_->failed())
      return env_->fatal("the metadata log failed: " + to_string(why));
    if (PESSOA_PLANT("ignore_failed_metadata"))
      answer_committed(committed, image_.last());
    else
      answer_failed(why);
    // The cluster has not begun: who waits for it hears why, and the next command tries again.
    if (history_.empty())
      for (auto& command : std::exchange(waiting_, {}))
        std::visit([&](auto& m) { m->reply->answer(why); }, command);
    return next();
  }
  for (auto& record : committed)
    fold(record);
  PESSOA_ASSERT(image_.last().value() + 1 == done.outcome.durable_end->value(), image_.last(),
                *done.outcome.durable_end);
  for (auto& broker : brokers_)
    self->send(broker, std::make_shared<metadata_committed>(metadata_committed{committed, image_.last()}));
  answer_committed(committed, image_.last());
  next();
}

void controller_state::fold(const metadata_record& record) {
  metadata_index index{static_cast<int64_t>(history_.size())};
  if (auto applied = image_.apply(record, index); !applied)
    return env_->fatal("metadata record " + std::to_string(index.value()) + ": "
                       + to_string(applied.error()));
  history_.push_back(record);
}

void controller_state::answer_committed(const records& committed, metadata_index last) {
  auto asked = std::exchange(current_, std::nullopt);
  if (!asked) return;
  committed_change change{last, std::nullopt};
  for (auto& record : committed)
    if (auto* created = std::get_if<topic_created>(&record)) change.topic = created->topic;
  if (auto* m = std::get_if<ptr<allocate_producer_ids_command>>(&*asked)) return (*m)->reply->answer(block_);
  if (auto* m = std::get_if<ptr<create_topic_command>>(&*asked)) return (*m)->reply->answer(change);
  if (auto* m = std::get_if<ptr<alter_topic_command>>(&*asked)) return (*m)->reply->answer(change);
  if (auto* m = std::get_if<ptr<delete_topic_command>>(&*asked)) return (*m)->reply->answer(change);
  // The index of the registration itself is the incarnation; epochs raised behind it are the same proposal.
  auto& registered = std::get<ptr<register_node_command>>(*asked);
  change.index = last - static_cast<int64_t>(committed.size()) + 1;
  registered->reply->answer(change);
}

void controller_state::answer_failed(const error& why) {
  auto asked = std::exchange(current_, std::nullopt);
  if (asked) std::visit([&](auto& m) { m->reply->answer(why); }, *asked);
}

void controller_state::stop(const ptr<controller_stop>& command) {
  stopping_ = command;
  next();
}

void controller_state::close() {
  // The job owns the log: closing is file work.
  env_->reads->post([env = env_, log = std::move(log_), command = stopping_]() mutable {
    auto detached = env->commits->detach(*log);
    auto saved = log->checkpoint();
    log.reset();
    if (!detached) return command->reply->answer(detached.error());
    if (!saved) return command->reply->answer(saved.error());
    command->reply->answer(true);
  });
  self->quit();
}

} // namespace pessoa::actors
