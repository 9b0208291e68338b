#include "cli/input_source.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pessoa::cli {

namespace {

class descriptor_source final : public byte_source {
public:
  descriptor_source(int descriptor, std::string name, std::vector<int> stops) : name_(std::move(name)) {
    for (int stop : stops)
      waited_.push_back({stop, POLLIN, 0});
    waited_.push_back({descriptor, POLLIN, 0});
  }

  result<size_t> read(char* into, size_t size) override {
    while (true) {
      if (::poll(waited_.data(), waited_.size(), -1) < 0) {
        if (errno == EINTR) continue;
        return failed();
      }
      for (size_t i = 0; i + 1 < waited_.size(); ++i)
        if (waited_[i].revents != 0) return error{ec::timed_out, "reading " + name_ + " was broken off"};
      auto n = ::read(waited_.back().fd, into, size);
      if (n >= 0) return static_cast<size_t>(n);
      if (errno != EINTR && errno != EAGAIN) return failed();
    }
  }

private:
  error failed() const { return {ec::not_found, "cannot read " + name_ + ": " + std::strerror(errno)}; }

  std::string name_;
  std::vector<pollfd> waited_; // the stops, then what is read
};

} // namespace

std::unique_ptr<byte_source> make_source(int descriptor, std::string name, std::vector<int> stops) {
  return std::make_unique<descriptor_source>(descriptor, std::move(name), std::move(stops));
}

result<open_file> open_file::open(const std::string& path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  int number = errno;
  struct stat what {};
  if (descriptor >= 0 && ::fstat(descriptor, &what) == 0 && S_ISDIR(what.st_mode)) {
    ::close(descriptor);
    descriptor = -1;
    number = EISDIR;
  }
  if (descriptor < 0) return error{ec::not_found, "cannot open " + path + ": " + std::strerror(number)};
  // A hint for the read-ahead; a pipe refuses it, which is no matter.
  (void)::posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
  return open_file{descriptor};
}

open_file::~open_file() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

} // namespace pessoa::cli
