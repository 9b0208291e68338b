#include "client/rpc/producer_engine.hpp"

#include "client/rpc/wire_words.hpp"
#include "schema/limits.hpp"
#include "schema/plants.hpp"
#include "schema/topic_config.hpp"
#include "schema/wire/convert.hpp"

#include <capnp/orphan.h>

#include <algorithm>
#include <limits>

namespace pessoa::client {

namespace {

// What a record costs beside its bytes: its callback and its time, held until it is answered.
constexpr size_t record_overhead = 48;
// The node answers a request that took too long; only when it does not, the connection is given up.
constexpr duration answer_grace = std::chrono::seconds{1};
// Requests on their way to one node from which batches that are not full wait and grow (measured: docs/performance.md).
constexpr size_t requests_in_flight_busy = 128;

queue_settings settings_for_queue(const client_config& c) {
  queue_settings s;
  s.codec = c.codec;
  s.level = c.compression_level;
  s.batch_bytes = c.batch_bytes;
  s.request_bytes_max = c.request_bytes_max;
  s.linger = c.linger;
  s.idempotent = c.idempotent;
  s.in_flight_max = c.in_flight_max;
  s.delivery_timeout = c.delivery_timeout;
  s.backoff = {c.backoff, c.backoff_max};
  return s;
}

} // namespace

producer_engine::producer_engine(std::shared_ptr<engine> cluster, client_config config)
    : cluster_(std::move(cluster)), config_(std::move(config)), queue_settings_(settings_for_queue(config_)),
      random_(cluster_->random()), alarm_(cluster_->loop(), cluster_->time(), [this] { ring(); }) {}

// -- any thread ---

result<std::shared_ptr<producer_engine::topic_sink>> producer_engine::find(std::string_view topic) {
  {
    std::shared_lock lock{topics_mutex_};
    if (auto at = topics_.find(topic); at != topics_.end()) return at->second;
  }
  PESSOA_CHECK(check_topic_name(topic));
  std::unique_lock lock{topics_mutex_};
  if (auto at = topics_.find(topic); at != topics_.end()) return at->second;
  if (auto at = refused_.find(topic); at != refused_.end()) {
    auto why = at->second;
    refused_.erase(at);
    return why;
  }
  auto name = std::string{topic};
  if (requested_.emplace(name, false).second)
    cluster_->loop().post([self = weak_from_this(), name] {
      auto here = self.lock();
      if (!here || here->closed_) return;
      here->cluster_->follow_to_write(name);
      {
        // Not before: what the cache said of the name until now is no answer to this question.
        std::unique_lock lock{here->topics_mutex_};
        // If somebody else's question was answered meanwhile, it is there and not asked for any more.
        if (auto asked = here->requested_.find(name); asked != here->requested_.end()) asked->second = true;
      }
      here->take_metadata();
    });
  return {ec::overloaded, "the metadata of topic " + quoted(topic) + " is on its way"};
}

result<producer_engine::sink_ptr> producer_engine::choose(topic_sink& topic, const record_ref& record,
                                                          size_t bytes) {
  std::lock_guard lock{topic.mutex};
  auto count = static_cast<int32_t>(topic.partitions.size());
  if (count == 0) return {ec::leader_not_available, "topic " + topic.name + " has no partitions yet"};
  int32_t index = 0;
  if (record.partition) {
    index = *record.partition;
    if (index < 0 || index >= count)
      return {ec::unknown_partition, "topic " + topic.name + " has no partition " + std::to_string(index)
                                         + ", it has " + std::to_string(count)};
  } else if (record.key) {
    index = partitioner::by_key(as_bytes(*record.key), count);
  } else if (count > 1) {
    std::lock_guard random_lock{random_mutex_};
    index = topic.sticky.without_key(topic.infos, bytes, random_);
  }
  return topic.partitions[static_cast<size_t>(index)];
}

result<void> producer_engine::append(std::string_view topic, const record_ref& record,
                                     delivery_callback&& done) {
  if (closed_) return {ec::shutting_down, "the producer was closed"};
  pessoa::record_view view;
  if (record.timestamp_ms && *record.timestamp_ms < 0)
    return {ec::invalid_timestamp,
            "a record's time is " + std::to_string(*record.timestamp_ms) + " ms, before 1970"};
  view.time = record.timestamp_ms ? timestamp{*record.timestamp_ms} : cluster_->wall();
  if (record.key) view.key = as_bytes(*record.key);
  if (record.value) view.value = as_bytes(*record.value);
  if (record.headers.size() > headers_per_record_max)
    return {ec::message_too_large, "a record with " + std::to_string(record.headers.size()) + " headers"};
  for (auto& h : record.headers) {
    pessoa::header_view copy{h.key, std::nullopt};
    if (h.value) copy.value = as_bytes(*h.value);
    view.headers.push_back(copy);
  }
  // Before anything is computed from sizes that do not fit.
  if ((record.key ? record.key->size() : 0) > config_.request_bytes_max
      || (record.value ? record.value->size() : 0) > config_.request_bytes_max)
    return {ec::message_too_large, "a key or value is larger than max.request.size, which is "
                                       + std::to_string(config_.request_bytes_max) + " bytes"};

  PESSOA_TRY(auto sink_of_topic, find(topic));
  auto bytes = batch_builder::upper_bound(view);
  auto limit = config_.request_bytes_max;
  if (auto of_topic = sink_of_topic->message_bytes_max.load(); of_topic != 0)
    limit = std::min(limit, of_topic);
  if (batch_header_size + bytes > limit)
    return {ec::message_too_large, "a record of " + std::to_string(bytes)
                                       + " bytes does not fit into a batch of " + std::to_string(limit)
                                       + " bytes"};
  auto charge = bytes + record_overhead;
  if (charge > config_.buffer_bytes)
    return {ec::message_too_large,
            "a record of " + std::to_string(bytes) + " bytes does not fit into buffer.memory"};
  PESSOA_TRY(auto sink, choose(*sink_of_topic, record, bytes));

  if (buffered_.fetch_add(charge) + charge > config_.buffer_bytes) {
    buffered_.fetch_sub(charge);
    return {ec::overloaded,
            "buffer.memory is full: " + std::to_string(buffered_.load()) + " bytes wait or are on their way"};
  }
  auto due = partition_queue::wake::no;
  {
    std::lock_guard lock{sink->mutex};
    if (closed_ || sink->gone) {
      buffered_.fetch_sub(charge);
      if (closed_) return {ec::shutting_down, "the producer was closed"};
      return {ec::overloaded, "topic " + quoted(topic) + " is being replaced"};
    }
    if (!sink->queue.fits(bytes)) { // max.message.bytes was lowered this moment
      buffered_.fetch_sub(charge);
      return {ec::message_too_large,
              "a record of " + std::to_string(bytes) + " bytes is above the topic's max.message.bytes"};
    }
    due = sink->queue.append(view, charge, std::move(done), cluster_->now());
    ++sink->accepted;
  }
  records_sent_.fetch_add(1, std::memory_order_relaxed);
  if (due == partition_queue::wake::yes) wake(sink);
  return {};
}

void producer_engine::wake(const sink_ptr& sink) {
  if (sink->dirty.exchange(true)) return;
  bool post = false;
  {
    std::lock_guard lock{dirty_mutex_};
    dirty_.push_back(sink);
    post = !drain_posted_;
    drain_posted_ = true;
  }
  if (post)
    cluster_->loop().post([self = weak_from_this()] {
      if (auto here = self.lock()) here->drain_dirty();
    });
}

std::vector<producer_engine::mark> producer_engine::flush() {
  std::vector<mark> marks;
  for (auto& sink : all_sinks()) {
    std::lock_guard lock{sink->mutex};
    if (sink->accepted == sink->told.load()) continue;
    sink->queue.flush();
    marks.push_back({sink, sink->accepted});
  }
  for (auto& m : marks)
    wake(m.at);
  return marks;
}

uint64_t producer_engine::missing(const std::vector<mark>& marks) {
  uint64_t count = 0;
  for (auto& m : marks)
    if (auto told = m.at->told.load(); told < m.accepted) count += m.accepted - told;
  return count;
}

std::optional<error> producer_engine::take_first_error() {
  std::lock_guard lock{error_mutex_};
  auto taken = std::move(first_error_);
  first_error_.reset();
  return taken;
}

void producer_engine::changed() {
  ++changes_;
  if (waiters_.load() == 0) return;
  { std::lock_guard lock{wait_mutex_}; }
  wait_.notify_all();
}

void producer_engine::wait_for_change(uint64_t seen, duration limit) {
  std::unique_lock lock{wait_mutex_};
  ++waiters_;
  wait_.wait_for(lock, limit, [&] { return changes_.load() != seen; });
  --waiters_;
}

producer::statistics producer_engine::stats() const {
  producer::statistics s;
  s.records_sent = records_sent_;
  s.records_stored = records_stored_;
  s.records_failed = records_failed_;
  s.batches_sent = batches_sent_;
  s.batches_repeated = batches_repeated_;
  s.bytes_sent = bytes_sent_;
  s.buffered_bytes = buffered_;
  return s;
}

std::vector<producer_engine::sink_ptr> producer_engine::all_sinks() {
  std::vector<sink_ptr> all;
  std::shared_lock lock{topics_mutex_};
  for (auto& entry : topics_) {
    std::lock_guard topic_lock{entry.second->mutex};
    all.insert(all.end(), entry.second->partitions.begin(), entry.second->partitions.end());
  }
  if (PESSOA_PLANT("order_of_addresses")) std::sort(all.begin(), all.end());
  return all;
}

std::optional<std::string> producer_engine::check_invariants() {
  for (auto& sink : all_sinks()) {
    std::lock_guard lock{sink->mutex};
    if (auto broken = sink->queue.check_invariants()) return broken;
    auto waiting = sink->accepted - sink->told.load();
    if (sink->queue.record_count() != waiting)
      return sink->queue.name() + ": " + std::to_string(waiting) + " records wait for an answer, and "
             + std::to_string(sink->queue.record_count()) + " are there";
  }
  return std::nullopt;
}

// -- the loop ---

void producer_engine::start(std::function<void(result<void>)> done) {
  if (!config_.idempotent) {
    done({});
    return;
  }
  ask_identity([self = shared_from_this(), done = std::move(done)](result<int64_t> id) {
    if (!id.ok()) {
      done(id.error());
      return;
    }
    self->id_ = *id;
    done({});
  });
}

void producer_engine::drain_dirty() {
  std::vector<sink_ptr> now;
  {
    std::lock_guard lock{dirty_mutex_};
    now.swap(dirty_);
    drain_posted_ = false;
  }
  for (auto& sink : now) {
    sink->dirty = false; // before looking, so that what comes later wakes again
    pump(sink);
  }
}

void producer_engine::pump(const sink_ptr& sink) {
  auto topic = sink->topic.lock();
  if (!topic || closed_) return;
  {
    std::lock_guard lock{sink->mutex};
    if (sink->queue.empty()) return;
  }
  std::optional<error> hindrance;
  auto got = cluster_->leader(link_role::produce, topic->known, sink->index);
  if (!got.ok()) {
    hindrance = got.error();
    if (auto& trouble = cluster_->metadata_trouble(); trouble && hindrance->code == ec::leader_not_available)
      hindrance = *trouble; // the reason behind the reason
  } else if (sink->wants_id) {
    hindrance =
        cluster_->metadata_trouble().value_or(error{ec::overloaded, "a new producer id is on its way"});
  }
  auto* gate = [&]() -> send_gate<sink_ptr>* {
    auto found = got.ok() ? gates_.find(*got) : gates_.end();
    return found == gates_.end() ? nullptr : &found->second;
  }();
  auto way = gate && gate->busy() ? partition_queue::way::busy : partition_queue::way::free;
  partition_queue::actions actions;
  {
    std::lock_guard lock{sink->mutex};
    actions = sink->queue.advance(cluster_->now(), hindrance, way);
  }
  if (actions.held_back) gate->wait(sink);
  carry_out(sink, std::move(actions), got.ok() ? *got : nullptr);
}

// One request less is on its way: who waited may go.
void producer_engine::answered(const std::shared_ptr<link>& at) {
  gates_.at(at).answered();
  for (;;) {
    auto found = gates_.find(at);
    if (found == gates_.end()) return;
    auto next = found->second.next();
    if (!next) {
      if (found->second.unused()) gates_.erase(found);
      return;
    }
    pump(*next);
  }
}

void producer_engine::carry_out(const sink_ptr& sink, partition_queue::actions&& actions,
                                const std::shared_ptr<link>& at) {
  for (auto& s : actions.sends)
    send(sink, s, at);
  if (actions.released > 0) {
    buffered_.fetch_sub(actions.released);
    changed();
  }
  for (auto& e : actions.ends)
    call_back(sink, e);
  if (actions.want_metadata) cluster_->refresh();
  if (actions.want_identity && !sink->wants_id) give_identity(sink);
  schedule(sink);
}

void producer_engine::call_back(const sink_ptr& sink, partition_queue::finished& end) {
  auto count = end.records.size();
  if (end.outcome.ok()) {
    auto at = *end.outcome;
    int64_t index = 0;
    for (auto& r : end.records) {
      if (r.done) {
        int64_t offset = at.base_offset < 0 ? -1 : at.base_offset + index;
        r.done(delivery{sink->index, offset, at.append_time_ms >= 0 ? at.append_time_ms : r.timestamp_ms});
      }
      ++index;
    }
    records_stored_ += count;
  } else {
    result<delivery> failed{end.outcome.error()};
    for (auto& r : end.records) {
      if (r.done) {
        r.done(failed);
        continue;
      }
      std::lock_guard lock{error_mutex_};
      if (!first_error_) first_error_ = end.outcome.error();
    }
    records_failed_ += count;
  }
  sink->told += count;
  changed();
}

void producer_engine::send(const sink_ptr& sink, const partition_queue::send& what,
                           const std::shared_ptr<link>& at) {
  auto topic = sink->topic.lock();
  PESSOA_ASSERT(topic && at, sink->index);
  (what.number == 1 ? batches_sent_ : batches_repeated_) += 1;
  bytes_sent_ += what.size;
  // The batch's bytes become a segment of the message as they are: the padding up to the next word goes out,
  // too.
  auto& data = *what.data;
  if (auto padded = (what.size + 7) / 8 * 8; data.capacity() < padded || data.size() == what.size) {
    data.resize(padded, 0);
    data.resize(what.size);
  }
  auto call = at->producer().produceRequest(capnp::MessageSize{64, 0});
  auto request = call.initRequest();
  wire::write(topic->known.id, request.initTopic());
  request.setPartition(sink->index);
  request.setAcks(static_cast<int8_t>(config_.acks));
  request.setTimeoutMs(static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(config_.request_timeout).count()));
  if (auto index = static_cast<size_t>(sink->index); index < topic->known.info.partitions.size())
    request.setEpoch(topic->known.info.partitions[index].epoch);
  request.adoptBatch(capnp::Orphanage::getForMessageContaining(request).referenceExternalData(
      capnp::Data::Reader{data.data(), what.size}));

  // Until the node has answered, the message may still be on its way out, also on a connection that fails.
  auto answered = std::make_shared<bool>(false);
  auto answer =
      call.send().then([answered](capnp::Response<wire::Producer::ProduceResults>&& r) -> result<stored> {
        *answered = true;
        if (r.hasError()) return error_of(r.getError());
        auto produced = r.getResult();
        return stored{produced.getBaseOffset(), produced.getAppendTime()};
      });
  gates_.try_emplace(at, requests_in_flight_busy).first->second.sent();
  cluster_->run(cluster_->guarded<stored>(at, kj::mv(answer), answer_grace)
                    .then([self = shared_from_this(), sink, at, attempt = what.attempt, data = what.data,
                           answered](result<stored> outcome) {
                      if (!*answered) at->keep(data);
                      partition_queue::actions actions;
                      {
                        std::lock_guard lock{sink->mutex};
                        actions = sink->queue.answered(attempt, outcome, true, self->cluster_->now(),
                                                       self->random_);
                      }
                      self->carry_out(sink, std::move(actions), nullptr);
                      self->answered(at);
                      self->pump(sink);
                    }));
}

void producer_engine::give_identity(const sink_ptr& sink) {
  sink->wants_id = true;
  auto give = [this](const sink_ptr& to) {
    to->wants_id = false;
    to->ids.insert(*id_);
    {
      std::lock_guard lock{to->mutex};
      to->queue.set_identity(producer_id{*id_}, producer_epoch{0});
    }
    wake(to);
  };
  if (id_ && sink->ids.count(*id_) == 0) {
    give(sink);
    return;
  }
  ask_identity([self = shared_from_this(), sink, give](result<int64_t> id) {
    if (self->closed_) return;
    if (id.ok()) {
      self->id_ = *id;
      give(sink);
      return;
    }
    sink->wants_id = false;
    if (judge(id.error()) != next_step::give_up) {
      self->pump(sink); // asks again, if something still waits
      return;
    }
    partition_queue::actions actions;
    {
      std::lock_guard lock{sink->mutex};
      actions = sink->queue.abort(id.error());
    }
    self->carry_out(sink, std::move(actions), nullptr);
  });
}

void producer_engine::ask_identity(std::function<void(result<int64_t>)> done) {
  auto asking = cluster_->ask<int64_t>("getting a producer id", engine::repeat::always, [](link& at) {
    auto call = at.session().producerRequest();
    call.setIdempotent(true);
    return call.send().then([](capnp::Response<wire::Session::ProducerResults>&& answer) -> result<int64_t> {
      if (answer.hasError()) return error_of(answer.getError());
      if (answer.getProducerId() < 0) return {ec::malformed_message, "the node gave no producer id"};
      return answer.getProducerId();
    });
  });
  cluster_->run(asking.then([done = std::move(done)](result<int64_t> id) { done(std::move(id)); }));
}

void producer_engine::schedule(const sink_ptr& sink) {
  std::optional<instant> at;
  {
    std::lock_guard lock{sink->mutex};
    at = sink->queue.next_wakeup(cluster_->now());
  }
  if (at == sink->wakeup) return;
  if (sink->wakeup) wakeups_.erase({*sink->wakeup, sink->number});
  sink->wakeup = at;
  if (!at) return;
  wakeups_.emplace(std::pair{*at, sink->number}, sink);
  alarm_.set(wakeups_.begin()->first.first);
}

void producer_engine::ring() {
  auto now = cluster_->now();
  while (!wakeups_.empty() && wakeups_.begin()->first.first <= now) {
    auto sink = wakeups_.begin()->second;
    wakeups_.erase(wakeups_.begin());
    sink->wakeup.reset();
    pump(sink);
  }
  if (!wakeups_.empty()) alarm_.set(wakeups_.begin()->first.first);
}

// -- metadata ---

void producer_engine::look_again() {
  if (closed_) return;
  take_metadata();
  for (auto& sink : all_sinks())
    pump(sink);
}

void producer_engine::take_metadata() {
  auto& cache = cluster_->metadata();
  std::vector<std::pair<std::shared_ptr<topic_sink>, error>> ended;
  bool news = false;
  {
    std::unique_lock lock{topics_mutex_};
    for (auto at = topics_.begin(); at != topics_.end();) {
      auto* known = cache.topic(at->first);
      auto* missing = cache.missing(at->first);
      if (known && known->id == at->second->known.id) {
        update_topic(*at->second, *known);
        ++at;
      } else if (known) {
        ended.emplace_back(
            at->second, error{ec::unknown_topic_id, "topic " + at->first + " was deleted and created anew"});
        at->second = make_topic(*known);
        ++at;
      } else if (missing) {
        ended.emplace_back(at->second, *missing);
        at = topics_.erase(at);
      } else {
        ++at;
      }
    }
    for (auto at = requested_.begin(); at != requested_.end();) {
      if (auto* known = cache.topic(at->first))
        topics_.emplace(at->first, make_topic(*known)); // never in place of one that has records
      else if (auto* missing = cache.missing(at->first); missing && at->second)
        refused_.insert_or_assign(at->first, *missing);
      else {
        ++at;
        continue;
      }
      news = true;
      at = requested_.erase(at);
    }
  }
  for (auto& e : ended)
    end_topic(e.first, e.second);
  if (news) changed();
}

std::shared_ptr<producer_engine::topic_sink> producer_engine::make_topic(const known_topic& known) {
  auto made = std::make_shared<topic_sink>(config_.batch_bytes);
  made->name = known.info.name;
  update_topic(*made, known);
  for (auto& p : made->partitions)
    p->topic = made;
  return made;
}

void producer_engine::update_topic(topic_sink& topic, const known_topic& known) {
  topic.known = known;
  topic.message_bytes_max = known.message_bytes_max;
  auto settings = queue_settings_;
  if (known.message_bytes_max != 0)
    settings.request_bytes_max = std::min(settings.request_bytes_max, known.message_bytes_max);
  std::lock_guard lock{topic.mutex};
  topic.infos = known.info.partitions;
  for (auto& p : topic.partitions) {
    std::lock_guard sink_lock{p->mutex};
    p->queue.set_request_bytes_max(settings.request_bytes_max);
  }
  while (topic.partitions.size() < topic.infos.size()) {
    auto index = static_cast<int32_t>(topic.partitions.size());
    auto sink = std::make_shared<partition_sink>(to_string(topic_partition{topic.name, index}), settings,
                                                 index, sinks_++);
    if (!topic.partitions.empty()) sink->topic = topic.partitions.front()->topic;
    topic.partitions.push_back(std::move(sink));
  }
}

void producer_engine::end_topic(const std::shared_ptr<topic_sink>& topic, const error& why) {
  std::vector<sink_ptr> sinks;
  {
    std::lock_guard lock{topic->mutex};
    sinks = topic->partitions;
  }
  for (auto& sink : sinks) {
    partition_queue::actions actions;
    {
      std::lock_guard lock{sink->mutex};
      sink->gone = true;
      actions = sink->queue.abort(why);
    }
    carry_out(sink, std::move(actions), nullptr);
  }
}

void producer_engine::end(const error& why) {
  if (closed_.exchange(true)) return;
  std::vector<std::shared_ptr<topic_sink>> topics;
  {
    std::unique_lock lock{topics_mutex_};
    for (auto& entry : topics_)
      topics.push_back(entry.second);
  }
  for (auto& topic : topics)
    end_topic(topic, why);
  alarm_.stop();
  wakeups_.clear();
  changed();
}

} // namespace pessoa::client
