// Loops that are threads, and streams that are sockets.
#include "schema/assert.hpp"
#include "schema/seams/io_loop.hpp"
#include "schema/seams/io_loop_socket_posix.hpp"

#include <kj/async-unix.h>
#include <kj/debug.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <exception>
#include <mutex>
#include <pthread.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace pessoa {

namespace {

using unique_fd = kj::AutoCloseFd;

// How long accepting pauses when the process has no descriptor left: long enough not to spin, short enough
// not to notice.
constexpr auto accept_pause = 100 * kj::MILLISECONDS;
// Events in a row before I/O is looked at: a connection that always has work must not starve the others.
constexpr kj::uint events_between_polls = 256;

kj::Exception disconnected(std::string text) {
  return {kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__, kj::heapString(text.data(), text.size())};
}

std::string short_reason(const kj::Exception& e) {
  // "connect(): Connection refused; toString() = ..." : the part for people.
  std::string text{e.getDescription().cStr()};
  if (auto end = text.find(';'); end != std::string::npos) text.resize(end);
  if (auto begin = text.find("(): "); begin != std::string::npos) text.erase(0, begin + 4);
  return text;
}

class acceptor_posix final : public acceptor {
public:
  acceptor_posix(kj::AsyncIoContext& io, const listening_socket_posix& socket)
      : io_(io), fd_(socket.duplicate()),
        observer_(io.unixEventPort, fd_.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ) {}

  kj::Promise<connection> accept() override {
    for (;;) {
      sockaddr_storage peer{};
      socklen_t length = sizeof peer;
      int raw =
          ::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (raw >= 0) return take(unique_fd{raw}, peer, length);
      int number = errno;
      switch (judge_accept_errno(number)) {
      case accept_failure::none_waiting:
        return observer_.whenBecomesReadable().then([this] { return accept(); });
      case accept_failure::that_connection:
        continue;
      case accept_failure::out_of_resources:
        return io_.provider->getTimer().afterDelay(accept_pause).then([this] { return accept(); });
      case accept_failure::socket_broken:
        return kj::Exception{kj::Exception::Type::FAILED, __FILE__, __LINE__,
                             kj::str("the listening socket is broken: ", std::strerror(number))};
      }
    }
  }

private:
  kj::Promise<connection> take(unique_fd fd, const sockaddr_storage& peer, socklen_t length) {
    set_connection_options(fd.get());
    using flags = kj::LowLevelAsyncIoProvider;
    auto text = address_text(reinterpret_cast<const sockaddr*>(&peer), length);
    auto reached = local_address_text(fd.get());
    auto stream = io_.lowLevelProvider->wrapSocketFd(
        fd.release(), flags::TAKE_OWNERSHIP | flags::ALREADY_CLOEXEC | flags::ALREADY_NONBLOCK);
    return connection{kj::mv(stream), std::move(text), std::move(reached)};
  }

  kj::AsyncIoContext& io_;
  unique_fd fd_;
  kj::UnixEventPort::FdObserver observer_;
};

class io_loop_posix final : public io_loop {
public:
  explicit io_loop_posix(std::string name) {
    wake_fd_ = unique_fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    KJ_REQUIRE(wake_fd_.get() >= 0, "no descriptor left for a network thread", std::strerror(errno));
    name.resize(std::min<size_t>(name.size(), 15));
    std::unique_lock lock{mutex_};
    thread_ = std::thread{[this, name = std::move(name)] { thread_main(name); }};
    started_.wait(lock, [this] { return io_ != nullptr || failure_; });
    if (!failure_) return;
    lock.unlock();
    thread_.join();
    kj::throwFatalException(kj::mv(*failure_));
  }

  ~io_loop_posix() noexcept override {
    PESSOA_ASSERT(std::this_thread::get_id() != thread_.get_id(), "a loop cannot end itself");
    // What was posted before runs first: the end is a task like others.
    post([this] { end_->fulfill(); });
    thread_.join();
  }

  void post(std::function<void()> task) override {
    bool was_empty;
    {
      std::lock_guard guard{mutex_};
      if (ended_) return; // the parameter dies in the caller, outside the lock
      was_empty = tasks_.empty();
      tasks_.push_back(std::move(task));
    }
    if (!was_empty) return; // somebody has woken the loop for what is there already
    uint64_t one = 1;
    ssize_t n;
    do
      n = ::write(wake_fd_.get(), &one, sizeof one);
    while (n < 0 && errno == EINTR);
    PESSOA_ASSERT(n == sizeof one || errno == EAGAIN,
                  errno); // EAGAIN: the counter is full, so the loop is woken
  }

  kj::Timer& timer() override { return io_->provider->getTimer(); }

  kj::Own<acceptor> accept_from(std::shared_ptr<listening_socket> socket) override {
    auto* real = dynamic_cast<listening_socket_posix*>(socket.get());
    PESSOA_ASSERT(real != nullptr, "a listening socket of another network");
    return kj::heap<acceptor_posix>(*io_, *real);
  }

  kj::Promise<kj::Own<kj::AsyncIoStream>> connect(std::string host, uint16_t port,
                                                  duration timeout) override {
    auto name = to_string(host_port{host, port});
    // KJ reads more than hosts out of an address ("unix:...", "*"): let through what parse_host_port lets
    // through.
    if (auto sane = parse_host_port(name); !sane || host == "*")
      return disconnected("cannot connect to " + name + ": this is not an address");
    timeout = std::clamp(timeout, duration{0}, duration{std::chrono::hours{1}});
    auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(timeout);
    auto& network = io_->provider->getNetwork();
    auto connecting =
        kj::evalNow([&] { return network.parseAddress(kj::heapString(name.data(), name.size())); })
            .then([](kj::Own<kj::NetworkAddress> address) {
              auto connected = address->connect();
              return connected.attach(kj::mv(address));
            })
            .then([](kj::Own<kj::AsyncIoStream> stream) {
              KJ_IF_MAYBE (fd, stream->getFd()) set_connection_options(*fd);
              return kj::mv(stream);
            });
    auto expired =
        timer()
            .afterDelay(timeout.count() * kj::NANOSECONDS)
            .then([name, limit]() -> kj::Own<kj::AsyncIoStream> {
              kj::throwFatalException(disconnected("cannot connect to " + name + ": no answer within "
                                                   + std::to_string(limit.count()) + " ms"));
            });
    return connecting
        .catch_([name](kj::Exception&& e) -> kj::Own<kj::AsyncIoStream> {
          kj::throwFatalException(disconnected("cannot connect to " + name + ": " + short_reason(e)));
        })
        .exclusiveJoin(kj::mv(expired));
  }

private:
  void thread_main(const std::string& name) {
    pthread_setname_np(pthread_self(), name.c_str());
    block_signals();
    KJ_IF_MAYBE (e, kj::runCatchingExceptions([this] { run(); })) {
      std::lock_guard guard{mutex_};
      // Past the start nothing may get here: tasks and connections deal with their own exceptions.
      PESSOA_ASSERT(io_ == nullptr, "a network thread failed", e->getDescription().cStr());
      failure_ = std::make_unique<kj::Exception>(kj::mv(*e));
      started_.notify_all();
    }
  }

  // Signals are for the main thread; those that mean a defect of this thread stay.
  static void block_signals() {
    sigset_t all;
    sigfillset(&all);
    for (int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF})
      sigdelset(&all, own);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
  }

  void run() {
    auto io = kj::setupAsyncIo(); // ignores SIGPIPE: a write to a closed connection is an error, not the end
    io.waitScope.setBusyPollInterval(events_between_polls);
    kj::UnixEventPort::FdObserver wakes{io.unixEventPort, wake_fd_.get(),
                                        kj::UnixEventPort::FdObserver::OBSERVE_READ};
    auto end = kj::newPromiseAndFulfiller<void>();
    end_ = kj::mv(end.fulfiller);
    auto draining = drain(wakes).eagerlyEvaluate(nullptr);
    {
      std::lock_guard guard{mutex_};
      io_ = &io;
    }
    started_.notify_all();
    end.promise.exclusiveJoin(kj::mv(draining)).wait(io.waitScope);
    // Nobody holds the loop any more, but tasks that run now may still post through raw references: refuse,
    // then drop what came while KJ still lives, because tasks may hold its objects.
    std::vector<std::function<void()>> unrun;
    {
      std::lock_guard guard{mutex_};
      ended_ = true;
      unrun.swap(tasks_);
    }
    unrun.clear();
    end_ = nullptr;
  }

  kj::Promise<void> drain(kj::UnixEventPort::FdObserver& wakes) {
    uint64_t count;
    while (::read(wake_fd_.get(), &count, sizeof count) < 0 && errno == EINTR) {
    }
    std::vector<std::function<void()>> batch;
    {
      std::lock_guard guard{mutex_};
      batch.swap(tasks_);
    }
    for (auto& task : batch) {
      auto current = std::move(task);
      task = nullptr;
      KJ_IF_MAYBE (e, kj::runCatchingExceptions([&] { current(); })) KJ_LOG(ERROR, "a posted task threw", *e);
    }
    // The counter was read before the tasks were taken, so whoever posted since has raised it again.
    return wakes.whenBecomesReadable().then([this, &wakes] { return drain(wakes); });
  }

  unique_fd wake_fd_;
  std::mutex mutex_;
  std::condition_variable started_;
  std::vector<std::function<void()>> tasks_; // guarded by mutex_, as are ended_ and failure_
  bool ended_ = false;
  std::unique_ptr<kj::Exception> failure_;
  kj::AsyncIoContext* io_ = nullptr; // set once, before the constructor returns
  kj::Own<kj::PromiseFulfiller<void>> end_;
  std::thread thread_;
};

class network_posix final : public network {
public:
  result<std::shared_ptr<listening_socket>> listen(const std::string& host, uint16_t port) override {
    return listening_socket_posix::open(host, port);
  }
  std::shared_ptr<io_loop> make_loop(std::string name) override {
    return std::make_shared<io_loop_posix>(std::move(name));
  }
};

} // namespace

std::unique_ptr<network> make_system_network() { return std::make_unique<network_posix>(); }

void run_on(io_loop& loop, std::function<void()> task) {
  struct outcome {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    std::unique_ptr<kj::Exception> thrown;
  } state;
  // Whether the task ran or was dropped by a loop that has ended: its last copy goes, and the caller goes on.
  // The notification stays under the lock because the state lives on the caller's stack.
  std::shared_ptr<void> last{nullptr, [&state](void*) {
                               std::lock_guard guard{state.mutex};
                               state.done = true;
                               state.changed.notify_all();
                             }};
  loop.post([&state, task = std::move(task), last = std::move(last)] {
    // As a value: a KJ exception object must not cross threads.
    KJ_IF_MAYBE (e, kj::runCatchingExceptions([&] { task(); })) {
      std::lock_guard guard{state.mutex};
      state.thrown = std::make_unique<kj::Exception>(kj::mv(*e));
    }
  });
  std::unique_lock lock{state.mutex};
  state.changed.wait(lock, [&] { return state.done; });
  if (state.thrown) kj::throwFatalException(kj::mv(*state.thrown));
}

} // namespace pessoa
