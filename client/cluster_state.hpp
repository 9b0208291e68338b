// What stands behind the public handles: the thread, the engine, and how other threads wait for it. Not
// installed.
#pragma once

#include "client/rpc/engine.hpp"
#include "pessoa/cluster.hpp"
#include "schema/seams/seams_posix.hpp"

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

namespace pessoa::client {

// Answers once: with a value, or, when everybody who could have given one is gone, with shutting_down.
template <class T>
class answer_slot {
public:
  ~answer_slot() {
    if (!given_) promise_.set_value(result<T>{ec::shutting_down, "the cluster's connection was closed"});
  }
  void give(result<T> value) {
    if (given_) return;
    given_ = true;
    promise_.set_value(std::move(value));
  }
  std::future<result<T>> future() { return promise_.get_future(); }

private:
  bool given_ = false;
  std::promise<result<T>> promise_;
};

struct cluster::state : std::enable_shared_from_this<cluster::state> {
  // `net` must outlive it.
  state(network& net, std::unique_ptr<network> owned, client::settings s, client_config c);
  ~state();

  [[nodiscard]] bool on_loop() const { return std::this_thread::get_id() == loop_thread_; }
  void close();

  // Asks on the loop and waits. On the loop itself: invalid_argument.
  template <class T>
  result<T> wait(std::function<kj::Promise<result<T>>(engine&)> ask) const {
    if (on_loop()) return {ec::invalid_argument, "a function that waits was called from a callback"};
    auto slot = std::make_shared<answer_slot<T>>();
    auto future = slot->future();
    loop->post([core = core, slot = std::move(slot), ask = std::move(ask)] {
      if (core->stopped()) return;
      core->run(ask(*core).then([slot](result<T> answer) { slot->give(std::move(answer)); },
                                [slot](kj::Exception&& e) {
                                  slot->give(error{ec::internal, std::string{e.getDescription().cStr()}});
                                }));
    });
    return future.get();
  }

  const client::settings settings;
  const client_config config;
  std::unique_ptr<network> owned_network;
  std::unique_ptr<clock> time;
  std::unique_ptr<random_source> random;
  std::shared_ptr<io_loop> loop;
  std::shared_ptr<engine> core; // destroyed on the loop

  struct facts {
    std::string id;
  };
  facts known; // set by connect, then constant

private:
  std::thread::id loop_thread_;
  std::atomic<bool> closed_{false};
};

// connect() on a network of the caller's, which must outlive the cluster. For tests.
result<cluster> connect_on(network& net, const settings& settings);

} // namespace pessoa::client
