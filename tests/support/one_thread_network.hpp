// A network in one thread and virtual time: listening sockets are names, streams are pipes in memory, loops share one KJ
// event loop, and nothing runs or passes unless the test says so.
//
// KJ allows one event loop per thread: a test has one of these at a time. Not simulated: latency, loss, half-open
// connections.
#pragma once

#include "schema/assert.hpp"
#include "schema/seams/io_loop.hpp"

#include <kj/async.h>

#include <algorithm>
#include <deque>
#include <map>
#include <vector>

namespace pessoa::test {

class one_thread_network final : public network {
public:
  ~one_thread_network() noexcept override {}
  result<std::shared_ptr<listening_socket>> listen(const std::string& host, uint16_t port) override {
    if (port == 0)
      while (socket_at(next_port_) != nullptr)
        ++next_port_;
    auto chosen = port != 0 ? port : next_port_++;
    if (socket_at(chosen) != nullptr)
      return error{ec::address_in_use, to_string(host_port{host, chosen}) + " is in use"};
    auto made = std::make_shared<socket>(host, chosen);
    sockets_[chosen] = made;
    return std::shared_ptr<listening_socket>{std::move(made)};
  }
  std::shared_ptr<io_loop> make_loop(std::string) override { return std::make_shared<loop>(*this); }

  // A connection to whoever listens there; null when nobody does.
  kj::Own<kj::AsyncIoStream> connect(uint16_t port) {
    auto to = socket_at(port);
    if (to == nullptr) return {};
    auto pipe = kj::newTwoWayPipe();
    to->give({kj::mv(pipe.ends[0]), "127.0.0.1:" + std::to_string(++next_peer_), to->reached()});
    return kj::mv(pipe.ends[1]);
  }

  // Posted tasks and events, until nothing is left at this moment; how many tasks ran.
  size_t run() {
    size_t ran = 0;
    for (scope_.poll(); !tasks_.empty(); ++ran) {
      auto next = std::move(tasks_.front());
      tasks_.pop_front();
      next.work();
      next.work = nullptr;
      scope_.poll();
    }
    return ran;
  }
  // As a process that dies: what was posted is not run.
  void drop_tasks() {
    while (!tasks_.empty()) { // destructors may post
      auto dropped = std::move(tasks_);
      tasks_.clear();
    }
  }
  [[nodiscard]] std::optional<duration> until_next_timer() {
    KJ_IF_MAYBE (next, timer_.nextEvent()) return duration{(*next - timer_.now()) / kj::NANOSECONDS};
    return std::nullopt;
  }
  void pass(duration d) { timer_.advanceTo(timer_.now() + d.count() * kj::NANOSECONDS); }
  kj::WaitScope& scope() { return scope_; }
  kj::Timer& timer() { return timer_; }

private:
  class socket final : public listening_socket {
  public:
    socket(std::string host, uint16_t port) : host_(std::move(host)), port_(port) {}
    uint16_t port() const override { return port_; }
    std::string address() const override { return to_string(host_port{host_, port_}); }
    // As a peer on this machine sees it.
    [[nodiscard]] std::string reached() const {
      bool everywhere = host_ == "0.0.0.0" || host_ == "::";
      return to_string(host_port{everywhere ? "127.0.0.1" : host_, port_});
    }

    void give(acceptor::connection made) {
      while (!waiting_.empty()) {
        auto next = kj::mv(waiting_.front());
        waiting_.pop_front();
        if (!next->isWaiting()) continue; // its loop has gone
        next->fulfill(kj::mv(made));
        return;
      }
      queue_.push_back(kj::mv(made));
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
    std::string host_;
    uint16_t port_;
    std::deque<acceptor::connection> queue_;
    std::deque<kj::Own<kj::PromiseFulfiller<acceptor::connection>>> waiting_;
  };
  class socket_acceptor final : public acceptor {
  public:
    explicit socket_acceptor(std::shared_ptr<socket> from) : from_(std::move(from)) {}
    kj::Promise<connection> accept() override { return from_->take(); }

  private:
    std::shared_ptr<socket> from_;
  };
  class loop final : public io_loop {
  public:
    explicit loop(one_thread_network& net) : net_(net) {}
    ~loop() noexcept override {
      std::deque<task> ours;
      for (auto& waiting : net_.tasks_)
        if (waiting.of == this) ours.push_back(std::move(waiting));
      std::erase_if(net_.tasks_, [this](const task& t) { return t.of == this; });
    }
    void post(std::function<void()> work) override { net_.tasks_.push_back({this, std::move(work)}); }
    kj::Timer& timer() override { return net_.timer_; }
    kj::Own<acceptor> accept_from(std::shared_ptr<listening_socket> from) override {
      auto ours = std::dynamic_pointer_cast<socket>(from);
      PESSOA_ASSERT(ours != nullptr, "a listening socket of another network");
      return kj::heap<socket_acceptor>(std::move(ours));
    }
    kj::Promise<kj::Own<kj::AsyncIoStream>> connect(std::string host, uint16_t port, duration) override {
      if (auto made = net_.connect(port); made.get() != nullptr) return kj::mv(made);
      auto text = "nobody listens on " + to_string(host_port{host, port});
      return kj::Exception{kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__,
                           kj::heapString(text.c_str())};
    }

  private:
    one_thread_network& net_;
  };
  struct task {
    const loop* of;
    std::function<void()> work;
  };

  std::shared_ptr<socket> socket_at(uint16_t port) {
    auto found = sockets_.find(port);
    return found == sockets_.end() ? nullptr : found->second.lock();
  }

  kj::EventLoop events_;
  kj::WaitScope scope_{events_};
  kj::TimerImpl timer_{kj::origin<kj::TimePoint>() + 1 * kj::DAYS};
  std::deque<task> tasks_;
  std::map<uint16_t, std::weak_ptr<socket>> sockets_;
  uint16_t next_port_ = 20'000, next_peer_ = 50'000;
};

} // namespace pessoa::test
