#include "client/rpc/engine.hpp"

#include "client/rpc/wire_words.hpp"
#include "schema/plants.hpp"

#include <algorithm>

namespace pessoa::client {

engine::engine(environment env, client_config config)
    : env_(env), config_(std::move(config)), backoff_{config_.backoff, config_.backoff_max},
      refresh_alarm_(*env.loop, *env.time, [this] { ask_metadata(); }),
      redial_alarm_(*env.loop, *env.time, [this] { tell_parts(); }),
      tasks_(std::make_unique<kj::TaskSet>(static_cast<kj::TaskSet::ErrorHandler&>(*this))) {
  if (auto raw = parse_uuid(config_.cluster)) cluster_ = cluster_id{*raw};
}

engine::~engine() noexcept(false) = default;

void engine::taskFailed(kj::Exception&&) {} // what matters was turned into an error before it came here

// -- life ---

void engine::start(std::function<void(result<void>)> done) {
  if (!config_.cluster.empty() && cluster_.is_nil()) {
    done({ec::invalid_config, "cluster.id '" + config_.cluster + "' is not a cluster's id"});
    return;
  }
  for (auto& address : config_.bootstrap)
    if (auto parsed = parse_host_port(address); !parsed.ok()) {
      done(error{ec::invalid_config, "bootstrap.servers: " + parsed.error().message});
      return;
    }
  try_start(std::make_shared<std::function<void(result<void>)>>(std::move(done)),
            now() + config_.bootstrap_wait, 1);
}

void engine::try_start(std::shared_ptr<std::function<void(result<void>)>> done, instant deadline,
                       uint32_t attempt) {
  run(control_link().then([this, done, deadline, attempt](got_link got) {
    if (got.ok()) {
      cluster_ = (*got)->cluster();
      cache_.at_least((*got)->index());
      refresh();
      (*done)({});
      return;
    }
    auto& e = got.error();
    bool passing = e.category == error_category::refresh || e.category == error_category::retriable;
    if (!passing || stopped_ || now() >= deadline) {
      (*done)(e);
      return;
    }
    run(pause(attempt).then([this, done, deadline, attempt] { try_start(done, deadline, attempt + 1); }));
  }));
}

void engine::stop() {
  if (stopped_) return;
  stopped_ = true;
  error why{ec::shutting_down, "the cluster's connection was closed"};
  why.category = error_category::fatal;
  auto parts = std::move(parts_);
  parts_.clear();
  for (auto& part : parts)
    part->end(why);
  tell_control_waiters(why);
  if (control_) control_->kill(why);
  control_ = nullptr;
  for (auto& entry : slots_)
    if (entry.second.current) entry.second.current->kill(why);
  slots_.clear();
  refresh_alarm_.stop();
  redial_alarm_.stop();
}

void engine::add(std::shared_ptr<engine_part> part) { parts_.push_back(std::move(part)); }
void engine::remove(const engine_part* part) {
  std::erase_if(parts_, [&](const auto& p) { return p.get() == part; });
}

std::optional<std::string> engine::check_invariants() const {
  for (auto& part : parts_)
    if (auto broken = part->check_invariants()) return broken;
  return std::nullopt;
}

void engine::tell_parts() {
  if (telling_ || stopped_) return;
  telling_ = true;
  // Later: whoever caused the change may be in the middle of something.
  run(kj::evalLater([this] {
    telling_ = false;
    auto waiters = kj::mv(change_waiters_);
    change_waiters_.clear();
    for (auto& waiter : waiters)
      waiter->fulfill();
    auto parts = parts_;
    for (auto& part : parts)
      part->look_again();
  }));
}

kj::Promise<void> engine::pause(uint32_t failures) {
  auto wait = backoff_.pause(std::max(failures, 1u), random());
  return loop().timer().afterDelay(wait.count() * kj::NANOSECONDS);
}

kj::Promise<void> engine::change_or_pause(uint32_t failures) {
  // Those whose pause was over before anything changed.
  std::erase_if(change_waiters_, [](auto& waiter) { return !waiter->isWaiting(); });
  auto pair = kj::newPromiseAndFulfiller<void>();
  change_waiters_.push_back(kj::mv(pair.fulfiller));
  return pair.promise.exclusiveJoin(pause(failures));
}

// -- the control link ---

std::shared_ptr<link> engine::control() const { return control_ && control_->ready() ? control_ : nullptr; }

link_settings engine::settings_for_link() const {
  return {config_.client_id, cluster_, config_.connect_timeout};
}

// First where it worked last, then what the user named, then what the cluster told.
std::vector<std::string> engine::control_addresses() const {
  std::vector<std::string> all;
  auto add = [&](const std::string& address) {
    if (!address.empty() && std::find(all.begin(), all.end(), address) == all.end()) all.push_back(address);
  };
  add(last_good_);
  for (auto& address : config_.bootstrap)
    add(address);
  for (auto& entry : cache_.nodes())
    add(entry.second.rpc);
  return all;
}

kj::Promise<engine::got_link> engine::control_link() {
  if (stopped_) return got_link{ec::shutting_down, "the cluster's connection was closed"};
  if (auto ready = control()) return got_link{ready};
  auto pair = kj::newPromiseAndFulfiller<got_link>();
  control_waiters_.push_back(kj::mv(pair.fulfiller));
  if (!control_) {
    round_ = control_addresses();
    std::reverse(round_.begin(), round_.end());
    round_causes_.clear();
    hard_refusal_.reset();
    dial_next_control();
  }
  return kj::mv(pair.promise);
}

engine::got_link engine::still_ready(got_link told) {
  if (!told.ok() || (*told)->ready() || PESSOA_PLANT("ask_over_an_ended_link")) return told;
  auto why = (*told)->failure().value_or(error{ec::disconnected, "the connection has ended"});
  why.category = error_category::refresh;
  return why;
}

void engine::dial_next_control() {
  while (!round_.empty()) {
    auto address = parse_host_port(round_.back());
    round_.pop_back();
    if (!address.ok()) {
      round_causes_.add(error{address.error()});
      continue;
    }
    control_ = link::open(loop(), *address, link_role::control, settings_for_link());
    control_->on_change([this, at = std::weak_ptr<link>(control_)] {
      if (auto changed = at.lock()) control_changed(changed);
    });
    return;
  }
  error why{ec::disconnected, "no node could be reached"};
  why.category = error_category::refresh;
  if (hard_refusal_) why = *hard_refusal_;
  why.last_causes = round_causes_.list();
  if (why.last_causes.size() == 1) {
    if (!hard_refusal_) why.message = why.last_causes.front().substr(why.last_causes.front().find(": ") + 2);
    why.last_causes.clear();
  }
  tell_control_waiters(why);
}

void engine::control_changed(const std::shared_ptr<link>& l) {
  if (l != control_ || stopped_) return;
  if (l->ready()) {
    last_good_ = l->address();
    tell_control_waiters(l);
    tell_parts();
    return;
  }
  auto& why = *l->failure();
  bool was_dialling = !control_waiters_.empty();
  control_ = nullptr;
  round_causes_.add(why);
  if (why.category == error_category::environment || why.category == error_category::request
      || why.category == error_category::fatal)
    hard_refusal_ = why;
  if (was_dialling)
    dial_next_control();
  else
    refresh(); // it was ready and broke: come back before somebody asks
}

void engine::tell_control_waiters(const got_link& got) {
  auto waiters = kj::mv(control_waiters_);
  control_waiters_.clear();
  for (auto& waiter : waiters)
    waiter->fulfill(got_link{got});
}

error engine::why_thrown(link& at, const kj::Exception& e) {
  if (at.failure()) {
    auto why = *at.failure();
    if (why.category == error_category::refresh)
      why.category = error_category::unknown; // this call was under way
    return why;
  }
  return read_exception(e, at.address());
}

std::optional<error> engine::judge_question(bool always, const error& e, const std::string& what,
                                            uint32_t attempts, cause_list& causes, instant deadline) const {
  if (stopped_ || e.code == ec::shutting_down) {
    if (stopped_) return error{ec::shutting_down, what + ": the cluster's connection was closed"};
  }
  causes.add(e);
  auto step = judge(e);
  // What the question itself is about is an answer, not a reason to ask again.
  bool about_it =
      e.code == ec::unknown_topic || e.code == ec::unknown_topic_id || e.code == ec::unknown_partition;
  if (step == next_step::give_up || step == next_step::end || about_it) return e;
  if (step == next_step::doubt && !always) {
    error why{ec::unknown_result, what + " may have been carried out: " + e.message};
    why.attempts = attempts;
    return why;
  }
  if (now() < deadline) return std::nullopt;
  error why{ec::timed_out, what + " was not answered in time"};
  why.attempts = attempts;
  why.last_causes = causes.list();
  return why;
}

// -- leaders ---

result<std::shared_ptr<link>> engine::leader(link_role role, const known_topic& topic, int32_t partition) {
  if (stopped_) return {ec::shutting_down, "the cluster's connection was closed"};
  auto name = to_string(topic_partition{topic.info.name, partition});
  if (partition < 0 || static_cast<size_t>(partition) >= topic.info.partitions.size())
    return {ec::unknown_partition, "there is no partition " + name};
  auto id = topic.info.partitions[static_cast<size_t>(partition)].leader;
  if (id < 0) {
    refresh();
    return {ec::leader_not_available, name + " has no leader"};
  }
  // A node that serves us is reachable where we reach it, whatever it says of its address.
  std::string address;
  if (auto* node = cache_.node(id)) address = node->rpc;
  if (auto at = control(); at && at->node() == id) address = at->address();
  if (address.empty()) {
    refresh();
    return {ec::leader_not_available,
            "node " + std::to_string(id) + ", which leads " + name + ", has no known address"};
  }
  auto& place = slots_[{role, id}];
  if (place.current && place.current->ready()) return place.current;
  auto waiting = [&] {
    error why{ec::leader_not_available, "not connected to node " + std::to_string(id) + " (" + address + ")"};
    if (place.last_failure) why.message = place.last_failure->message;
    return why;
  };
  if (place.current && place.current->state() == link::phase::dialling) return waiting();
  if (now() < place.not_before && place.address == address) {
    redial_alarm_.set(place.not_before);
    return waiting();
  }
  auto parsed = parse_host_port(address);
  if (!parsed.ok())
    return {ec::leader_not_available, "node " + std::to_string(id) + ": " + parsed.error().message};
  place.address = address;
  place.current = link::open(loop(), *parsed, role, settings_for_link());
  place.current->on_change([this, role, id, at = std::weak_ptr<link>(place.current)] {
    auto changed = at.lock();
    auto& here = slots_[{role, id}];
    if (!changed || changed != here.current || stopped_) return;
    if (changed->ready()) {
      here.failures = 0;
      here.last_failure.reset();
    } else {
      here.last_failure = changed->failure();
      here.current = nullptr;
      here.not_before = now() + backoff_.pause(++here.failures, random());
      refresh(); // the leader may be somewhere else by now
    }
    tell_parts();
  });
  return waiting();
}

// -- metadata ---

void engine::follow(const std::string& topic) {
  if (followed_.insert(topic).second) refresh(true);
}

void engine::follow_to_write(const std::string& topic) {
  if (cache_.topic(topic) != nullptr) return follow(topic);
  if (!PESSOA_PLANT("old_word_on_a_topic"))
    cache_.forget_missing(topic); // what is asked now is answered anew
  followed_.insert(topic);
  if (to_create_.insert(topic).second) refresh(true);
}

void engine::refresh(bool at_once) {
  if (stopped_) return;
  if (refreshing_) {
    (at_once ? refresh_at_once_ : refresh_again_) = true;
    return;
  }
  auto at = now();
  if (!at_once && last_refresh_ != instant{})
    at = std::max(at, last_refresh_ + backoff_.pause(std::max(refresh_failures_, 1u), random()));
  refresh_alarm_.set(at);
}

void engine::ask_metadata() {
  if (stopped_ || refreshing_) return;
  refreshing_ = true;
  refresh_again_ = refresh_at_once_ = false;
  last_refresh_ = now();
  metadata_question q;
  q.create = !to_create_.empty();
  auto& names = q.create ? to_create_ : followed_;
  q.names.assign(names.begin(), names.end());
  auto call = control_link().then([this, q](got_link told) -> kj::Promise<result<metadata_answer>> {
    auto got = still_ready(std::move(told));
    if (!got.ok()) return result<metadata_answer>{got.error()};
    return guarded<metadata_answer>(*got, metadata_call(**got, q));
  });
  run(call.then([this, q](result<metadata_answer> answer) { metadata_answered(q, answer); }));
}

kj::Promise<result<metadata_answer>> engine::metadata_call(link& at, const metadata_question& q) {
  auto asked = at.session().metadataRequest();
  auto request = asked.initRequest();
  auto list = request.initTopics(static_cast<capnp::uint>(q.names.size()));
  capnp::uint index = 0;
  for (auto& name : q.names)
    list.set(index++, text(name));
  request.setAll(q.all);
  request.setCreate(q.create);
  request.setAtLeast(cache_.index().value());
  request.setTimeoutMs(static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(config_.request_timeout / 2).count()));
  return asked.send().then(
      [all = q.all](capnp::Response<wire::Session::MetadataResults>&& answer) -> result<metadata_answer> {
        if (answer.hasError()) return error_of(answer.getError());
        return read_metadata(answer.getMetadata(), all);
      });
}

metadata_cache::verdict engine::take(const metadata_question& q, const metadata_answer& answer) {
  auto verdict = cache_.apply(answer);
  if (verdict != metadata_cache::verdict::taken) return verdict;
  for (auto at = to_create_.begin(); at != to_create_.end();) {
    // That a topic is missing means nothing to its writer before a node was asked to create it.
    if (!q.create) cache_.forget_missing(*at);
    if (cache_.topic(*at) || cache_.missing(*at))
      at = to_create_.erase(at);
    else
      ++at;
  }
  return verdict;
}

kj::Promise<result<metadata_answer>> engine::ask_metadata_of(metadata_question q) {
  return ask<metadata_answer>("asking for metadata", repeat::always, [this, q = std::move(q)](link& at) {
    return metadata_call(at, q).then([this, q](result<metadata_answer> answer) -> result<metadata_answer> {
      if (answer.ok() && take(q, *answer) == metadata_cache::verdict::too_old)
        return {ec::overloaded, "the node answered with metadata older than already known"};
      // A topic that could not be created for a passing reason: asked again.
      if (answer.ok() && q.create)
        for (auto& entry : answer->missing)
          if (entry.second.category == error_category::retriable) return entry.second;
      return answer;
    });
  });
}

kj::Promise<result<known_topic>> engine::topic(const std::string& name, purpose why) {
  metadata_question q;
  q.names.push_back(name);
  q.create = why == purpose::write;
  return ask_metadata_of(std::move(q)).then([name](result<metadata_answer> answer) -> result<known_topic> {
    PESSOA_TRY(auto found, answer);
    for (auto& topic : found.topics)
      if (topic.info.name == name) return topic;
    for (auto& entry : found.missing)
      if (entry.first == name) return entry.second;
    return {ec::malformed_message, "the node said nothing of topic " + name};
  });
}

kj::Promise<result<std::vector<known_topic>>> engine::all_topics() {
  metadata_question q;
  q.all = true;
  return ask_metadata_of(std::move(q))
      .then([](result<metadata_answer> answer) -> result<std::vector<known_topic>> {
        PESSOA_TRY(auto found, answer);
        std::sort(found.topics.begin(), found.topics.end(),
                  [](const auto& a, const auto& b) { return a.info.name < b.info.name; });
        return std::move(found.topics);
      });
}

void engine::metadata_answered(const metadata_question& q, const result<metadata_answer>& answer) {
  refreshing_ = false;
  if (stopped_) return;
  bool taken = answer.ok() && take(q, *answer) == metadata_cache::verdict::taken;
  bool settled = taken; // every partition we follow has a leader
  bool others = false;  // followed, and not asked for this time
  if (taken) {
    metadata_trouble_.reset();
    for (auto& topic : answer->topics)
      for (auto& partition : topic.info.partitions)
        settled = settled && partition.leader >= 0;
    for (auto& entry : answer->missing) {
      if (cache_.missing(entry.first)) followed_.erase(entry.first); // whoever wants it again says so
      if (to_create_.count(entry.first) > 0) metadata_trouble_ = entry.second;
    }
    if (!to_create_.empty() && q.create) settled = false;
    for (auto& name : followed_)
      others = others || (q.create && std::find(q.names.begin(), q.names.end(), name) == q.names.end());
  } else {
    metadata_trouble_ = answer.ok()
                            ? error{ec::overloaded, "a node answered with metadata older than already known"}
                            : answer.error();
  }
  refresh_failures_ = settled ? 0 : refresh_failures_ + 1;
  tell_parts();
  if (!taken || (q.create && !to_create_.empty()))
    refresh();
  else if (refresh_at_once_ || others || !to_create_.empty())
    refresh(true);
  else if (refresh_again_)
    refresh();
  else
    refresh_alarm_.set(now() + config_.metadata_max_age);
}

} // namespace pessoa::client
