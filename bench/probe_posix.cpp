// Writes down when a process reads, writes, syncs, wakes and is woken: loaded into it with LD_PRELOAD, in front of the system's
// calls. So the way of a record can be taken apart without a clock in the product.
//
//   PESSOA_PROBE_FILE     a file of the size of probe_ring, made by whoever measures
//   PESSOA_PROBE_PROCESS  a number that says who writes there
//
// A moment costs one look at the clock and 16 bytes. A measuring tool: no product links it.
#include "bench/probe_ring.hpp"

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

using pessoa::bench::moment;
using pessoa::bench::probe_ring;

probe_ring* ring = nullptr;
uint16_t process = 0;

[[gnu::constructor]] void map_ring() {
  auto* path = std::getenv("PESSOA_PROBE_FILE");
  if (path == nullptr) return;
  int fd = ::open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  auto* at = ::mmap(nullptr, sizeof(probe_ring), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  ::close(fd);
  if (auto* number = std::getenv("PESSOA_PROBE_PROCESS")) process = static_cast<uint16_t>(std::atoi(number));
  if (at != MAP_FAILED) ring = static_cast<probe_ring*>(at);
}

void note(moment what) {
  if (ring == nullptr) return;
  static thread_local const auto thread = static_cast<int32_t>(::syscall(SYS_gettid));
  auto at = ring->next.fetch_add(1, std::memory_order_relaxed);
  if (at >= probe_ring::capacity) return;
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  ring->events[at] = {now.tv_sec * 1'000'000'000LL + now.tv_nsec, thread, what, process};
}

enum class end_of : uint8_t { file, socket, other };

end_of kind_of(int fd) {
  struct stat found {};
  int kept = errno;
  bool known = ::fstat(fd, &found) == 0;
  errno = kept;
  if (!known) return end_of::other;
  return S_ISREG(found.st_mode) ? end_of::file : S_ISSOCK(found.st_mode) ? end_of::socket : end_of::other;
}

template <class Write>
ssize_t noted_write(int fd, Write write) {
  auto kind = kind_of(fd);
  note(kind == end_of::file     ? moment::file_write
       : kind == end_of::socket ? moment::socket_write
                                : moment::loop_wake);
  auto done = write();
  if (kind == end_of::file) note(moment::file_written);
  return done;
}

template <class Function>
Function* real(const char* name, const char* version) {
  // Of the functions of threads there are old forms under the same name.
  auto* found = version == nullptr ? nullptr : ::dlvsym(RTLD_NEXT, name, version);
  if (found == nullptr) found = ::dlsym(RTLD_NEXT, name);
  if (found == nullptr) std::abort();
  return reinterpret_cast<Function*>(found);
}

} // namespace

#define PESSOA_REAL(name, version) static auto* const next = real<decltype(name)>(#name, version)

extern "C" {

ssize_t read(int fd, void* into, size_t bytes) {
  PESSOA_REAL(read, nullptr);
  auto done = next(fd, into, bytes);
  if (done > 0 && kind_of(fd) == end_of::socket) note(moment::socket_read);
  return done;
}
ssize_t recvmsg(int fd, msghdr* message, int flags) {
  PESSOA_REAL(recvmsg, nullptr);
  auto done = next(fd, message, flags);
  if (done > 0) note(moment::socket_read);
  return done;
}
ssize_t write(int fd, const void* data, size_t bytes) {
  PESSOA_REAL(write, nullptr);
  return noted_write(fd, [&] { return next(fd, data, bytes); });
}
ssize_t writev(int fd, const iovec* parts, int count) {
  PESSOA_REAL(writev, nullptr);
  return noted_write(fd, [&] { return next(fd, parts, count); });
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  PESSOA_REAL(sendmsg, nullptr);
  return noted_write(fd, [&] { return next(fd, message, flags); });
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t at) {
  PESSOA_REAL(pwritev, nullptr);
  return noted_write(fd, [&] { return next(fd, parts, count, at); });
}
int fdatasync(int fd) {
  PESSOA_REAL(fdatasync, nullptr);
  note(moment::sync);
  auto done = next(fd);
  note(moment::synced);
  return done;
}

int epoll_wait(int fd, epoll_event* events, int count, int timeout) {
  PESSOA_REAL(epoll_wait, nullptr);
  auto ready = next(fd, events, count, timeout);
  if (ready > 0) note(moment::poll_end);
  return ready;
}

int pthread_cond_signal(pthread_cond_t* condition) noexcept {
  PESSOA_REAL(pthread_cond_signal, "GLIBC_2.3.2");
  note(moment::thread_wake);
  return next(condition);
}
int pthread_cond_broadcast(pthread_cond_t* condition) noexcept {
  PESSOA_REAL(pthread_cond_broadcast, "GLIBC_2.3.2");
  note(moment::thread_wake);
  return next(condition);
}
int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  PESSOA_REAL(pthread_cond_wait, "GLIBC_2.3.2");
  auto done = next(condition, mutex);
  note(moment::thread_woken);
  return done;
}
int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const timespec* until) {
  PESSOA_REAL(pthread_cond_clockwait, nullptr);
  auto done = next(condition, mutex, clock, until);
  note(moment::thread_woken);
  return done;
}

} // extern "C"
