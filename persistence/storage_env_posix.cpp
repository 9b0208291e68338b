// The real disk behind the seam: plain POSIX calls, each error with its path and the system's words.
#include "persistence/storage_env.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <system_error>
#include <unistd.h>

namespace pessoa::persistence {

namespace {

error failure(const char* what, const std::string& path, int number) {
  auto code = number == ENOENT                       ? ec::not_found
              : number == ENOSPC || number == EDQUOT ? ec::disk_full
                                                     : ec::storage_failed;
  return {code, std::string{what} + " " + path + ": " + std::generic_category().message(number)};
}

class descriptor {
public:
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int operator*() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

private:
  int fd_;
};

int open_retrying(const std::string& path, int flags) {
  int fd;
  do
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  while (fd < 0 && errno == EINTR);
  return fd;
}

class posix_file final : public random_file {
public:
  posix_file(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  result<void> write_at(uint64_t position, std::span<const byte_view> parts) override {
    std::array<iovec, 64> vectors;
    size_t next = 0; // first part not yet in `vectors` of this round
    size_t skip = 0; // bytes of parts[next] already written
    while (next < parts.size()) {
      size_t count = 0;
      size_t wanted = 0;
      for (size_t i = next; i < parts.size() && count < vectors.size(); ++i) {
        auto part = i == next ? parts[i].subspan(skip) : parts[i];
        vectors[count++] = {const_cast<uint8_t*>(part.data()), part.size()};
        wanted += part.size();
      }
      auto written = ::pwritev(*fd_, vectors.data(), static_cast<int>(count), static_cast<off_t>(position));
      if (written < 0) {
        if (errno == EINTR) continue;
        return failure("write", path_ + " at " + std::to_string(position), errno);
      }
      // The file system took nothing and gave no reason.
      if (written == 0 && wanted > 0)
        return failure("write", path_ + " at " + std::to_string(position), ENOSPC);
      auto left = static_cast<size_t>(written);
      position += left;
      while (next < parts.size() && left >= parts[next].size() - skip) {
        left -= parts[next].size() - skip;
        skip = 0;
        ++next;
      }
      skip += left;
    }
    return {};
  }

  result<size_t> read_at(uint64_t position, uint8_t* into, size_t size) const override {
    size_t done = 0;
    while (done < size) {
      auto count = ::pread(*fd_, into + done, size - done, static_cast<off_t>(position + done));
      if (count < 0) {
        if (errno == EINTR) continue;
        return failure("read", path_ + " at " + std::to_string(position + done), errno);
      }
      if (count == 0) break;
      done += static_cast<size_t>(count);
    }
    return done;
  }

  result<void> sync() override {
    // fdatasync also writes what is needed to read the data back: the length.
    if (::fdatasync(*fd_) != 0) return failure("sync", path_, errno);
    return {};
  }

  result<void> truncate(uint64_t size) override {
    int done;
    do
      done = ::ftruncate(*fd_, static_cast<off_t>(size));
    while (done != 0 && errno == EINTR);
    if (done != 0) return failure("truncate", path_ + " to " + std::to_string(size), errno);
    return {};
  }

  result<uint64_t> size() const override {
    struct stat about;
    if (::fstat(*fd_, &about) != 0) return failure("stat", path_, errno);
    return static_cast<uint64_t>(about.st_size);
  }

private:
  std::string path_;
  descriptor fd_;
};

class posix_lock final : public storage_env::lock {
public:
  explicit posix_lock(int fd) : fd_(fd) {}

private:
  descriptor fd_;
};

class posix_env final : public storage_env {
public:
  posix_env() : storage_env(leveldb::Env::Default()) {}

  result<std::unique_ptr<random_file>> open_file(const std::string& path, open_mode mode) override {
    static constexpr std::array<int, 4> flags{O_RDONLY, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL};
    int fd = open_retrying(path, flags[static_cast<size_t>(mode)]);
    if (fd < 0) return failure("open", path, errno);
    return std::unique_ptr<random_file>{std::make_unique<posix_file>(path, fd)};
  }

  result<void> create_directories(const std::string& path) override {
    std::error_code code;
    std::filesystem::create_directories(path, code);
    if (code) return failure("create directory", path, code.value());
    return {};
  }

  result<void> sync_directory(const std::string& path) override {
    descriptor fd{open_retrying(path, O_RDONLY | O_DIRECTORY)};
    if (!fd.ok()) return failure("open directory", path, errno);
    if (::fsync(*fd) != 0) return failure("sync directory", path, errno);
    return {};
  }

  result<std::vector<std::string>> list_directory(const std::string& path) override {
    auto* stream = ::opendir(path.c_str());
    if (!stream) return failure("list", path, errno);
    std::vector<std::string> names;
    errno = 0;
    while (auto* entry = ::readdir(stream)) {
      std::string name{entry->d_name};
      if (name != "." && name != "..") names.push_back(std::move(name));
      errno = 0;
    }
    int number = errno;
    ::closedir(stream);
    if (number != 0) return failure("list", path, number);
    std::sort(names.begin(), names.end());
    return names;
  }

  result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return failure("rename", from + " to " + to, errno);
    return {};
  }

  result<void> remove_file(const std::string& path) override {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failure("remove", path, errno);
    return {};
  }

  result<void> remove_tree(const std::string& path) override {
    std::error_code code;
    std::filesystem::remove_all(path, code);
    if (code) return failure("remove", path, code.value());
    return {};
  }

  bool exists(const std::string& path) override {
    struct stat about;
    return ::lstat(path.c_str(), &about) == 0;
  }

  result<space_info> space(const std::string& path) override {
    struct statvfs about;
    if (::statvfs(path.c_str(), &about) != 0) return failure("free space of", path, errno);
    uint64_t unit = about.f_frsize;
    return space_info{about.f_bavail * unit, about.f_blocks * unit};
  }

  result<std::unique_ptr<lock>> lock_exclusively(const std::string& path) override {
    // flock, not fcntl: it also excludes a second owner in this process, and closing another descriptor keeps
    // it.
    int fd = open_retrying(path, O_RDWR | O_CREAT);
    if (fd < 0) return failure("open", path, errno);
    auto held = std::make_unique<posix_lock>(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return {ec::directory_in_use, path + " is locked by another process"};
      return failure("lock", path, errno);
    }
    return std::unique_ptr<lock>{std::move(held)};
  }
};

} // namespace

std::unique_ptr<storage_env> make_posix_storage_env() { return std::make_unique<posix_env>(); }

} // namespace pessoa::persistence
