#include "simulations/world/world.hpp"

#include "schema/assert.hpp"
#include "schema/plants.hpp"

#include <algorithm>

namespace pessoa::sim {

// -- a node's place ---

node_place::node_place(world& of, machine& on, node::node_settings settings, sim_disk_options disk)
    : world_(of), on_(on), settings_(std::move(settings)), disk_(of.random().disk, disk) {}

node_place::~node_place() {
  if (life_) end_life(false);
}

void node_place::start() {
  if (life_ || !powered_) return;
  ++lives_;
  troubles_before_ = disk_.troubles();
  world_.say("node " + on_.address() + " starts, life " + std::to_string(lives_));
  node_process::options options;
  options.settings = settings_;
  options.speed = speed_;
  life_ = std::make_unique<node_process>(world_.time(), on_, world_.net(), disk_, world_.random(),
                                         std::move(options));
  life_->begin();
}

std::optional<error> node_place::start_twice() {
  node_process::options options;
  options.settings = settings_;
  options.speed = speed_;
  node_process second{world_.time(), on_, world_.net(), disk_, world_.random(), std::move(options)};
  second.begin();
  auto why = second.failed_start();
  if (!why) second.die(false);
  return why;
}

void node_place::stop() {
  if (!life_) return;
  world_.say("node " + on_.address() + " is told to stop");
  life_->stop();
}

void node_place::kill(bool power) {
  if (life_) {
    world_.say("node " + on_.address() + (power ? " loses its power" : " is killed"));
    end_life(power);
  } else if (power && powered_) {
    disk_.crash(crash_kind::power);
  }
  if (power && std::exchange(powered_, false)) world_.net().set_power(on_.address(), false);
}

void node_place::power_on() {
  if (!std::exchange(powered_, true)) world_.net().set_power(on_.address(), true);
}

void node_place::end_life(bool power) {
  if (!life_->ready() && lives_ > 1) PESSOA_PROBE("recovery_interrupted");
  batches_ += life_->batches();
  life_->die(power);
  life_.reset();
}

void node_place::look_after() {
  if (!life_) return;
  if (disk_.is_cut()) {
    PESSOA_PROBE("power_cut_in_write");
    return kill(true);
  }
  if (auto& why = life_->fatal()) return end_by_itself(" ends its process: ", *why);
  if (auto why = life_->failed_start()) {
    PESSOA_PROBE("start_failed");
    return end_by_itself(" could not start: ", to_string(*why));
  }
  if (auto& stopped = life_->stopped()) {
    world_.say("node " + on_.address()
               + (stopped->ok() ? " has stopped" : " has stopped: " + to_string(stopped->error())));
    return end_life(false);
  }
}

void node_place::end_by_itself(const char* how, std::string why) {
  ++own_ends_;
  last_end_troubles_ = disk_.troubles() - troubles_before_;
  last_end_ = std::move(why);
  world_.say("node " + on_.address() + how + *last_end_);
  end_life(false);
}

// -- the world ---

world::world(uint64_t seed)
    : seed_(seed), random_(seed),
      scheduling_(random_.knobs.below(2) == 0 ? scheduling::policy::uniform : scheduling::policy::priorities,
                  random_.schedule),
      net_(time_, random_, trace_) {}

world::~world() {
  PESSOA_ASSERT(others_.empty(), "clients must go before their world");
  nodes_.clear();
}

machine& world::add_machine(std::string address) { return machines_.emplace_back(time_, std::move(address)); }

node_place& world::add_node(machine& on, node::node_settings settings, sim_disk_options disk) {
  return nodes_.emplace_back(*this, on, std::move(settings), disk);
}

machine& world::any_machine(random_source& random) {
  return *std::next(machines_.begin(), static_cast<ptrdiff_t>(random.below(machines_.size())));
}

std::vector<std::string> world::addresses() const {
  std::vector<std::string> out;
  for (auto& one : machines_)
    out.push_back(one.address());
  return out;
}

void world::remove(process& client) { std::erase(others_, &client); }

void world::fail(std::string check, std::string why) {
  if (failure_) return;
  say("FAILED " + check + ": " + why);
  failure_ = failure{std::move(check), std::move(why), now()};
}

void world::count_step(const process& by) {
  ++steps_;
  auto [at, fresh] = steps_of_.try_emplace(by.label());
  if (fresh) at->second.first = by.name();
  ++at->second.second;
}

std::map<std::string, uint64_t> world::steps_of() const {
  std::map<std::string, uint64_t> out;
  for (auto& [label, of] : steps_of_)
    out.insert(of);
  return out;
}

bool world::step(world_time end) {
  if (time_.run_one()) {
    for (auto& node : nodes_)
      node.look_after();
    return true;
  }
  items_.clear();
  for (auto& node : nodes_)
    if (node.life_) node.life_->collect(items_);
  for (auto* other : others_)
    other->collect(items_);
  if (!items_.empty()) {
    auto chosen = items_[scheduling_.pick(items_)];
    count_step(*chosen.of);
    trace_.mix(chosen.identity);
    trace_.mix(static_cast<uint64_t>(time_.now()));
    trace_.mix(chosen.of->label());
    auto& ran = *chosen.of;
    ran.run(chosen);
    for (auto& check : after_step)
      check(ran);
    for (auto& node : nodes_)
      node.look_after();
    return true;
  }
  auto next = time_.next();
  auto earlier = [&](std::optional<world_time> when) {
    if (when && (!next || *when < *next)) next = when;
  };
  for (auto& node : nodes_)
    if (node.life_) earlier(node.life_->next_deadline());
  for (auto* other : others_)
    earlier(other->next_deadline());
  if (!next || *next > end) {
    if (end > now()) time_.advance_to(end);
    return false;
  }
  if (*next > now()) time_.advance_to(*next);
  for (auto& node : nodes_)
    if (node.life_) node.life_->fire_timers();
  for (auto* other : others_)
    other->fire_timers();
  return true;
}

void world::run_until(world_time end) {
  while (!failure_ && step(end)) {
  }
}

bool world::run_while_not(const std::function<bool()>& done, world_time limit) {
  while (!failure_ && !done())
    if (!step(limit)) return done();
  return !failure_ && done();
}

} // namespace pessoa::sim
