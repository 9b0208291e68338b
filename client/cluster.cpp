#include "pessoa/cluster.hpp"

#include "client/cluster_state.hpp"
#include "client/rpc/wire_words.hpp"

namespace pessoa::client {

cluster::state::state(network& net, std::unique_ptr<network> owned, client::settings s, client_config c)
    : settings(std::move(s)), config(std::move(c)), owned_network(std::move(owned)),
      time(make_system_clock()), random(make_system_random()), loop(net.make_loop("pessoa-client")) {
  run_on(*loop, [this] {
    loop_thread_ = std::this_thread::get_id();
    core = std::make_shared<engine>(environment{loop.get(), time.get(), random.get()}, config);
  });
}

void cluster::state::close() {
  if (closed_.exchange(true)) return;
  if (on_loop())
    core->stop();
  else
    run_on(*loop, [this] { core->stop(); });
}

cluster::state::~state() {
  auto finish = [](bool was_closed, std::shared_ptr<io_loop> on, std::shared_ptr<engine> core) {
    if (!was_closed) run_on(*on, [&] { core->stop(); });
    run_on(*on, [&] { core->drop_tasks(); });
    run_on(*on, [&] { core.reset(); });
    on.reset(); // joins the thread
  };
  if (!on_loop()) {
    finish(closed_, std::move(loop), std::move(core));
    return;
  }
  // The last handle went inside a callback. A thread cannot join itself: another one buries it, with all it
  // stands on.
  std::thread{[finish, closed = closed_.load(), on = std::move(loop), c = std::move(core),
               t = std::move(time), r = std::move(random), n = std::move(owned_network)]() mutable {
    finish(closed, std::move(on), std::move(c));
  }}.detach();
}

namespace {

result<cluster> connect_with(network& net, std::unique_ptr<network> owned, const settings& settings) {
  PESSOA_TRY(auto config, client_config::from(settings));
  auto state = std::make_shared<cluster::state>(net, std::move(owned), settings, config);
  auto slot = std::make_shared<answer_slot<std::string>>();
  auto future = slot->future();
  state->loop->post([core = state->core, slot] {
    core->start([core, slot](result<void> started) {
      if (!started.ok())
        slot->give(started.error());
      else if (auto at = core->control())
        slot->give(pessoa::to_string(at->cluster()));
      else
        slot->give(error{ec::disconnected, "the connection ended as soon as it was made"});
    });
  });
  slot.reset();
  PESSOA_TRY(state->known.id, future.get());
  return cluster{std::move(state)};
}

} // namespace

result<cluster> connect_on(network& net, const settings& settings) {
  return connect_with(net, nullptr, settings);
}

result<cluster> cluster::connect(const client::settings& settings) {
  auto net = make_system_network();
  auto& borrowed = *net;
  return connect_with(borrowed, std::move(net), settings);
}

result<cluster> cluster::connect(std::string_view bootstrap_servers) {
  client::settings s;
  PESSOA_CHECK(s.set("bootstrap.servers", bootstrap_servers));
  return connect(s);
}

std::string cluster::id() const { return state_->known.id; }
const client::settings& cluster::settings() const { return state_->settings; }
void cluster::close() { state_->close(); }

namespace {

struct control_facts {
  std::string address;
  int32_t node = -1;
  std::string version;
};

control_facts facts_of(const cluster::state& state) {
  auto got = state.wait<control_facts>([](engine& core) {
    return kj::evalLater([&core]() -> result<control_facts> {
      control_facts f;
      if (auto at = core.control()) f = {at->address(), at->node(), at->version()};
      return f;
    });
  });
  return got.ok() ? *got : control_facts{};
}

} // namespace

std::string cluster::address() const { return facts_of(*state_).address; }
int32_t cluster::node() const { return facts_of(*state_).node; }
std::string cluster::node_version() const { return facts_of(*state_).version; }

result<cluster_info> cluster::info() const {
  return state_->wait<cluster_info>([](engine& core) {
    return core.ask<cluster_info>(
        "cluster info", engine::repeat::always, [](link& at) -> kj::Promise<result<cluster_info>> {
          if (at.admin_refused()) return result<cluster_info>{*at.admin_refused()};
          return at.admin().clusterRequest().send().then(
              [](capnp::Response<wire::Admin::ClusterResults>&& r) -> result<cluster_info> {
                if (r.hasError()) return error_of(r.getError());
                return read_cluster_info(r.getInfo());
              });
        });
  });
}

result<cluster_health> cluster::health() const {
  return state_->wait<cluster_health>([](engine& core) {
    return core.ask<cluster_health>(
        "cluster health", engine::repeat::always, [](link& at) -> kj::Promise<result<cluster_health>> {
          if (at.admin_refused()) return result<cluster_health>{*at.admin_refused()};
          return at.admin().healthRequest().send().then(
              [](capnp::Response<wire::Admin::HealthResults>&& r) -> result<cluster_health> {
                if (r.hasError()) return error_of(r.getError());
                return read_health(r.getHealth());
              });
        });
  });
}

result<std::vector<topic_info>> cluster::topics() const {
  return state_->wait<std::vector<topic_info>>([](engine& core) {
    return core.all_topics().then(
        [](result<std::vector<known_topic>> all) -> result<std::vector<topic_info>> {
          PESSOA_TRY(auto topics, all);
          std::vector<topic_info> out;
          for (auto& topic : topics)
            out.push_back(std::move(topic.info));
          return out;
        });
  });
}

result<topic_info> cluster::topic(std::string_view name) const {
  return state_->wait<topic_info>([name = std::string{name}](engine& core) {
    return core.topic(name).then([](result<known_topic> topic) -> result<topic_info> {
      PESSOA_TRY(auto found, topic);
      return std::move(found.info);
    });
  });
}

} // namespace pessoa::client
