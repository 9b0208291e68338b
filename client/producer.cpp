#include "pessoa/producer.hpp"

#include "client/cluster_state.hpp"
#include "client/rpc/producer_engine.hpp"

#include <algorithm>

namespace pessoa::client {

namespace {

// Between two looks at what has changed; a change ends the wait at once.
constexpr duration wait_step = std::chrono::milliseconds{500};

// A borrowed form of an owned record. Lives as long as both.
struct lent {
  explicit lent(const record& r) {
    if (r.key) ref.key = *r.key;
    if (r.value) ref.value = *r.value;
    for (auto& h : r.headers) {
      header_ref copy{h.key, std::nullopt};
      if (h.value) copy.value = *h.value;
      headers.push_back(copy);
    }
    ref.headers = headers;
    ref.timestamp_ms = r.timestamp_ms;
    ref.partition = r.partition;
  }
  lent(const lent&) = delete;
  lent& operator=(const lent&) = delete;
  std::vector<header_ref> headers;
  record_ref ref;
};

} // namespace

struct producer::state {
  state(std::shared_ptr<cluster::state> c, std::shared_ptr<producer_engine> p)
      : home(std::move(c)), core(std::move(p)) {}
  ~state() { end(); }

  void end() {
    if (!core) return;
    home->loop->post([core = std::move(core), of = home->core] {
      core->end({ec::shutting_down, "the producer was closed"});
      of->remove(core.get());
    });
    core = nullptr;
  }

  std::shared_ptr<client::cluster::state> home;
  std::shared_ptr<producer_engine> core;
};

result<producer> producer::create(const cluster& cluster, const settings& settings) {
  auto merged = cluster.settings();
  PESSOA_CHECK(merged.set_all(settings.changed()));
  PESSOA_TRY(auto config, client_config::from(merged));
  auto& state = cluster.internals();
  if (state->on_loop()) return {ec::invalid_argument, "a producer cannot be created in a callback"};
  auto slot = std::make_shared<answer_slot<std::shared_ptr<producer_engine>>>();
  auto future = slot->future();
  state->loop->post([core = state->core, config, slot] {
    if (core->stopped()) return;
    auto made = std::make_shared<producer_engine>(core, config);
    core->add(made);
    made->start([core, made, slot](result<void> started) {
      if (started.ok()) {
        slot->give(made);
        return;
      }
      made->end(started.error());
      core->remove(made.get());
      slot->give(started.error());
    });
  });
  slot.reset();
  PESSOA_TRY(auto made, future.get());
  return producer{std::make_shared<producer::state>(state, std::move(made))};
}

result<producer> producer::create(const cluster& cluster) { return create(cluster, client::settings{}); }

result<void> producer::try_send(std::string_view topic, const record_ref& record, delivery_callback done) {
  return state_->core->append(topic, record, std::move(done));
}

result<void> producer::send(std::string_view topic, const record_ref& record, delivery_callback done) {
  auto& core = *state_->core;
  auto& time = *state_->home->time;
  auto seen = core.changes();
  auto tried = core.append(topic, record, std::move(done));
  if (tried.ok() || tried.error().code != ec::overloaded || state_->home->on_loop()) return tried;
  auto deadline = time.now() + core.config().block_max;
  for (;;) {
    auto now = time.now();
    if (now >= deadline) {
      error why{ec::overloaded, "max.block.ms is over: " + tried.error().message};
      return why;
    }
    core.wait_for_change(seen, std::min(deadline - now, wait_step));
    seen = core.changes();
    tried = core.append(topic, record, std::move(done)); // takes `done` only when it returns ok
    if (tried.ok() || tried.error().code != ec::overloaded) return tried;
  }
}

std::future<result<delivery>> producer::send(std::string_view topic, const record_ref& record) {
  auto promise = std::make_shared<std::promise<result<delivery>>>();
  auto future = promise->get_future();
  auto sent = send(topic, record, [promise](const result<delivery>& d) { promise->set_value(d); });
  if (!sent.ok()) promise->set_value(sent.error());
  return future;
}

std::future<result<delivery>> producer::send(std::string_view topic, const record& record) {
  return send(topic, lent{record}.ref);
}
result<void> producer::send(std::string_view topic, const record& record, delivery_callback done) {
  return send(topic, lent{record}.ref, std::move(done));
}
result<void> producer::try_send(std::string_view topic, const record& record, delivery_callback done) {
  return try_send(topic, lent{record}.ref, std::move(done));
}

result<topic_info> producer::topic(std::string_view name) const {
  return state_->home->wait<topic_info>([name = std::string{name}](engine& core) {
    return core.topic(name, engine::purpose::write).then([](result<known_topic> topic) -> result<topic_info> {
      PESSOA_TRY(auto found, topic);
      return std::move(found.info);
    });
  });
}

result<void> producer::flush(std::chrono::milliseconds timeout) {
  auto& core = *state_->core;
  if (state_->home->on_loop()) return {ec::invalid_argument, "flush() was called from a callback"};
  auto& time = *state_->home->time;
  auto deadline = time.now() + timeout;
  auto marks = core.flush();
  for (;;) {
    auto seen = core.changes();
    auto missing = producer_engine::missing(marks);
    if (missing == 0) break;
    auto now = time.now();
    if (now >= deadline) {
      error why{ec::timed_out, std::to_string(missing) + " records are still on their way"};
      why.hint = "allow more time; each record is answered by delivery.timeout.ms";
      return why;
    }
    core.wait_for_change(seen, std::min<duration>(deadline - now, wait_step));
  }
  if (auto first = core.take_first_error()) return *first;
  return {};
}

void producer::close(std::chrono::milliseconds timeout) {
  if (!state_->home->on_loop()) (void)flush(timeout);
  auto core = state_->core;
  auto ending = [core, of = state_->home->core] {
    core->end({ec::shutting_down, "the producer was closed"});
    of->remove(core.get());
  };
  if (state_->home->on_loop())
    ending();
  else
    run_on(*state_->home->loop, ending);
}

producer::statistics producer::stats() const { return state_->core->stats(); }

} // namespace pessoa::client
