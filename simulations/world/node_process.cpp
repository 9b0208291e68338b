#include "simulations/world/node_process.hpp"

#include "schema/assert.hpp"

#include <caf/actor_cast.hpp>
#include <caf/exit_reason.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/send.hpp>
#include <caf/system_messages.hpp>

namespace pessoa::sim {

namespace {

constexpr size_t log_lines_max = 300;

} // namespace

node_process::node_process(timeline& time, machine& on, sim_net& net, sim_disk& disk, random_streams& random,
                           options options)
    : process(time, on, "node " + on.address()), net_(net), disk_(disk), random_(random),
      options_(std::move(options)), network_(net.at(on, shared_loop())) {}

node_process::~node_process() {
  PESSOA_ASSERT(!node_, "a process is destroyed that lives");
  loop().enter([this] { network_.reset(); });
}

void node_process::write(log_level level, std::string_view component, std::string_view line) {
  log_.push_back(std::to_string(static_cast<int>(level)) + " " + std::string{component} + ": "
                 + std::string{line});
  if (log_.size() > log_lines_max) log_.pop_front();
}

void node_process::begin() {
  PESSOA_ASSERT(!node_ && !ready_);
  node::node_seams seams;
  seams.time = &on();
  seams.random = &random_.process;
  seams.disk = &disk_.env();
  seams.net = network_.get();
  seams.log = this;
  seams.make_pool = [this](size_t threads, const std::string&) -> std::unique_ptr<thread_pool> {
    auto made = std::make_unique<io_pool>(time(), random_.schedule, options_.speed, threads,
                                          [this](std::function<void()> work) { add_io(std::move(work)); });
    drop_pools_.push_back(made->dropper());
    return made;
  };
  seams.configure_actors = [](caf::actor_system_config& config) { coordinator::install(config); };
  seams.born = [this](const caf::actor_addr& who) { actors_.push_back(who); };
  seams.fatal = [this](const std::string& what) {
    if (!fatal_) fatal_ = what;
  };
  loop().enter([&] {
    auto started =
        node::running_node::start(options_.settings, std::move(seams), [this](result<void> outcome) {
          if (!ready_) ready_ = std::move(outcome);
        });
    if (!started.ok()) {
      ready_ = started.error();
      return;
    }
    node_ = std::move(*started);
    auto& system = caf::actor_cast<caf::actor>(node_->service().broker)->home_system();
    set_scheduler(&dynamic_cast<coordinator&>(system.scheduler()));
  });
}

std::optional<error> node_process::failed_start() const {
  // Who is told to stop while it starts is not ready, and that is no failure (node.cpp).
  if (stopping_ || !ready_ || ready_->ok()) return std::nullopt;
  return ready_->error();
}

uint64_t node_process::batches() const {
  auto* services = service();
  if (services == nullptr || services->env == nullptr || services->env->counters == nullptr) return 0;
  return services->env->counters->batches_in.load(std::memory_order_relaxed);
}

void node_process::stop() {
  if (!node_ || std::exchange(stopping_, true)) return;
  loop().enter([this] { node_->stop([this](result<void> outcome) { stopped_ = std::move(outcome); }); });
}

void node_process::kill_actors() {
  if (scheduler() == nullptr) return;
  for (auto& addr : actors_)
    if (auto who = caf::actor_cast<caf::strong_actor_ptr>(addr))
      who->get()->eq_impl(caf::make_message_id(caf::message_priority::high), nullptr, nullptr,
                          caf::exit_msg{addr, caf::exit_reason::kill});
  while (scheduler()->try_run_once()) {
  }
}

void node_process::die(bool power) {
  if (power) net_.power_lost(loop());
  disk_.crash(power ? crash_kind::power : crash_kind::kill);
  loop().enter([this] {
    auto drop_jobs = [this] {
      drop_io();
      for (auto& drop : drop_pools_)
        drop();
    };
    if (node_) {
      for (int i = 0; i < 3; ++i) { // actors that end may post and send
        drop_jobs();
        kill_actors();
      }
      if (scheduler() != nullptr) scheduler()->drop_all();
    }
    loop().drop_all();
    drop_jobs(); // what they hold may lean on parts of the node
    set_scheduler(nullptr);
    node_.reset();
    actors_.clear();
    loop().drop_all();
    drop_io();
  });
}

} // namespace pessoa::sim
