#include "simulations/run/run.hpp"

#include "client/rpc/admin_calls.hpp"
#include "schema/plants.hpp"
#include "simulations/check/node_checks.hpp"
#include "simulations/run/faults.hpp"
#include "simulations/workload/reader.hpp"
#include "simulations/workload/writer.hpp"

#include <algorithm>
#include <memory>

namespace pessoa::sim {

const char* to_string(verdict v) {
  switch (v) {
  case verdict::ok:
    return "ok";
  case verdict::failed:
    return "failed";
  case verdict::idle:
    break;
  }
  return "idle";
}

namespace {

// Nobody may need longer, once all is well, until what waits has come to an end.
constexpr world_time calm_max = 150 * second;

class run {
public:
  run(const scenario& what, uint64_t seed) : what_(what), world_(seed), past_(world_) {}
  ~run() {
    readers_.clear();
    writers_.clear();
    clients_.clear();
  }

  outcome go();

private:
  void set_up();
  void keep_alive(node_place& node);
  void create_topics(size_t index, std::function<void()> done);
  client_process& add_client(const std::string& name, std::map<std::string, std::string> settings);
  void work();
  void come_to_rest();
  void read_everything();
  node::node_settings draw_node_settings(const std::string& address);
  std::map<std::string, std::string> draw_client_settings();

  const scenario& what_;
  world world_;
  history past_;
  std::vector<std::unique_ptr<node_checks>> checks_;
  std::vector<std::unique_ptr<client_process>> clients_;
  std::vector<std::unique_ptr<writer>> writers_;
  std::vector<std::unique_ptr<reader>> readers_;
  std::unique_ptr<faults> faults_;
  std::vector<std::string> topics_;
  bool created_ = false;
  std::set<const node_place*> restarting_;
};

// -- peace ---

node::node_settings run::draw_node_settings(const std::string& address) {
  node::node_settings out;
  out.data = "data";
  out.begin_new = true;
  out.host = address;
  out.listen = {address, 18880};
  out.http_listen = node::endpoint{address, 18882};
  out.kafka_listen.reset();
  auto& knobs = world_.random().knobs;
  out.network_threads = static_cast<uint32_t>(between(knobs, 1, 3));
  out.workers = 1;
  out.io_threads = static_cast<uint32_t>(between(knobs, 1, 5));
  out.disk_reserve_bytes = chance(knobs, 50) ? 1 << 16 : 1 << 20;
  out.memory_budget_bytes = chance(knobs, 30) ? 32ull << 20 : 256ull << 20;
  return out;
}

std::map<std::string, std::string> run::draw_client_settings() {
  auto& knobs = world_.random().knobs;
  auto ms = [&](std::initializer_list<int> choices) {
    return std::to_string(*(choices.begin() + static_cast<ptrdiff_t>(knobs.below(choices.size()))));
  };
  std::map<std::string, std::string> out;
  out["bootstrap.servers"] = "10.0.0.1:18880";
  out["socket.connection.setup.timeout.ms"] = ms({200, 1000, 10'000});
  out["request.timeout.ms"] = ms({500, 2000, 30'000});
  out["retry.backoff.ms"] = ms({10, 100});
  out["retry.backoff.max.ms"] = ms({200, 1000});
  out["delivery.timeout.ms"] = ms({35'000, 60'000, 120'000});
  out["default.api.timeout.ms"] = "60000";
  out["linger.ms"] = ms({0, 0, 5, 50});
  out["batch.size"] = ms({1024, 65'536});
  out["compression.type"] =
      std::vector<std::string>{"none", "none", "lz4", "zstd", "gzip", "snappy"}[knobs.below(6)];
  out["max.in.flight.requests.per.connection"] = ms({1, 2, 5});
  out["fetch.max.wait.ms"] = ms({10, 500});
  out["max.poll.records"] = ms({1, 10, 500});
  out["max.partition.fetch.bytes"] = ms({1024, 100'000, 1'048'576});
  out["auto.offset.reset"] = "earliest";
  return out;
}

client_process& run::add_client(const std::string& name, std::map<std::string, std::string> settings) {
  auto& on = world_.add_machine("10.0.1." + std::to_string(clients_.size() + 1));
  clients_.push_back(std::make_unique<client_process>(world_, on, name, settings));
  return *clients_.back();
}

// Whoever supervises processes: what is down comes up again after a while.
void run::keep_alive(node_place& node) {
  if (node.life() == nullptr && node.powered() && restarting_.insert(&node).second)
    world_.time().after(between(world_.random().faults, 5, 1500) * millisecond, [this, &node] {
      restarting_.erase(&node);
      node.start();
    });
  world_.time().after(20 * millisecond, [this, &node] { keep_alive(node); });
}

void run::create_topics(size_t index, std::function<void()> done) {
  if (index == topics_.size()) return done();
  auto& knobs = world_.random().knobs;
  client::new_topic topic;
  topic.name = topics_[index];
  topic.partitions = what_.partitions;
  auto bytes = std::vector<std::string>{"16384", "65536", "1073741824"}[knobs.below(3)];
  topic.config["segment.bytes"] = bytes;
  auto& in = *clients_.front();
  in.run(client::create_topic(*in.core(), topic)
             .then([this, &in, index, done](client::result<client::topic_info> made) {
               if (made.ok() || made.error().code == ec::topic_exists) return create_topics(index + 1, done);
               in.after(100 * millisecond, [this, index, done] { create_topics(index, done); });
             }));
}

void run::set_up() {
  for (int32_t i = 1; i <= what_.topics; ++i)
    topics_.push_back("t" + std::to_string(i));
  auto& machine = world_.add_machine("10.0.0.1");
  auto& node = world_.add_node(machine, draw_node_settings(machine.address()),
                               sim_disk_options::draw(world_.random().disk));
  checks_.push_back(std::make_unique<node_checks>(world_, node));
  node.start();
  keep_alive(node);
  auto& admin = add_client("admin", draw_client_settings());
  admin.connect([this] { create_topics(0, [this] { created_ = true; }); });
  if (!world_.run_while_not([this] { return created_; }, 20 * second))
    world_.fail("peace_is_served", "the topics could not be created within 20 seconds");
}

// -- work and faults ---

void run::work() {
  auto begin_writer = [this](const std::string& name, bool idempotent) {
    auto settings = draw_client_settings();
    if (!idempotent) settings["enable.idempotence"] = "false";
    auto& in = add_client(name, settings);
    writer_options options;
    options.topics = topics_;
    options.idempotent = idempotent;
    writers_.push_back(std::make_unique<writer>(in, past_, name, options));
    in.connect([w = writers_.back().get()] { w->start(); });
  };
  for (int32_t i = 1; i <= what_.writers; ++i)
    begin_writer("writer" + std::to_string(i), true);
  for (int32_t i = 1; i <= what_.plain_writers; ++i)
    begin_writer("plain" + std::to_string(i), false);
  for (int32_t i = 1; i <= what_.readers; ++i) {
    auto& in = add_client("reader" + std::to_string(i), draw_client_settings());
    reader_options options;
    options.topics = topics_;
    readers_.push_back(std::make_unique<reader>(in, past_, options));
    in.connect([r = readers_.back().get()] { r->start(); });
  }
  auto span = what_.seconds * second;
  auto calm_begins = world_.now() + span * 3 / 4;
  faults_ = std::make_unique<faults>(world_, what_, world_.now(), calm_begins);
  world_.run_until(calm_begins);
}

// -- calm ---

void run::come_to_rest() {
  world_.say("calm");
  faults_->calm();
  world_.run_until(world_.now() + what_.seconds * second / 4);
  for (auto& writer : writers_)
    writer->stop();
  auto rested = [this] {
    return std::all_of(writers_.begin(), writers_.end(), [](auto& w) { return w->open() == 0; });
  };
  if (!world_.run_while_not(rested, world_.now() + calm_max) && !world_.failed()) {
    size_t open = 0;
    for (auto& writer : writers_)
      open += writer->open();
    return world_.fail("calm_ends_all", std::to_string(open) + " records still wait for their answer");
  }
  if (past_.pending() != 0 && !world_.failed())
    world_.fail("calm_ends_all", std::to_string(past_.pending()) + " records were never answered");
}

void run::read_everything() {
  auto& node = world_.nodes().front();
  if (what_.final_crash) {
    bool power = world_.random().faults.below(2) == 0;
    node.kill(power);
    node.power_on();
  }
  auto& in = add_client("last reader", draw_client_settings());
  reader_options options;
  options.topics = topics_;
  readers_.push_back(std::make_unique<reader>(in, past_, options));
  bool done = false;
  in.connect([&, r = readers_.back().get()] { r->read_everything([&done] { done = true; }); });
  if (!world_.run_while_not([&done] { return done; }, world_.now() + calm_max))
    world_.fail("calm_is_served", "what is there could not be read to its end");
  if (node.disk().counters().after_death > 0)
    world_.fail("no_io_after_death", std::to_string(node.disk().counters().after_death)
                                         + " operations reached the disk from a process that was dead");
}

outcome run::go() {
  set_up();
  if (!world_.failed()) work();
  if (!world_.failed()) come_to_rest();
  if (!world_.failed()) read_everything();
  outcome out;
  out.scenario = what_.name;
  out.seed = world_.seed();
  out.trace = world_.tracing().value();
  out.virtual_seconds = static_cast<double>(world_.now()) / second;
  out.steps = world_.steps();
  out.acknowledged = past_.acknowledged_count();
  out.unknown = past_.unknown_count();
  out.refused = past_.failed_count();
  out.read = past_.read_count();
  if (faults_) out.faults = faults_->counts();
  if (auto& failed = world_.failed()) {
    out.verdict = verdict::failed;
    out.reason = failed->check;
    out.why = failed->why;
  } else if (out.acknowledged < acknowledged_min) {
    out.verdict = verdict::idle;
    out.reason = "only " + std::to_string(out.acknowledged) + " records were acknowledged";
  }
  for (auto& [name, count] : plants::probes())
    out.probes[std::string{name}] = count;
  out.story = world_.tracing().words();
  return out;
}

} // namespace

outcome run_seed(const scenario& what, uint64_t seed) {
  plants::probes().clear();
  run one{what, seed};
  return one.go();
}

} // namespace pessoa::sim
