#include "cli/interrupt.hpp"

#include "schema/assert.hpp"

#include <cerrno>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace pessoa::cli {

namespace {

std::atomic<int> caught{0};
std::atomic<int> writing_end{-1};

// Only what a handler may do: atomics and write().
void on_signal(int number) {
  int before = caught.exchange(number);
  if (before != 0) ::_exit(128 + number);
  int saved = errno;
  char byte = 1;
  [[maybe_unused]] auto ignored = ::write(writing_end.load(), &byte, 1);
  errno = saved;
}

} // namespace

interrupts::interrupts() {
  PESSOA_ASSERT(writing_end.load() == -1);
  PESSOA_ASSERT(::pipe2(pipe_, O_CLOEXEC | O_NONBLOCK) == 0, errno);
  caught = 0;
  writing_end = pipe_[1];
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (int number : {SIGINT, SIGTERM})
    ::sigaction(number, &action, nullptr);
}

interrupts::~interrupts() {
  for (int number : {SIGINT, SIGTERM})
    std::signal(number, SIG_DFL);
  writing_end = -1;
  ::close(pipe_[0]);
  ::close(pipe_[1]);
}

int interrupts::signal() const { return caught.load(); }

bool interrupts::wait_for(std::chrono::nanoseconds time) const {
  if (raised()) return false;
  if (time.count() <= 0) return true;
  pollfd at{pipe_[0], POLLIN, 0};
  timespec left{static_cast<time_t>(time.count() / 1'000'000'000),
                static_cast<long>(time.count() % 1'000'000'000)};
  (void)::ppoll(&at, 1, &left, nullptr);
  return !raised();
}

end_watch::end_watch(const interrupts& signals, int output, std::function<void()> ended)
    : stop_(::eventfd(0, EFD_CLOEXEC)) {
  PESSOA_ASSERT(stop_ >= 0, errno);
  thread_ = std::thread{[this, signal_end = signals.descriptor(), output, ended = std::move(ended)] {
    // A negative descriptor is ignored by poll; POLLERR needs no asking.
    pollfd at[] = {{stop_, POLLIN, 0}, {signal_end, POLLIN, 0}, {output, 0, 0}};
    while (true) {
      if (::poll(at, 3, -1) < 0) continue;
      if (at[0].revents != 0) return;
      if (at[1].revents != 0 || (at[2].revents & POLLERR) != 0) {
        ended();
        return;
      }
      // POLLHUP alone (a terminal that hung up) is no reason to spin: writing will tell.
      if (at[2].revents != 0) at[2].fd = -1;
    }
  }};
}

end_watch::~end_watch() {
  uint64_t one = 1;
  [[maybe_unused]] auto ignored = ::write(stop_, &one, sizeof one);
  thread_.join();
  ::close(stop_);
}

} // namespace pessoa::cli
