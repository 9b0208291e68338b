#include "simulations/run/run.hpp"

#include "client/rpc/admin_calls.hpp"
#include "schema/plants.hpp"
#include "simulations/check/node_checks.hpp"
#include "simulations/check/progress.hpp"
#include "simulations/check/resources.hpp"
#include "simulations/check/survival.hpp"
#include "simulations/run/faults.hpp"
#include "simulations/run/knobs.hpp"
#include "simulations/storage/storage_run.hpp"
#include "simulations/workload/administrator.hpp"
#include "simulations/workload/foreign_clients.hpp"
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
  run(const scenario& what, uint64_t seed)
      : what_(what), knobs_(what, seed), world_(seed), past_(world_), progress_(world_) {}
  ~run() { end_clients(); }

  outcome go();

private:
  void set_up();
  void keep_alive(node_place& node);
  void create_topics(size_t index, std::function<void()> done);
  client_process& add_client(const std::string& name, std::map<std::string, std::string> more = {});
  void work();
  void come_to_rest();
  void end_clients();
  void rest();
  void read_everything();
  void damaged(const std::string& path, damage how);

  const scenario& what_;
  knobs knobs_;
  world world_;
  history past_;
  progress_check progress_;
  std::vector<std::unique_ptr<node_checks>> checks_;
  std::vector<std::unique_ptr<resources>> resources_;
  std::vector<std::unique_ptr<survival>> survivals_;
  std::vector<std::unique_ptr<client_process>> clients_;
  std::vector<std::unique_ptr<writer>> writers_;
  std::vector<std::unique_ptr<reader>> readers_;
  std::unique_ptr<administrator> administrator_;
  std::unique_ptr<foreign_clients> foreign_;
  std::unique_ptr<faults> faults_;
  std::vector<std::string> topics_, churning_; // that stay; that come and go
  bool created_ = false;
  size_t clients_ever_ = 0;
  std::set<const node_place*> restarting_;
};

// -- peace ---

// `more` stands above what is drawn.
client_process& run::add_client(const std::string& name, std::map<std::string, std::string> more) {
  more.merge(knobs_.of_client(name, "10.0.0.1:18880"));
  auto& on = world_.add_machine("10.0.1." + std::to_string(++clients_ever_));
  clients_.push_back(std::make_unique<client_process>(world_, on, name, more));
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
  client::new_topic topic;
  topic.name = topics_[index];
  topic.partitions = what_.partitions;
  topic.config = knobs_.of_topic(topic.name, false);
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
  for (int32_t i = 1; i <= what_.churning_topics && what_.administrators > 0; ++i)
    churning_.push_back("c" + std::to_string(i));
  auto& machine = world_.add_machine("10.0.0.1");
  auto& node = world_.add_node(machine, knobs_.of_node(machine.address()),
                               sim_disk_options::draw(world_.random().disk));
  checks_.push_back(std::make_unique<node_checks>(
      world_, node, [this](const partition_key& key) { return past_.damage_of(to_string(key)); }));
  resources_.push_back(std::make_unique<resources>(world_, node));
  survivals_.push_back(std::make_unique<survival>(world_, node));
  past_.high_watermarks([this](auto& key) { return checks_.front()->shown(key); });
  node.start();
  keep_alive(node);
  auto& admin = add_client("admin");
  admin.connect([this] { create_topics(0, [this] { created_ = true; }); });
  if (!world_.run_while_not([this] { return created_; }, 20 * second))
    world_.fail("peace_is_served", "the topics could not be created within 20 seconds");
}

// -- work and faults ---

void run::work() {
  auto begin_writer = [this](const std::string& name, const std::vector<std::string>& topics, bool idempotent,
                             std::map<std::string, std::string> settings = {}) {
    if (!idempotent) settings["enable.idempotence"] = "false";
    auto& in = add_client(name, settings);
    writer_options options;
    options.topics = topics;
    options.idempotent = idempotent;
    writers_.push_back(std::make_unique<writer>(in, past_, name, options));
    in.connect([w = writers_.back().get()] { w->start(); });
  };
  for (int32_t i = 1; i <= what_.writers; ++i)
    begin_writer("writer" + std::to_string(i), topics_, true);
  for (int32_t i = 1; i <= what_.plain_writers; ++i)
    begin_writer("plain" + std::to_string(i), topics_, false);
  // Of its own: what waits for a topic that is not there holds the memory of what could be sent.
  if (!churning_.empty())
    begin_writer("churner", churning_, true, {{"max.block.ms", "5000"}, {"delivery.timeout.ms", "10000"}});
  for (int32_t i = 1; i <= what_.readers; ++i) {
    auto& in = add_client("reader" + std::to_string(i));
    reader_options options;
    options.topics = topics_;
    readers_.push_back(std::make_unique<reader>(in, past_, options));
    in.connect([r = readers_.back().get()] { r->start(); });
  }
  if (what_.administrators > 0) {
    administrator_options options;
    options.kept = topics_;
    options.churning = churning_;
    options.partitions = what_.partitions;
    options.come_by_writing = world_.nodes().front().settings().auto_create;
    auto& in = add_client("administrator");
    administrator_ = std::make_unique<administrator>(in, past_, std::move(options));
    in.connect([a = administrator_.get()] { a->start(); });
  }
  foreign_ = std::make_unique<foreign_clients>(world_, past_, topics_, "10.0.2.");
  foreign_->add_writers(what_.kafka_writers);
  foreign_->add_readers(what_.kafka_readers);
  foreign_->add_hostile(what_.hostile);
  auto span = what_.seconds * second;
  auto calm_begins = world_.now() + span * 3 / 4;
  faults_ = std::make_unique<faults>(world_, what_, world_.now(), calm_begins,
                                     [this](const std::string& path, damage how) { damaged(path, how); });
  world_.run_until(calm_begins);
}

void run::damaged(const std::string& path, damage how) {
  world_.say("the disk lies about " + path);
  auto topics = world_.nodes().front().settings().data + "/topics/";
  if (path.starts_with(topics))
    past_.damaged(path.substr(topics.size(), path.find('/', topics.size()) - topics.size()), how);
  else
    past_.all_damaged();
}

// -- calm ---

void run::come_to_rest() {
  world_.say("calm");
  faults_->calm();
  past_.calm([this] {
    return std::all_of(checks_.begin(), checks_.end(), [](auto& c) { return c->all_online(); });
  });
  world_.run_until(world_.now() + what_.seconds * second / 4);
  for (auto& writer : writers_)
    writer->stop();
  if (administrator_) administrator_->stop();
  foreign_->stop();
  auto rested = [this] {
    return foreign_->open() == 0
           && std::all_of(writers_.begin(), writers_.end(), [](auto& w) { return w->open() == 0; })
           && (!administrator_ || administrator_->open() == 0);
  };
  if (!world_.run_while_not(rested, world_.now() + calm_max) && !world_.failed()) {
    size_t open = foreign_->open();
    for (auto& writer : writers_)
      open += writer->open();
    return world_.fail("calm_ends_all",
                       std::to_string(open) + " records still wait for their answer"
                           + (administrator_ && administrator_->open() > 0 ? ", and an administrator" : ""));
  }
  if (past_.pending() != 0 && !world_.failed())
    world_.fail("calm_ends_all", std::to_string(past_.pending()) + " records were never answered");
}

// Whoever worked has gone.
void run::end_clients() {
  foreign_.reset();
  for (auto& client : clients_)
    client->end();
  readers_.clear();
  writers_.clear();
  clients_.clear();
}

void run::rest() {
  end_clients();
  for (auto& one : resources_)
    one->watch_rest();
}

void run::read_everything() {
  auto& node = world_.nodes().front();
  if (what_.final_crash) {
    bool power = world_.random().faults.below(2) == 0;
    node.kill(power);
    node.power_on();
  }
  auto& in = add_client("last reader");
  reader_options options;
  options.topics = topics_;
  readers_.push_back(std::make_unique<reader>(in, past_, options));
  bool done = false;
  auto all_read = [&] {
    if (!administrator_) return static_cast<void>(done = true);
    administrator_->look(in, [&done] { done = true; });
  };
  in.connect([&, r = readers_.back().get()] { r->read_everything(all_read); });
  foreign_ = std::make_unique<foreign_clients>(world_, past_, topics_, "10.0.3.");
  foreign_->add_readers(what_.kafka_readers);
  foreign_->catch_up();
  if (!world_.run_while_not([&] { return done && !foreign_->behind(); }, world_.now() + calm_max))
    world_.fail("calm_is_served", "what is there could not be read to its end: "
                                      + (done ? *foreign_->behind() : std::string{"the last reader waits"}));
  auto gone = [this] { return !checks_.front()->leftover(); };
  if (!past_.any_damaged() && !world_.run_while_not(gone, world_.now() + calm_max))
    world_.fail("deleted_is_gone", "a directory is left of a topic that is not there: "
                                       + checks_.front()->leftover().value_or(""));
  if (node.disk().counters().after_death > 0)
    world_.fail("no_io_after_death", std::to_string(node.disk().counters().after_death)
                                         + " operations reached the disk from a process that was dead");
}

outcome run::go() {
  set_up();
  if (!world_.failed()) work();
  if (!world_.failed()) come_to_rest();
  if (!world_.failed()) rest();
  if (!world_.failed()) read_everything();
  outcome out;
  out.scenario = what_.name;
  out.seed = world_.seed();
  out.trace = world_.tracing().value();
  out.virtual_seconds = static_cast<double>(world_.now()) / second;
  out.steps = world_.steps();
  out.steps_of = world_.steps_of();
  out.acknowledged = past_.acknowledged_count();
  out.unknown = past_.unknown_count();
  out.refused = past_.failed_count();
  out.read = past_.read_count();
  if (faults_) out.faults = faults_->counts();
  if (what_.hostile > 0) out.faults["hostile"] = static_cast<uint64_t>(what_.hostile);
  if (auto& failed = world_.failed()) {
    out.verdict = verdict::failed;
    out.reason = failed->check;
    out.why = failed->why;
  } else if (out.acknowledged < acknowledged_min) {
    out.verdict = verdict::idle;
    out.reason = "only " + std::to_string(out.acknowledged) + " records were acknowledged";
  } else if (out.faults.empty()) {
    out.verdict = verdict::idle;
    out.reason = "no fault took effect";
  }
  for (auto& [name, count] : plants::probes())
    out.probes[std::string{name}] = count;
  out.story = world_.tracing().words();
  out.settings = knobs_.drawn();
  return out;
}

} // namespace

outcome run_seed(const scenario& what, uint64_t seed) {
  plants::probes().clear();
  if (what.directories > 0) return run_directories(what, seed);
  run one{what, seed};
  return one.go();
}

} // namespace pessoa::sim
