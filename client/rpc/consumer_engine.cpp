#include "client/rpc/consumer_engine.hpp"

#include "client/rpc/wire_words.hpp"
#include "schema/wire/convert.hpp"

#include <algorithm>

namespace pessoa::client {

namespace {

constexpr duration answer_grace = std::chrono::seconds{1};

fetch_settings settings_for_plan(const client_config& c) {
  fetch_settings s;
  s.bytes_max = std::min(c.partition_fetch_bytes_max, c.fetch_ahead_bytes_max);
  s.ahead_bytes_max = c.fetch_ahead_bytes_max;
  s.wait = c.fetch_wait;
  s.reset = c.reset;
  s.backoff = {c.backoff, c.backoff_max};
  return s;
}

int32_t last_epoch_in(byte_view batches) {
  int32_t epoch = -1;
  while (!batches.empty()) {
    auto header = parse_batch_header(batches);
    if (!header.ok() || header->size() > batches.size()) break; // poll() will tell
    epoch = header->epoch.value();
    batches = batches.subspan(header->size());
  }
  return epoch;
}

uint32_t ms32(duration d) {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

} // namespace

kj::Promise<result<place_found>> offset_call(link& at, const topic_id& topic, int32_t partition,
                                             const place_to_find& place) {
  auto call = at.consumer().offsetRequest();
  auto request = call.initRequest();
  wire::write(topic, request.initTopic());
  request.setPartition(partition);
  auto where = request.getAt();
  if (std::holds_alternative<at_start>(place))
    where.setStart();
  else if (std::holds_alternative<at_end>(place))
    where.setEnd();
  else
    where.setTime(std::get<at_time>(place).ms);
  return call.send().then([](capnp::Response<wire::Consumer::OffsetResults>&& r) -> result<place_found> {
    if (r.hasError()) return error_of(r.getError());
    auto in = r.getResult();
    place_found out;
    if (in.getOffset() >= 0) out.offset = in.getOffset();
    out.log_end = in.getLogEnd();
    return out;
  });
}

consumer_engine::consumer_engine(std::shared_ptr<engine> cluster, client_config config)
    : cluster_(std::move(cluster)), config_(std::move(config)), plan_(settings_for_plan(config_)),
      alarm_(cluster_->loop(), cluster_->time(), [this] { pump(); }) {}

// -- the polling thread ---

void consumer_engine::assign(const std::vector<std::pair<topic_partition, topic_id>>& partitions) {
  {
    std::lock_guard lock{mutex_};
    plan_.assign(partitions);
  }
  wake();
}

std::vector<topic_partition> consumer_engine::assignment() const {
  std::lock_guard lock{mutex_};
  return plan_.assignment();
}

namespace {
error not_assigned(const topic_partition& at) {
  return {ec::invalid_argument, to_string(at) + " is not assigned to this consumer"};
}
} // namespace

result<void> consumer_engine::pause(const topic_partition& at, bool paused) {
  {
    std::lock_guard lock{mutex_};
    if (!plan_.assigned(at)) return not_assigned(at);
    if (paused && current_
        && current_->of().at == at) { // half read: the rest is fetched again when it is wanted
      bool wanted = plan_.generation(at) == current_->of().generation;
      plan_.release(current_->of());
      if (wanted) plan_.seek(at, current_->position());
      current_.reset();
    }
    plan_.pause(at, paused);
  }
  wake();
  return {};
}

result<void> consumer_engine::seek(const topic_partition& at, int64_t offset) {
  if (offset < 0) return {ec::invalid_argument, "offset " + std::to_string(offset) + " is below 0"};
  {
    std::lock_guard lock{mutex_};
    if (!plan_.assigned(at)) return not_assigned(at);
    plan_.seek(at, offset);
  }
  wake();
  return {};
}

result<void> consumer_engine::seek(const topic_partition& at, place_to_find place) {
  {
    std::lock_guard lock{mutex_};
    if (!plan_.assigned(at)) return not_assigned(at);
    plan_.seek(at, place);
  }
  wake();
  return {};
}

result<std::optional<int64_t>> consumer_engine::position(const topic_partition& at) const {
  std::lock_guard lock{mutex_};
  if (!plan_.assigned(at)) return not_assigned(at);
  return plan_.position(at);
}

std::vector<std::string> consumer_engine::troubles() const {
  std::lock_guard lock{mutex_};
  return plan_.troubles();
}

result<records> consumer_engine::take() {
  std::vector<received> entries;
  std::vector<std::shared_ptr<const void>> owners;
  std::optional<error> failure;
  bool released = false;
  while (entries.size() < config_.poll_records_max && !failure) {
    {
      std::lock_guard lock{mutex_};
      if (closed_) return *closed_;
      if (current_) {
        // A seek or another assignment since: the rest is not wanted any more.
        auto& of = current_->of();
        if (!plan_.assigned(of.at) || plan_.generation(of.at) != of.generation) {
          plan_.release(of);
          released = true;
          current_.reset();
        }
      }
      if (!current_) {
        auto next = plan_.take();
        if (!next) break;
        current_.emplace(std::move(*next));
      }
    }
    auto read = current_->read(config_.poll_records_max - entries.size(), entries, owners);
    std::lock_guard lock{mutex_};
    bool wanted = plan_.advance(current_->of(), current_->position());
    if (!read.ok()) {
      failure = read.error();
      if (wanted)
        plan_.seek(current_->of().at, current_->position()); // fetched anew: the node may have a good copy
    }
    if (failure || current_->done()) {
      plan_.release(current_->of());
      released = true;
      current_.reset();
    }
  }
  if (released) wake();
  if (!entries.empty() && failure)
    return records{std::move(entries), std::move(owners)}; // the error comes again
  if (failure) return *failure;
  if (entries.empty()) {
    std::lock_guard lock{mutex_};
    if (auto e = plan_.take_error()) return *e;
  }
  return records{std::move(entries), std::move(owners)};
}

void consumer_engine::changed() {
  {
    std::lock_guard lock{wait_mutex_};
    ++changes_;
  }
  wait_.notify_all();
}

void consumer_engine::wait_for_change(uint64_t seen, duration limit) {
  std::unique_lock lock{wait_mutex_};
  wait_.wait_for(lock, limit, [&] { return changes_.load() != seen; });
}

void consumer_engine::wake() {
  if (pump_posted_.exchange(true)) return;
  cluster_->loop().post([self = weak_from_this()] {
    if (auto here = self.lock()) {
      here->pump_posted_ = false;
      here->pump();
    }
  });
}

// -- the loop ---

void consumer_engine::look_again() {
  auto& cache = cluster_->metadata();
  bool lost = false;
  {
    std::lock_guard lock{mutex_};
    if (closed_) return;
    for (auto& at : plan_.assignment()) {
      auto* known = cache.topic(at.topic);
      if (!known) {
        if (auto* why = cache.missing(at.topic)) {
          plan_.lost(at, *why);
          lost = true;
        }
      }
    }
    plan_.retry_now();
  }
  if (lost) changed();
  pump();
}

void consumer_engine::pump() {
  std::vector<fetch_plan::question> questions;
  {
    std::lock_guard lock{mutex_};
    if (closed_) return;
    questions = plan_.questions(cluster_->now());
  }
  for (auto& q : questions)
    ask(q);
  std::optional<instant> wakeup;
  {
    std::lock_guard lock{mutex_};
    wakeup = plan_.next_wakeup(cluster_->now());
  }
  if (wakeup) alarm_.set(*wakeup);
}

void consumer_engine::ask(const fetch_plan::question& q) {
  auto* known = cluster_->metadata().topic(q.at.topic);
  if (!known) cluster_->follow(q.at.topic);
  if (known && known->id != q.topic) {
    {
      std::lock_guard lock{mutex_};
      plan_.lost(q.at, {ec::unknown_topic_id, "topic " + q.at.topic + " was deleted and created anew"});
    }
    changed();
    return;
  }
  auto got =
      known ? cluster_->leader(link_role::consume, *known, q.at.partition)
            : result<std::shared_ptr<link>>{ec::leader_not_available, "no metadata of topic " + q.at.topic};
  if (!got.ok()) {
    auto why = got.error();
    if (auto& trouble = cluster_->metadata_trouble(); trouble && why.code == ec::leader_not_available)
      why = *trouble;
    std::lock_guard lock{mutex_};
    (void)plan_.not_asked(q.id, why, cluster_->now(), cluster_->random());
    return;
  }
  auto at = *got;
  if (auto* place = std::get_if<place_to_find>(&q.what)) {
    auto call = kj::evalNow([&] { return offset_call(*at, q.topic, q.at.partition, *place); });
    cluster_->run(cluster_->guarded<place_found>(at, kj::mv(call))
                      .then([self = shared_from_this(), id = q.id](result<place_found> answer) {
                        fetch_plan::effect effect;
                        {
                          std::lock_guard lock{self->mutex_};
                          result<std::optional<int64_t>> offset =
                              answer.ok() ? result<std::optional<int64_t>>{answer->offset}
                                          : result<std::optional<int64_t>>{answer.error()};
                          effect = self->plan_.place_answered(id, offset, self->cluster_->now(),
                                                              self->cluster_->random());
                        }
                        self->follow_up(effect);
                      }));
    return;
  }
  auto& fetch = std::get<fetch_plan::ask_fetch>(q.what);
  auto call = at->consumer().fetchRequest(capnp::MessageSize{48, 0});
  auto request = call.initRequest();
  auto position = request.initPosition();
  wire::write(q.topic, position.initTopic());
  position.setPartition(q.at.partition);
  position.setEpoch(fetch.epoch);
  position.setOffset(fetch.offset);
  request.setBytesMin(static_cast<uint32_t>(config_.fetch_bytes_min));
  request.setBytesMax(static_cast<uint32_t>(fetch.bytes_max));
  request.setWaitMs(ms32(fetch.wait));
  auto answer = call.send().then([](capnp::Response<wire::Consumer::FetchResults>&& r) -> result<fetched> {
    if (r.hasError()) return error_of(r.getError());
    auto in = r.getResult();
    fetched out;
    auto data = in.getBatches(); // once: each look is charged
    out.batches = bytes::copy(
        {data.begin(), data.size()}); // the message belongs to the loop, the copy to whoever polls
    out.high_watermark = in.getHighWatermark();
    out.log_start = in.getLogStart();
    out.next_offset = in.getNextOffset();
    out.last_epoch = last_epoch_in(out.batches);
    return out;
  });
  cluster_->run(cluster_->guarded<fetched>(at, kj::mv(answer), fetch.wait + answer_grace)
                    .then([self = shared_from_this(), id = q.id](result<fetched> answer) {
                      fetch_plan::effect effect;
                      {
                        std::lock_guard lock{self->mutex_};
                        effect = self->plan_.fetch_answered(id, answer, self->cluster_->now(),
                                                            self->cluster_->random());
                      }
                      self->follow_up(effect);
                    }));
}

void consumer_engine::follow_up(const fetch_plan::effect& effect) {
  if (effect.refresh) cluster_->refresh();
  if (effect.ready) changed();
  pump();
}

std::optional<std::string> consumer_engine::check_invariants() {
  std::lock_guard lock{mutex_};
  return plan_.check_invariants();
}

void consumer_engine::end(const error& why) {
  {
    std::lock_guard lock{mutex_};
    if (closed_) return;
    closed_ = why;
    plan_.assign({});
  }
  alarm_.stop();
  changed();
}

} // namespace pessoa::client
