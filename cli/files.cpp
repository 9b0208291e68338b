#include "cli/files.hpp"

#include "cli/console.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace pessoa::cli {

namespace {

error failed(const std::string& what, const std::string& path, int number) {
  auto code = ec::storage_failed;
  if (number == ENOENT) code = ec::not_found;
  if (number == EACCES || number == EPERM || number == EROFS) code = ec::denied;
  if (number == ENOSPC || number == EDQUOT) code = ec::disk_full;
  return {code, what + " " + path + ": " + std::strerror(number)};
}

} // namespace

result<std::string> read_file(const std::string& path, size_t offset) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return failed("cannot open", path, errno);
  if (offset > 0 && ::lseek(descriptor, static_cast<off_t>(offset), SEEK_SET) < 0) {
    int number = errno;
    ::close(descriptor);
    return failed("cannot read", path, number);
  }
  std::string out;
  char piece[16384];
  while (true) {
    auto n = ::read(descriptor, piece, sizeof piece);
    if (n > 0) {
      out.append(piece, static_cast<size_t>(n));
    } else if (n == 0) {
      ::close(descriptor);
      return out;
    } else if (errno != EINTR) {
      int number = errno;
      ::close(descriptor);
      return failed("cannot read", path, number);
    }
  }
}

result<void> write_file(const std::string& path, std::string_view text) {
  std::error_code trouble;
  std::filesystem::create_directories(std::filesystem::path{path}.parent_path(), trouble);
  if (trouble) return failed("cannot create the directory of", path, trouble.value());
  std::string neighbour = path + ".new." + std::to_string(::getpid());
  int descriptor = ::open(neighbour.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return failed("cannot create", neighbour, errno);
  int number = write_all(descriptor, text);
  ::close(descriptor);
  if (number == 0 && ::rename(neighbour.c_str(), path.c_str()) != 0) number = errno;
  if (number == 0) return {};
  ::unlink(neighbour.c_str());
  return failed("cannot write", path, number);
}

} // namespace pessoa::cli
