#include "simulations/world/net.hpp"

#include "schema/assert.hpp"
#include "simulations/world/connection.hpp"

#include <algorithm>
#include <deque>

namespace pessoa::sim {

// -- listening ---

class sim_listener final : public listening_socket {
public:
  sim_listener(std::shared_ptr<process_loop> loop, host_port address)
      : loop_(std::move(loop)), address_(std::move(address)) {}
  ~sim_listener() override {
    loop_->enter([this] {
      queue_.clear();
      waiting_.clear();
    });
  }
  uint16_t port() const override { return address_.port; }
  std::string address() const override { return to_string(address_); }

  [[nodiscard]] const std::shared_ptr<process_loop>& loop() const { return loop_; }
  // Inside the loop.
  void give(const std::shared_ptr<sim_connection>& made) {
    acceptor::connection accepted;
    accepted.stream = made->open(1, loop_);
    accepted.peer = to_string(made->address(0));
    accepted.local = to_string(made->address(1));
    while (!waiting_.empty()) {
      auto next = kj::mv(waiting_.front());
      waiting_.pop_front();
      if (!next->isWaiting()) continue; // its loop has gone
      next->fulfill(kj::mv(accepted));
      return;
    }
    if (queue_.size() < backlog_max) queue_.push_back(kj::mv(accepted)); // else the stream goes, and closes
  }
  kj::Promise<acceptor::connection> take() {
    if (!queue_.empty()) {
      auto next = kj::mv(queue_.front());
      queue_.pop_front();
      return kj::mv(next);
    }
    auto made = kj::newPromiseAndFulfiller<acceptor::connection>();
    waiting_.push_back(kj::mv(made.fulfiller));
    return kj::mv(made.promise);
  }

private:
  static constexpr size_t backlog_max = 4096;
  std::shared_ptr<process_loop> loop_;
  host_port address_;
  std::deque<acceptor::connection> queue_;
  std::deque<kj::Own<kj::PromiseFulfiller<acceptor::connection>>> waiting_;
};

class sim_acceptor final : public acceptor {
public:
  explicit sim_acceptor(std::shared_ptr<sim_listener> from) : from_(std::move(from)) {}
  kj::Promise<connection> accept() override { return from_->take(); }

private:
  std::shared_ptr<sim_listener> from_;
};

// -- a process's view ---

class sim_io_loop final : public io_loop {
public:
  sim_io_loop(sim_net& net, const machine& on, std::shared_ptr<process_loop> loop)
      : net_(net), on_(on), loop_(std::move(loop)) {}
  ~sim_io_loop() override { loop_->drop(this); }
  void post(std::function<void()> task) override { loop_->post(this, std::move(task)); }
  kj::Timer& timer() override { return loop_->timer(); }
  kj::Own<acceptor> accept_from(std::shared_ptr<listening_socket> socket) override {
    auto ours = std::dynamic_pointer_cast<sim_listener>(socket);
    PESSOA_ASSERT(ours != nullptr && ours->loop() == loop_, "a listening socket of another process");
    return kj::heap<sim_acceptor>(std::move(ours));
  }
  kj::Promise<kj::Own<kj::AsyncIoStream>> connect(std::string host, uint16_t port,
                                                  duration timeout) override {
    return net_.connect(on_, loop_, std::move(host), port, timeout);
  }

private:
  sim_net& net_;
  const machine& on_;
  std::shared_ptr<process_loop> loop_;
};

class sim_process_network final : public network {
public:
  sim_process_network(sim_net& net, const machine& on, std::shared_ptr<process_loop> loop)
      : net_(net), on_(on), loop_(std::move(loop)) {}
  result<std::shared_ptr<listening_socket>> listen(const std::string& host, uint16_t port) override {
    return net_.listen(host, port, loop_);
  }
  std::shared_ptr<io_loop> make_loop(std::string) override {
    return std::make_shared<sim_io_loop>(net_, on_, loop_);
  }

private:
  sim_net& net_;
  const machine& on_;
  std::shared_ptr<process_loop> loop_;
};

// -- the network ---

sim_net::sim_net(timeline& time, random_streams& random, trace& tracing)
    : time_(time), random_(random), trace_(tracing) {}
sim_net::~sim_net() = default;

std::unique_ptr<network> sim_net::at(const machine& on, std::shared_ptr<process_loop> loop) {
  return std::make_unique<sim_process_network>(*this, on, std::move(loop));
}

result<std::shared_ptr<listening_socket>> sim_net::listen(const std::string& address, uint16_t port,
                                                          std::shared_ptr<process_loop> loop) {
  auto taken = [&](uint16_t at) {
    auto found = listeners_.find({address, at});
    return found != listeners_.end() && !found->second.expired();
  };
  if (port == 0)
    while (taken(port = next_port_++)) {
    }
  if (taken(port)) return error{ec::address_in_use, to_string(host_port{address, port}) + " is in use"};
  auto made = std::make_shared<sim_listener>(std::move(loop), host_port{address, port});
  listeners_[{address, port}] = made;
  return std::shared_ptr<listening_socket>{std::move(made)};
}

world_time sim_net::arrival(const std::string& from, const std::string& to, world_time earliest) {
  auto when = std::max(earliest, time_.now() + 1000 + around(random_.network, options_.latency_mean));
  if (auto blocked = blocked_.find({from, to}); blocked != blocked_.end() && blocked->second > when)
    when = blocked->second + around(random_.network, options_.latency_mean);
  return when;
}

namespace {

kj::Exception refusal(const std::string& why, const host_port& to) {
  auto text = to_string(to) + " " + why;
  return {kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__, kj::heapString(text.c_str(), text.size())};
}

// Lives in the caller's promise: when that goes, nobody waits any more.
class dialling {
public:
  dialling(kj::PromiseFulfiller<kj::Own<kj::AsyncIoStream>>& answer, std::shared_ptr<dialling*> self)
      : answer_(answer), self_(std::move(self)) {
    *self_ = this;
  }
  ~dialling() { *self_ = nullptr; }
  KJ_DISALLOW_COPY(dialling);
  kj::PromiseFulfiller<kj::Own<kj::AsyncIoStream>>& answer_;

private:
  std::shared_ptr<dialling*> self_;
};

} // namespace

kj::Promise<kj::Own<kj::AsyncIoStream>> sim_net::connect(const machine& from,
                                                         std::shared_ptr<process_loop> loop, std::string host,
                                                         uint16_t port, duration timeout) {
  ++counters_.connects;
  host_port to{std::move(host), port};
  auto place = std::make_shared<dialling*>(nullptr);
  auto promise = kj::newAdaptedPromise<kj::Own<kj::AsyncIoStream>, dialling>(place);
  std::weak_ptr<process_loop> caller = loop;
  auto here = from.address();
  // What happens at the caller: inside its loop, if it is still there and still waits.
  auto at_caller = [caller,
                    place](std::function<void(dialling&, const std::shared_ptr<process_loop>&)> what) {
    if (auto live = caller.lock())
      live->wake([place, live = caller, what = std::move(what)] {
        if (*place != nullptr) what(**place, live.lock());
      });
  };
  time_.at(arrival(here, to.host, 0), [this, to, here, at_caller] {
    if (off_.count(to.host) > 0) return; // nobody answers: the caller's time-out does
    auto found = listeners_.find({to.host, to.port});
    auto listener = found == listeners_.end() ? nullptr : found->second.lock();
    bool refused = listener == nullptr
                   || (options_.connect_refused_per_mille > 0
                       && random_.network.below(1000) < options_.connect_refused_per_mille);
    auto back = arrival(to.host, here, 0);
    if (refused) {
      ++counters_.refused;
      return time_.at(back, [to, at_caller] {
        at_caller([to](dialling& d, auto&) { d.answer_.reject(refusal("refused the connection", to)); });
      });
    }
    auto id = next_connection_++;
    auto made = std::make_shared<sim_connection>(
        *this, id, host_port{here, static_cast<uint16_t>(30'000 + id % 30'000)}, to);
    connections_[id] = made;
    listener->loop()->wake([listener, made] { listener->give(made); });
    time_.at(back, [this, made, at_caller, here] {
      if (connected) connected(here);
      at_caller([made](dialling& d, const std::shared_ptr<process_loop>& live) {
        d.answer_.fulfill(made->open(0, live));
      });
    });
  });
  auto late =
      loop->timer().afterDelay(timeout.count() * kj::NANOSECONDS).then([to]() -> kj::Own<kj::AsyncIoStream> {
        kj::throwFatalException(refusal("did not answer in time", to));
      });
  return promise.exclusiveJoin(kj::mv(late));
}

void sim_net::power_lost(const process_loop& loop) {
  for (auto& [id, weak] : connections_)
    if (auto open = weak.lock()) open->power_lost(loop);
}

void sim_net::set_power(const std::string& address, bool on) {
  if (!on) {
    off_.insert(address);
    return;
  }
  off_.erase(address);
  for (auto& [id, weak] : connections_)
    if (auto open = weak.lock()) open->power_back(address);
}

// -- faults ---

void sim_net::block(const std::string& from, const std::string& to, world_time until) {
  auto& at = blocked_[{from, to}];
  at = std::max(at, until);
}

std::shared_ptr<sim_connection> sim_net::draw_open(random_source& random) {
  std::vector<std::shared_ptr<sim_connection>> open;
  for (auto at = connections_.begin(); at != connections_.end();) {
    auto live = at->second.lock();
    if (live != nullptr && !live->broken()) open.push_back(live);
    at = live == nullptr ? connections_.erase(at) : std::next(at);
  }
  if (open.empty()) return nullptr;
  return open[random.below(open.size())];
}

bool sim_net::reset_one(random_source& random) {
  auto chosen = draw_open(random);
  if (chosen == nullptr) return false;
  ++counters_.resets;
  chosen->reset();
  return true;
}

bool sim_net::silence_one(random_source& random) {
  auto chosen = draw_open(random);
  if (chosen == nullptr) return false;
  ++counters_.silenced;
  chosen->silence(random.below(2));
  return true;
}

bool sim_net::hold_one(random_source& random, world_time until) {
  auto chosen = draw_open(random);
  if (chosen == nullptr) return false;
  chosen->hold(random.below(2), until);
  return true;
}

void sim_net::break_silent() {
  for (auto& [id, weak] : connections_)
    if (auto open = weak.lock(); open && open->silent()) open->reset();
}

size_t sim_net::open_connections() const {
  return static_cast<size_t>(std::count_if(connections_.begin(), connections_.end(), [](auto& entry) {
    auto open = entry.second.lock();
    return open != nullptr && !open->broken();
  }));
}

} // namespace pessoa::sim
