#include "simulations/run/run.hpp"

#include "schema/plants.hpp"
#include "simulations/check/client_checks.hpp"
#include "simulations/check/node_checks.hpp"
#include "simulations/check/progress.hpp"
#include "simulations/check/resources.hpp"
#include "simulations/check/survival.hpp"
#include "simulations/run/clients.hpp"
#include "simulations/run/faults.hpp"
#include "simulations/run/knobs.hpp"
#include "simulations/storage/storage_run.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

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
// More producers than this may write to a partition within the time for which a batch is repeated.
constexpr size_t producers_at_once = 1000;

class run {
public:
  run(const scenario& what, uint64_t seed)
      : what_(what), knobs_(what, seed), world_(seed), past_(world_), progress_(world_),
        clients_(world_, past_, what, knobs_) {}

  outcome go();

private:
  void set_up();
  void keep_alive(node_place& node);
  void work();
  void come_to_rest();
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
  std::unique_ptr<faults> faults_;
  clients clients_; // after all that they may touch
  std::set<const node_place*> restarting_;
  double load_seconds_ = 0;
};

// -- peace ---

// Whoever supervises processes: what is down comes up again after a while.
void run::keep_alive(node_place& node) {
  if (node.life() == nullptr && node.powered() && restarting_.insert(&node).second)
    world_.time().after(between(world_.random().faults, 5, 1500) * millisecond, [this, &node] {
      restarting_.erase(&node);
      node.start();
    });
  world_.time().after(20 * millisecond, [this, &node] { keep_alive(node); });
}

void run::set_up() {
  check_clients(world_);
  auto& machine = world_.add_machine("10.0.0.1");
  auto& node = world_.add_node(machine, knobs_.of_node(machine.address()),
                               sim_disk_options::draw(world_.random().disk));
  checks_.push_back(std::make_unique<node_checks>(
      world_, node, [this](const partition_key& key) { return past_.damage_of(to_string(key)); }));
  resources_.push_back(std::make_unique<resources>(world_, node));
  survivals_.push_back(std::make_unique<survival>(world_, node));
  if (node.settings().producers_max < producers_at_once) past_.forgets_producers();
  past_.high_watermarks([this](auto& key) { return checks_.front()->shown(key); });
  node.start();
  keep_alive(node);
  clients_.create_topics();
  if (!world_.run_while_not([this] { return clients_.created(); }, 20 * second))
    world_.fail("peace_is_served", "the topics could not be created within 20 seconds");
}

// -- work and faults ---

void run::work() {
  clients_.work();
  auto span = what_.seconds * second;
  auto calm_begins = world_.now() + span * 3 / 4;
  faults_ = std::make_unique<faults>(world_, what_, world_.now(), calm_begins,
                                     [this](const std::string& path, damage how) { damaged(path, how); });
  faults_->provoke = [this] { clients_.change_names(); };
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
  load_seconds_ = static_cast<double>(what_.seconds);
  past_.calm([this] {
    return std::all_of(checks_.begin(), checks_.end(), [](auto& c) { return c->all_online(); });
  });
  world_.run_until(world_.now() + what_.seconds * second / 4);
  clients_.stop();
  if (!world_.run_while_not([this] { return !clients_.open(); }, world_.now() + calm_max) && !world_.failed())
    return world_.fail("calm_ends_all", clients_.open().value_or(""));
  if (past_.pending() != 0 && !world_.failed())
    world_.fail("calm_ends_all", std::to_string(past_.pending()) + " records were never answered");
}

void run::rest() {
  clients_.end();
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
  clients_.begin_last_look();
  // Who has its fill of one partition may wait for the others, one after the other, as long as a fetch may wait.
  auto partitions = static_cast<world_time>(what_.topics) * what_.partitions;
  auto read_max = calm_max + partitions * 10 * second;
  if (!world_.run_while_not([this] { return !clients_.unread(); }, world_.now() + read_max))
    world_.fail("calm_is_served",
                "what is there could not be read to its end: " + clients_.unread().value_or(""));
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
  out.load_seconds = load_seconds_;
  for (auto& node : world_.nodes())
    out.batches += node.batches();
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
