#include "node/wiring.hpp"

#include "actors/broker/broker.hpp"
#include "actors/controller/controller.hpp"
#include "actors/gateway/gateway.hpp"
#include "actors/type_ids.hpp"
#include "node/front.hpp"
#include "node/health.hpp"
#include "node/http_server.hpp"
#include "node/kafka_listener.hpp"
#include "node/kafka_metrics.hpp"
#include "node/rpc/session.hpp"
#include "node/rpc_listener.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <thread>

namespace pessoa::node {

namespace {

constexpr size_t commit_threads = 4;      // they wait for the disk, side by side
constexpr size_t messages_per_turn = 300; // CAF's default is unlimited: a busy actor would keep its worker

persistence::log_settings log_settings_of(const node_settings& settings) {
  persistence::log_settings out;
  out.index_interval_bytes = static_cast<int64_t>(settings.index_interval_bytes);
  out.producer_snapshot_bytes = settings.producer_snapshot_bytes;
  out.producers_max = settings.producers_max;
  out.producer_expiry_ms = settings.producer_expiry / std::chrono::milliseconds{1};
  return out;
}

connection_limits connection_limits_of(const node_settings& settings) {
  return {settings.connections_max, settings.connections_per_address_max};
}

} // namespace

running_node::running_node(const node_settings& settings, node_seams seams)
    : settings_(settings), seams_(std::move(seams)) {}

running_node::~running_node() {
  // Listeners, actors, pending answers, loops: in this order.
  http_.reset();
  metric_handles_.clear();
  kafka_.reset();
  rpc_.reset();
  services_ = {};
  routes_.clear();
  // Actors that nobody has stopped will not end by themselves: they go as they are.
  if (system_ && !stopped_) system_->await_actors_before_shutdown(false);
  system_.reset();
  read_pool_.reset();
  commits_.reset();
  commit_pool_.reset();
  loops_.clear();
  http_loop_.reset();
}

result<std::unique_ptr<running_node>> running_node::start(const node_settings& settings, node_seams seams,
                                                          std::function<void(result<void>)> on_ready) {
  std::unique_ptr<running_node> node{new running_node{settings, std::move(seams)}};
  PESSOA_CHECK(node->open());
  node->register_self(std::move(on_ready));
  return node;
}

result<void> running_node::open() {
  began_ = seams_.time->now();
  read_before_ = bytes_read_so_far();
  PESSOA_CHECK(open_directory());
  PESSOA_CHECK(bind());
  return start_actors();
}

// -- the data directory ---

result<void> running_node::open_directory() {
  using persistence::data_directory;
  using persistence::directory_kind;
  PESSOA_TRY(auto kind, data_directory::inspect(*seams_.disk, settings_.data));
  if (kind != directory_kind::known && !settings_.begin_new && settings_.join.empty())
    return error{ec::invalid_argument, "the data directory " + settings_.data
                                           + " is empty: begin a cluster with 'pessoa start --data "
                                           + settings_.data
                                           + " --new', or enter one with 'pessoa start --data "
                                           + settings_.data + " --join HOST:PORT'"};
  if (kind != directory_kind::known && !settings_.join.empty())
    return error{ec::invalid_argument,
                 "--join: clusters of several nodes are not there yet; begin one with --new"};

  persistence::data_directory_options options;
  options.reserve_bytes = settings_.disk_reserve_bytes;
  PESSOA_TRY(directory_, data_directory::open(*seams_.disk, settings_.data, options));
  if (directory_->is_fresh())
    PESSOA_CHECK(directory_->initialise(persistence::directory_identity::draw(
        cluster_id{draw_uuid(*seams_.random)}, node_id{1}, *seams_.random)));
  bool clean = directory_->was_clean_stop();
  PESSOA_CHECK(directory_->begin_writing());

  read_pool_ = seams_.make_pool(settings_.io_threads, "pessoa-read");
  commit_pool_ = seams_.make_pool(commit_threads, "pessoa-commit");
  persistence::commit_settings commit;
  commit.reserve_bytes = settings_.disk_reserve_bytes;
  commit.journal_from_logs = settings_.journal_from_logs;
  commit.journal_bytes_max = settings_.journal_bytes_max;
  PESSOA_TRY(commits_, persistence::commit_service::open(*seams_.disk, directory_->journal_path(),
                                                         *commit_pool_, *seams_.time, commit));

  env_.time = seams_.time;
  env_.random = seams_.random;
  env_.reads = read_pool_.get();
  env_.commits = commits_.get();
  env_.disk = seams_.disk;
  env_.log = seams_.log;
  env_.routes = &routes_;
  env_.counters = &counters_;
  env_.self = directory_->identity().node;
  env_.clean_stop = clean;
  env_.opens_in_parallel = settings_.opens_in_parallel;
  env_.upkeep_interval = settings_.upkeep_interval;
  env_.logs = log_settings_of(settings_);
  env_.waiting_bytes_max = settings_.partition_queue_bytes_max;
  env_.parked_fetches_max = settings_.parked_fetches_max;
  env_.create_partition = [this](const partition_key& key) {
    std::lock_guard guard{directory_mutex_};
    return directory_->create_partition(key);
  };
  env_.delete_partition = [this](const partition_key& key) { return delete_partition(key); };
  env_.list_partitions = [this]() -> result<std::vector<partition_key>> {
    std::lock_guard guard{directory_mutex_};
    PESSOA_TRY(auto list, directory_->partitions());
    for (auto& name : list.unknown)
      seams_.log->warn("node",
                       "unknown name in the topics directory, left as it is: " + pessoa::quoted(name));
    return std::move(list.partitions);
  };
  env_.born = seams_.born;
  env_.fatal = seams_.fatal;
  return {};
}

// Freeing a large partition takes long. It blocks one storage thread and not those that create, delete and read beside
// it: who comes while another frees leaves its share to that one.
result<void> running_node::delete_partition(const partition_key& key) {
  {
    std::lock_guard guard{directory_mutex_};
    PESSOA_CHECK(directory_->delete_partition(key));
    if (std::exchange(freeing_, true)) {
      free_again_ = true;
      return {};
    }
  }
  for (;;) {
    auto freed = directory_->finish_deletions();
    std::lock_guard guard{directory_mutex_};
    if (freed && std::exchange(free_again_, false)) continue;
    freeing_ = free_again_ = false;
    if (!freed) return freed.error(); // it is gone by name; its bytes go at the next start
    return {};
  }
}

// -- listeners ---

result<void> running_node::bind() {
  // Separate, so that producers who wait for room do not keep consumers from reading.
  budget_ = byte_budget::make(settings_.memory_budget_bytes);
  replies_ = byte_budget::make(std::max<size_t>(settings_.memory_budget_bytes / 2, connection_bytes_budget));
  PESSOA_TRY(rpc_socket_, listen_on(settings_.listen, "listen"));
  rpc_address_ = rpc_socket_->address();
  if (settings_.kafka_listen) {
    PESSOA_TRY(kafka_socket_, listen_on(*settings_.kafka_listen, "kafka-listen"));
    kafka_address_ = kafka_socket_->address();
  }
  if (settings_.http_listen) {
    PESSOA_TRY(http_socket_, listen_on(*settings_.http_listen, "http-listen"));
    http_address_ = http_socket_->address();
  }
  auto count = settings_.network_threads;
  if (count == 0) count = std::max(1u, std::thread::hardware_concurrency() / 2);
  for (uint32_t i = 0; i < count; ++i)
    loops_.push_back(seams_.net->make_loop("pessoa-net-" + std::to_string(i)));
  if (http_socket_) http_loop_ = seams_.net->make_loop("pessoa-http");
  return {};
}

result<std::shared_ptr<listening_socket>> running_node::listen_on(const endpoint& where,
                                                                  const char* setting) {
  auto made = seams_.net->listen(where.host, where.port);
  if (!made) return error{made.error().code, std::string{setting} + ": " + made.error().message};
  return made;
}

std::string running_node::advertised(const listening_socket& socket) const {
  if (settings_.advertise.empty()) return socket.address();
  return to_string(host_port{settings_.advertise, socket.port()});
}

std::string running_node::ready_line() const {
  auto or_off = [](const std::string& address) { return address.empty() ? "off" : address; };
  return "ready node=" + std::to_string(env_.self.value()) + " rpc=" + rpc_address_
         + " peer=off kafka=" + or_off(kafka_address_) + " http=" + or_off(http_address_);
}

// -- actors ---

result<void> running_node::start_actors() {
  actor_config_.set("scheduler.policy", caf::atom("sharing"));
  actor_config_.set("scheduler.max-throughput", messages_per_turn);
  auto workers =
      settings_.workers != 0 ? settings_.workers : std::max(1u, std::thread::hardware_concurrency());
  actor_config_.set("scheduler.max-threads", static_cast<size_t>(workers));
  if (seams_.configure_actors) seams_.configure_actors(actor_config_);

  persistence::recovery_report report;
  PESSOA_TRY(auto opened, actors::open_metadata_log(*seams_.disk, directory_->metadata_path(), *commits_,
                                                    env_.clean_stop, report));
  system_ = std::make_unique<caf::actor_system>(actor_config_);
  auto first = std::make_shared<cluster_created>(cluster_created{directory_->identity().cluster, ""});
  auto box = std::make_shared<actors::metadata_log>(std::move(opened));
  services_.env = &env_;
  services_.replies = replies_;
  services_.broker = system_->spawn(actors::broker, &env_);
  services_.controller = system_->spawn(actors::controller, &env_, box, first);
  services_.gateway = system_->spawn(actors::gateway, &env_, services_.controller);
  services_.cluster = directory_->identity().cluster;
  services_.auto_create = settings_.auto_create;
  services_.default_partitions = static_cast<int32_t>(settings_.default_partitions);
  services_.version = PESSOA_VERSION;
  caf::anon_send(services_.controller, services_.broker);
  return {};
}

void running_node::register_self(std::function<void(result<void>)> on_ready) {
  node_registered registration;
  registration.node = env_.self;
  registration.directory = directory_->identity().directory;
  registration.rpc = advertised(*rpc_socket_);
  if (kafka_socket_) registration.kafka = advertised(*kafka_socket_);
  if (http_socket_) registration.http = advertised(*http_socket_);
  registration.rack = settings_.rack;
  registration.version = PESSOA_VERSION;
  auto command = std::make_shared<actors::register_node_command>();
  command->registration = std::move(registration);
  command->reply = actors::make_responder<actors::committed_change>(
      [this, on_ready](result<actors::committed_change> registered) {
        if (!registered) return on_ready(registered.error());
        when_registered(on_ready);
      },
      {ec::shutting_down, "the controller ended before the node was registered"});
  caf::anon_send(services_.controller, std::move(command));
}

void running_node::when_registered(std::function<void(result<void>)> on_ready) {
  auto reply = actors::make_responder<actors::ready_replicas>(
      [this, on_ready](result<actors::ready_replicas> ready) {
        if (!ready) return on_ready(ready.error());
        seams_.log->info("node", std::to_string(ready->hosted - ready->failed) + " replicas are open");
        bool all_open = ready->failed == 0;
        read_pool_->post([this, on_ready, all_open] {
          // Every log has taken what the journal held for it. One that could not be opened has not, and the journal may be
          // the only place where its last records are: it stays for the next start.
          if (!all_open)
            seams_.log->warn("node",
                             "not every replica could be opened: the old journal is kept until all can");
          else if (auto trimmed = commits_->recovery_complete(); !trimmed)
            return on_ready(trimmed.error());
          recovery_ = {seams_.time->now() - began_, bytes_read_so_far() - read_before_};
          serve(on_ready);
        });
      },
      {ec::shutting_down, "the broker ended before the node was ready"});
  caf::anon_send(services_.broker,
                 std::make_shared<actors::all_ready_wait>(actors::all_ready_wait{std::move(reply)}));
}

void running_node::serve(std::function<void(result<void>)> on_ready) {
  std::unique_lock life{life_mutex_};
  if (stopping_) {
    life.unlock();
    return on_ready(error{ec::shutting_down, "the node was stopped before it was ready"});
  }
  serve_rpc();
  if (kafka_socket_) serve_kafka();
  serve_http();
  life.unlock();
  on_ready({});
}

void running_node::serve_rpc() {
  rpc_listener_options options;
  options.connection.filter.kafka_hint = kafka_address_.empty()
                                             ? std::string{"the Kafka listener is off"}
                                             : "the Kafka protocol is served on " + kafka_address_;
  options.connection.filter.http_hint =
      http_address_.empty() ? std::string{"HTTP is off"} : "HTTP is served on " + http_address_;
  options.connections = connection_limits_of(settings_);
  options.connection.slow_reader_deadline = settings_.slow_reader_deadline;
  rpc_listener_hooks hooks;
  hooks.refused = [this](const std::string& peer, const error& why) {
    seams_.log->info("rpc", peer + " was turned away: " + to_string(why));
  };
  hooks.stopped_accepting = [this](const error& why) { seams_.log->fail("rpc", to_string(why)); };
  auto factory = [this](std::shared_ptr<connection_context> connection) -> capnp::Capability::Client {
    return make_bootstrap(std::make_shared<rpc_caller>(services_, std::move(connection)));
  };
  rpc_ = rpc_listener::start(std::move(rpc_socket_), loops_, budget_, std::move(factory), std::move(options),
                             std::move(hooks));
}

void running_node::serve_kafka() {
  kafka::service_options service;
  auto apis = kafka::advertised_apis::limited(settings_.kafka_api_max);
  PESSOA_ASSERT(apis.ok(), settings_.kafka_api_max); // the settings have read it
  service.apis = std::move(*apis);
  service.version = services_.version;
  service.log = seams_.log;
  service.counted = &kafka_counters_;
  if (!settings_.advertise.empty())
    service.advertised = host_port{settings_.advertise, kafka_socket_->port()};
  kafka_listener_options options;
  options.connections = connection_limits_of(settings_);
  options.connection.slow_reader_deadline = settings_.slow_reader_deadline;
  options.connection.idle_deadline = settings_.idle_deadline;
  options.connection.rpc_hint = "pessoa speaks to " + std::to_string(rpc_->port());
  options.connection.http_hint =
      http_address_.empty() ? std::string{"HTTP is off"} : "HTTP is served on " + http_address_;
  stream_listener_hooks hooks;
  hooks.refused = [this](const std::string& peer, const error& why) {
    seams_.log->info("kafka", peer + " was turned away: " + to_string(why));
  };
  hooks.stopped_accepting = [this](const error& why) { seams_.log->fail("kafka", to_string(why)); };
  auto gateways = [this](io_loop& loop) -> std::unique_ptr<kafka::gateway> {
    return std::make_unique<front>(services_, loop,
                                   byte_budget::make(connection_bytes_budget, services_.replies));
  };
  kafka_ = node::serve_kafka(std::move(kafka_socket_), loops_, kafka_listener_budgets::of(budget_),
                             kafka::make_service(std::move(service)), std::move(gateways), std::move(options),
                             std::move(hooks));
}

void running_node::serve_http() {
  auto keep = [this](metric_handles made) {
    metric_handles_.insert(metric_handles_.end(), made.begin(), made.end());
  };
  keep(process_metrics(metrics_, *seams_.time, PESSOA_VERSION));
  keep(budget_metrics(metrics_, "requests", budget_));
  keep(budget_metrics(metrics_, "replies", replies_));
  keep(rpc_listener_metrics(metrics_, *rpc_));
  if (kafka_) {
    keep(kafka_listener_metrics(metrics_, *kafka_));
    keep(kafka_service_metrics(metrics_, kafka_counters_));
  }
  keep(actor_metrics(metrics_, env_));
  keep(recovery_metrics(metrics_, recovery_));
  keep(storage_metrics(metrics_, env_));
  keep(health_metrics(metrics_, env_));
  if (!http_socket_) return;
  http_handlers handlers;
  handlers.why_not_ready = [this] { return judge_health(env_).reasons; };
  handlers.metrics = [this] { return metrics_.exposition(); };
  http_server_options options;
  options.rpc_hint = "clients are served on " + rpc_address_;
  options.on_refused = [this](const std::string& peer, const error& why) {
    seams_.log->info("http", peer + " was turned away: " + to_string(why));
  };
  http_ = http_server::start(std::move(http_socket_), http_loop_, std::move(handlers), std::move(options));
}

// -- the end ---

void running_node::stop(std::function<void(result<void>)> on_stopped) {
  {
    std::lock_guard life{life_mutex_};
    PESSOA_ASSERT(!stopping_);
    stopping_ = true;
  }
  auto then_actors = [this, on_stopped] {
    metric_handles_.clear();
    stop_actors(on_stopped);
  };
  auto then_clients = [this, then_actors] { stop_clients(then_actors); };
  if (http_)
    http_->stop(then_clients);
  else
    then_clients();
}

// Side by side: each may need its whole farewell.
void running_node::stop_clients(std::function<void()> done) {
  auto left = std::make_shared<std::atomic<int>>((rpc_ ? 1 : 0) + (kafka_ ? 1 : 0));
  if (*left == 0) return done();
  auto one_ended = [left, done = std::move(done)] {
    if (--*left == 0) done();
  };
  if (kafka_) kafka_->stop(one_ended);
  if (rpc_) rpc_->stop(one_ended);
}

void running_node::stop_actors(std::function<void(result<void>)> on_stopped) {
  auto reply = actors::make_responder<bool>(
      [this, on_stopped](result<bool> clean) {
        bool all_closed = clean.ok() && *clean;
        auto then = actors::make_responder<bool>(
            [this, all_closed, on_stopped](result<bool> closed) {
              finish_stop(all_closed && closed.ok(), on_stopped);
            },
            {ec::shutting_down, "the controller had ended already"});
        caf::anon_send(services_.controller,
                       std::make_shared<actors::controller_stop>(actors::controller_stop{std::move(then)}));
      },
      {ec::shutting_down, "the broker had ended already"});
  caf::anon_send(services_.broker,
                 std::make_shared<actors::broker_stop>(actors::broker_stop{std::move(reply)}));
}

void running_node::finish_stop(bool clean, std::function<void(result<void>)> on_stopped) {
  caf::anon_send_exit(services_.gateway, caf::exit_reason::user_shutdown);
  read_pool_->post([this, clean, on_stopped] {
    stopped_ = true;
    auto flushed = commits_->flush();
    if (!flushed) return on_stopped(flushed.error());
    if (!clean) return on_stopped(error{ec::storage_failed, "not every log could be closed in order"});
    auto marked = [this] {
      std::lock_guard guard{directory_mutex_};
      return directory_->mark_clean_stop();
    };
    on_stopped(marked());
  });
}

} // namespace pessoa::node
