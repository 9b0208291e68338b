// A window over a file that moves forward: no byte is read twice as long as nobody goes back.
#pragma once

#include "persistence/storage_env.hpp"

#include <vector>

namespace pessoa::persistence {

class read_window {
public:
  // What lies behind `file_end` is not looked at.
  read_window(const random_file& file, uint64_t file_end) : file_(file), file_end_(file_end) {}

  // Up to `wanted` bytes from `position`; fewer at the end. When it must read, it reads up to `ahead` bytes
  // from there. The view holds until the next call.
  result<byte_view> at(uint64_t position, size_t wanted, size_t ahead);
  [[nodiscard]] uint64_t end() const { return file_end_; }
  [[nodiscard]] uint64_t bytes_read() const { return bytes_read_; }

private:
  const random_file& file_;
  uint64_t file_end_;
  uint64_t begin_ = 0;
  size_t size_ = 0;
  std::vector<uint8_t> buffer_;
  uint64_t bytes_read_ = 0;
};

} // namespace pessoa::persistence
