// A disk that is slow for one process: loaded into it with LD_PRELOAD, in front of the system's calls.
//
//   PESSOA_SLOW_SYNC_MS           every sync of a regular file takes so much longer
//   PESSOA_SLOW_BYTES_PER_SECOND  writes into regular files move so many bytes a second, all threads together
//
// A write takes the next free piece of the disk's time, under a lock, and sleeps to the end of it, outside the lock; then the
// real call is made. Sockets, pipes and terminals are as they are. What the C library does for itself (stdio) does not come
// by here. A measuring tool: no product links it.
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <mutex>
#include <sys/stat.h>
#include <sys/uio.h>
#include <thread>
#include <unistd.h>

namespace {

using steady = std::chrono::steady_clock;

// 0 means: as fast as it is.
double number_of(const char* variable) {
  auto* text = std::getenv(variable);
  return text == nullptr ? 0 : std::max(0.0, std::strtod(text, nullptr));
}

// errno belongs to the real call.
class keep_errno {
public:
  ~keep_errno() { errno = kept_; }

private:
  int kept_ = errno;
};

bool is_file(int fd) {
  keep_errno kept;
  struct stat found {};
  return ::fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
}

void wait_for_room(int fd, size_t bytes) {
  static const double bytes_per_second = number_of("PESSOA_SLOW_BYTES_PER_SECOND");
  static std::mutex mutex;
  static steady::time_point free_from{};
  if (bytes_per_second <= 0 || bytes == 0 || !is_file(fd)) return;
  auto takes = std::chrono::duration_cast<steady::duration>(
      std::chrono::duration<double>(static_cast<double>(bytes) / bytes_per_second));
  steady::time_point end;
  {
    std::lock_guard guard{mutex};
    free_from = std::max(free_from, steady::now()) + takes;
    end = free_from;
  }
  std::this_thread::sleep_until(end);
}

void wait_for_platter(int fd) {
  static const double sync_ms = number_of("PESSOA_SLOW_SYNC_MS");
  if (sync_ms > 0 && is_file(fd))
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(sync_ms));
}

size_t size_of(const iovec* parts, int count) {
  size_t bytes = 0;
  for (int i = 0; i < count; ++i)
    bytes += parts[i].iov_len;
  return bytes;
}

template <class Function>
Function* real(const char* name) {
  auto* found = ::dlsym(RTLD_NEXT, name);
  if (found == nullptr) std::abort();
  return reinterpret_cast<Function*>(found);
}

} // namespace

#define PESSOA_REAL(name) static auto* const next = real<decltype(name)>(#name)

extern "C" {

int fsync(int fd) {
  PESSOA_REAL(fsync);
  wait_for_platter(fd);
  return next(fd);
}
int fdatasync(int fd) {
  PESSOA_REAL(fdatasync);
  wait_for_platter(fd);
  return next(fd);
}
int sync_file_range(int fd, off64_t from, off64_t bytes, unsigned flags) {
  PESSOA_REAL(sync_file_range);
  wait_for_platter(fd);
  return next(fd, from, bytes, flags);
}

ssize_t write(int fd, const void* data, size_t bytes) {
  PESSOA_REAL(write);
  wait_for_room(fd, bytes);
  return next(fd, data, bytes);
}
ssize_t pwrite(int fd, const void* data, size_t bytes, off_t at) {
  PESSOA_REAL(pwrite);
  wait_for_room(fd, bytes);
  return next(fd, data, bytes, at);
}
ssize_t pwrite64(int fd, const void* data, size_t bytes, off64_t at) {
  PESSOA_REAL(pwrite64);
  wait_for_room(fd, bytes);
  return next(fd, data, bytes, at);
}
ssize_t writev(int fd, const iovec* parts, int count) {
  PESSOA_REAL(writev);
  wait_for_room(fd, size_of(parts, count));
  return next(fd, parts, count);
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t at) {
  PESSOA_REAL(pwritev);
  wait_for_room(fd, size_of(parts, count));
  return next(fd, parts, count, at);
}
ssize_t pwritev64(int fd, const iovec* parts, int count, off64_t at) {
  PESSOA_REAL(pwritev64);
  wait_for_room(fd, size_of(parts, count));
  return next(fd, parts, count, at);
}
ssize_t pwritev2(int fd, const iovec* parts, int count, off_t at, int flags) {
  PESSOA_REAL(pwritev2);
  wait_for_room(fd, size_of(parts, count));
  return next(fd, parts, count, at, flags);
}
ssize_t pwritev64v2(int fd, const iovec* parts, int count, off64_t at, int flags) {
  PESSOA_REAL(pwritev64v2);
  wait_for_room(fd, size_of(parts, count));
  return next(fd, parts, count, at, flags);
}

} // extern "C"
