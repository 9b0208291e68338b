#include "pessoa/consumer.hpp"

#include "client/cluster_state.hpp"
#include "client/rpc/consumer_engine.hpp"

#include <algorithm>
#include <set>

namespace pessoa::client {

namespace {
constexpr duration wait_step = std::chrono::milliseconds{500};
} // namespace

struct consumer::state {
  state(std::shared_ptr<cluster::state> c, std::shared_ptr<consumer_engine> e)
      : home(std::move(c)), core(std::move(e)) {}
  ~state() {
    if (core) end();
  }
  void end() {
    home->loop->post([core = core, of = home->core] {
      core->end({ec::shutting_down, "the consumer was closed"});
      of->remove(core.get());
    });
    // The loop may hold the last reference, never this thread.
    home->loop->post([core = std::move(core)] {});
    core = nullptr;
  }

  std::shared_ptr<client::cluster::state> home;
  std::shared_ptr<consumer_engine> core;
  std::atomic<bool> stopped{false};
  std::optional<client::error> failure;
};

result<consumer> consumer::create(const cluster& cluster, const settings& settings) {
  auto merged = cluster.settings();
  PESSOA_CHECK(merged.set_all(settings.changed()));
  PESSOA_TRY(auto config, client_config::from(merged));
  auto& state = cluster.internals();
  PESSOA_TRY(auto made, state->wait<std::shared_ptr<consumer_engine>>(
                            [config](engine& core) -> kj::Promise<result<std::shared_ptr<consumer_engine>>> {
                              auto one = std::make_shared<consumer_engine>(core.shared_from_this(), config);
                              core.add(one);
                              return result<std::shared_ptr<consumer_engine>>{one};
                            }));
  return consumer{std::make_shared<consumer::state>(state, std::move(made))};
}

result<consumer> consumer::create(const cluster& cluster) { return create(cluster, client::settings{}); }

// -- what to read ---

result<void> consumer::assign(std::vector<topic_partition> partitions) {
  std::set<std::string> names;
  for (auto& at : partitions)
    names.insert(at.topic);
  std::map<std::string, known_topic> topics;
  for (auto& name : names) {
    PESSOA_TRY(topics[name], state_->home->wait<known_topic>([name](engine& core) {
      return core.topic(name).then([&core, name](result<known_topic> found) {
        if (found.ok()) core.follow(name);
        return found;
      });
    }));
  }
  std::vector<std::pair<topic_partition, topic_id>> wanted;
  for (auto& at : partitions) {
    auto& topic = topics.at(at.topic);
    if (at.partition < 0 || static_cast<size_t>(at.partition) >= topic.info.partitions.size())
      return {ec::unknown_partition, "topic " + at.topic + " has no partition " + std::to_string(at.partition)
                                         + ", it has " + std::to_string(topic.info.partitions.size())};
    wanted.emplace_back(at, topic.id);
  }
  state_->core->assign(wanted);
  return {};
}

result<void> consumer::assign(std::string_view topic) {
  PESSOA_TRY(auto info, client::cluster{state_->home}.topic(topic));
  std::vector<topic_partition> all;
  for (auto& p : info.partitions)
    all.push_back({info.name, p.index});
  return assign(std::move(all));
}

std::vector<topic_partition> consumer::assignment() const { return state_->core->assignment(); }

result<void> consumer::pause(const std::vector<topic_partition>& partitions) {
  for (auto& at : partitions)
    PESSOA_CHECK(state_->core->pause(at, true));
  return {};
}
result<void> consumer::resume(const std::vector<topic_partition>& partitions) {
  for (auto& at : partitions)
    PESSOA_CHECK(state_->core->pause(at, false));
  return {};
}

// -- where to read ---

result<void> consumer::seek(const topic_partition& at, int64_t offset) {
  return state_->core->seek(at, offset);
}
result<void> consumer::seek_to_start(const topic_partition& at) { return state_->core->seek(at, at_start{}); }
result<void> consumer::seek_to_end(const topic_partition& at) { return state_->core->seek(at, at_end{}); }
result<void> consumer::seek_to_time(const topic_partition& at, int64_t timestamp_ms) {
  return state_->core->seek(at, at_time{timestamp_ms});
}
result<void> consumer::seek_to_start() {
  for (auto& at : assignment())
    PESSOA_CHECK(seek_to_start(at));
  return {};
}
result<void> consumer::seek_to_end() {
  for (auto& at : assignment())
    PESSOA_CHECK(seek_to_end(at));
  return {};
}
result<void> consumer::seek_to_time(int64_t timestamp_ms) {
  for (auto& at : assignment())
    PESSOA_CHECK(seek_to_time(at, timestamp_ms));
  return {};
}

result<int64_t> consumer::position(const topic_partition& at) {
  auto& time = *state_->home->time;
  auto deadline = time.now() + state_->core->config().api_timeout;
  for (;;) {
    auto seen = state_->core->changes();
    PESSOA_TRY(auto found, state_->core->position(at));
    if (found) return *found;
    auto now = time.now();
    if (now >= deadline || state_->home->on_loop()) {
      client::error why{ec::timed_out, "the position of " + to_string(at) + " could not be found"};
      why.last_causes = troubles();
      return why;
    }
    state_->core->wait_for_change(seen, std::min(deadline - now, wait_step));
  }
}

// -- questions ---

namespace {

result<place_found> find_place(const cluster::state& state, const topic_partition& at, place_to_find place) {
  return state.wait<place_found>([at, place](engine& core) {
    return core.ask_leader<place_found>("finding an offset of " + to_string(at), link_role::consume, at,
                                        [at, place](link& to, const known_topic& topic) {
                                          return offset_call(to, topic.id, at.partition, place);
                                        });
  });
}

} // namespace

result<offset_range> consumer::offsets(const topic_partition& at) const {
  PESSOA_TRY(auto start, find_place(*state_->home, at, at_start{}));
  PESSOA_TRY(auto end, find_place(*state_->home, at, at_end{}));
  if (!start.offset || !end.offset)
    return {ec::malformed_message, "the node gave no offsets of " + to_string(at)};
  return offset_range{*start.offset, *end.offset};
}

result<std::optional<int64_t>> consumer::offset_at_time(const topic_partition& at,
                                                        int64_t timestamp_ms) const {
  PESSOA_TRY(auto found, find_place(*state_->home, at, at_time{timestamp_ms}));
  return found.offset;
}

// -- reading ---

result<records> consumer::poll(std::chrono::milliseconds timeout) {
  state_->stopped = false;
  auto& time = *state_->home->time;
  auto deadline = time.now() + timeout;
  for (;;) {
    auto seen = state_->core->changes();
    auto taken = state_->core->take();
    if (!taken.ok() || !taken->empty()) return taken;
    auto now = time.now();
    if (now >= deadline || state_->stopped || state_->home->on_loop()) return taken;
    state_->core->wait_for_change(seen, std::min<duration>(deadline - now, wait_step));
  }
}

void consumer::stop() {
  state_->stopped = true;
  state_->core->changed();
}

std::vector<std::string> consumer::troubles() const { return state_->core->troubles(); }

void consumer::close() {
  auto core = state_->core;
  auto ending = [core, of = state_->home->core] {
    core->end({ec::shutting_down, "the consumer was closed"});
    of->remove(core.get());
  };
  if (state_->home->on_loop())
    ending();
  else
    run_on(*state_->home->loop, ending);
}

// -- range-for ---

consumer::range consumer::follow() {
  state_->failure.reset();
  state_->stopped = false;
  range r;
  r.begin_.from_ = this;
  r.begin_.fill();
  return r;
}

consumer::range consumer::until_end() {
  state_->failure.reset();
  state_->stopped = false;
  range r;
  for (auto& at : assignment()) {
    auto found = offsets(at);
    if (!found.ok()) {
      state_->failure = found.error();
      return r;
    }
    r.begin_.ends_.emplace_back(at, found->end);
  }
  r.begin_.bounded_ = true;
  r.begin_.from_ = this;
  r.begin_.fill();
  return r;
}

void consumer::iterator::fill() {
  auto& state = *from_->state_;
  for (;;) {
    if (bounded_) {
      std::erase_if(ends_, [&](const auto& e) {
        auto position = state.core->position(e.first);
        return !position.ok() || (*position && **position >= e.second);
      });
      if (ends_.empty()) {
        from_ = nullptr;
        return;
      }
    }
    if (state.stopped) {
      from_ = nullptr;
      return;
    }
    auto seen = state.core->changes();
    auto taken = state.core->take();
    if (!taken.ok()) {
      state.failure = taken.error();
      from_ = nullptr;
      return;
    }
    if (!taken->empty()) {
      batch_ = std::move(*taken);
      index_ = 0;
      return;
    }
    state.core->wait_for_change(seen, wait_step);
  }
}

consumer::iterator& consumer::iterator::operator++() {
  if (++index_ == batch_.size()) fill();
  return *this;
}

const std::optional<client::error>& consumer::error() const { return state_->failure; }

} // namespace pessoa::client
