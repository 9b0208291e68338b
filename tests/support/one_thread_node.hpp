// The node of node/wiring.hpp, whole, in one thread and virtual time: simulated disk, pools without threads, CAF's testing
// scheduler, a network of pipes. The same seed and the same calls give the same bytes, lines and answers.
//
// What a test drives: start(), settle() (all that can happen now), pass() (time, event by event), stop(), crash().
#pragma once

#include "node/wiring.hpp"
#include "simulations/disk/sim_disk.hpp"
#include "tests/support/deterministic_system.hpp"
#include "tests/support/one_thread_network.hpp"
#include "tests/support/step_pool.hpp"

#include <caf/actor_cast.hpp>
#include <caf/detail/test_actor_clock.hpp>
#include <caf/send.hpp>

#include <catch2/catch.hpp>

namespace pessoa::test {

class one_thread_node {
public:
  explicit one_thread_node(uint64_t seed = 1) : disk_random{seed}, random{seed + 1}, disk{disk_random} {
    settings.data = "data";
    settings.begin_new = true;
    settings.network_threads = 2;
    settings.workers = 1;
    settings.disk_reserve_bytes = 1 << 20;
    settings.listen = {"127.0.0.1", 18880};
    settings.kafka_listen = node::endpoint{"127.0.0.1", 9092};
    settings.http_listen = node::endpoint{"127.0.0.1", 18882};
  }
  ~one_thread_node() {
    if (node) crash(sim::crash_kind::kill);
  }

  seeded_random disk_random, random;
  sim::sim_disk disk;
  virtual_clock time;
  kept_log log;
  one_thread_network net;
  tests::step_pool reads, commits;
  node::node_settings settings;
  std::vector<std::string> fatal; // what the node said it cannot live with
  std::unique_ptr<node::running_node> node;
  std::optional<result<void>> ready;
  bool hold_reads = false, hold_commits = false; // what is posted there waits

  // Until it serves, or has said why not.
  result<void> start() {
    if (auto begun = begin(); !begun) return begun;
    settle();
    if (!ready) return error{ec::internal, "the node never said whether it is ready"};
    return *ready;
  }
  // Runs nothing yet.
  result<void> begin() {
    PESSOA_ASSERT(!node);
    ready.reset();
    node::node_seams seams;
    seams.time = &time;
    seams.random = &random;
    seams.disk = &disk.env();
    seams.net = &net;
    seams.log = &log;
    seams.make_pool = [this](size_t, const std::string& name) -> std::unique_ptr<thread_pool> {
      return std::make_unique<lent_pool>(name == "pessoa-commit" ? commits : reads);
    };
    seams.configure_actors = [](caf::actor_system_config& cfg) {
      cfg.set("scheduler.policy", caf::atom("testing"));
    };
    seams.born = [this](const caf::actor_addr& who) { actors_.push_back(who); };
    seams.fatal = [this](const std::string& what) { fatal.push_back(what); };
    PESSOA_TRY(node, node::running_node::start(settings, std::move(seams),
                                               [this](result<void> r) { ready = std::move(r); }));
    return {};
  }
  // As SIGTERM does; what the stop said.
  result<void> stop() {
    std::optional<result<void>> ended;
    node->stop([&ended](result<void> r) { ended = std::move(r); });
    for (int i = 0; i < 100 && !ended; ++i) {
      settle();
      if (!ended) pass(std::chrono::milliseconds{100}); // who is still connected has a moment to hear it
    }
    if (!ended) return error{ec::internal, "the node does not stop"};
    settle();
    bury();
    return *ended;
  }
  // The process dies: from here on nothing of it reaches the disk or a peer's ear, but what was sent is sent.
  void crash(sim::crash_kind kind) {
    disk.crash(kind);
    for (int i = 0; i < 3; ++i) { // actors that end may post and send
      reads.drop();
      commits.drop();
      kill_actors();
    }
    bury();
  }

  // Until nothing can happen before time passes.
  void settle() {
    for (int i = 0; i < 1'000'000; ++i) {
      auto moved = net.run();
      if (node) moved += scheduler().run();
      if (!hold_reads && step(reads)) ++moved;
      if (!hold_commits && step(commits)) ++moved;
      if (moved == 0) return;
    }
    PESSOA_ASSERT(false, "the node never settles");
  }
  // A little of what can happen now.
  void step() {
    net.run();
    if (scheduler().try_run_once()) return;
    if (!step(reads)) step(commits);
  }
  void pass(duration span) {
    for (auto end = time.now() + span;;) {
      settle();
      auto step = end - time.now();
      if (auto next = net.until_next_timer()) step = std::min(step, std::max(*next, duration{1}));
      if (node) {
        auto& due = scheduler().clock().schedule();
        if (!due.empty())
          step =
              std::min(step, std::max<duration>(due.begin()->first - scheduler().clock().now(), duration{1}));
      }
      if (end <= time.now()) return;
      time.pass(step);
      net.pass(step);
      if (node) scheduler().advance_time(step);
    }
  }
  // What the promise comes to, in this moment of time. Requires: it comes to something.
  template <class T>
  T get(kj::Promise<T> promise) {
    kj::Maybe<T> out;
    kj::Maybe<kj::Exception> thrown;
    auto waiting = promise
                       .then([&out](T&& value) { out = kj::mv(value); },
                             [&thrown](kj::Exception&& e) { thrown = kj::mv(e); })
                       .eagerlyEvaluate(nullptr);
    settle();
    KJ_IF_MAYBE (e, thrown) kj::throwFatalException(kj::mv(*e));
    KJ_IF_MAYBE (value, out) return kj::mv(*value);
    PESSOA_ASSERT(false, "no answer comes");
  }

private:
  class lent_pool final : public thread_pool {
  public:
    explicit lent_pool(tests::step_pool& to) : to_(to) {}
    ~lent_pool() override { to_.drop(); }
    void post(std::function<void()> job, std::function<void()> done) override {
      to_.post(std::move(job), std::move(done));
    }

  private:
    tests::step_pool& to_;
  };

  static bool step(tests::step_pool& pool) {
    if (pool.jobs() > 0)
      pool.run_job();
    else if (pool.answers() > 0)
      pool.run_answer();
    else
      return false;
    return true;
  }
  caf::scheduler::test_coordinator& scheduler() {
    auto& system = caf::actor_cast<caf::actor>(node->service().broker)->home_system();
    return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  }
  void kill_actors() {
    for (auto& addr : actors_)
      if (auto who = caf::actor_cast<caf::strong_actor_ptr>(addr))
        caf::anon_send_exit(caf::actor_cast<caf::actor>(who), caf::exit_reason::kill);
    scheduler().run();
  }
  void bury() {
    actors_.clear();
    scheduler().clock().cancel_all();
    net.drop_tasks();
    node.reset();
    net.run(); // peers hear that their connections are gone
  }

  std::vector<caf::actor_addr> actors_;
};

} // namespace pessoa::test
