// Files and stdin as byte sources: large reads, and a wait that can be broken off.
#pragma once

#include "cli/record_input.hpp"

#include <memory>
#include <string>

namespace pessoa::cli {

// Reads `descriptor`, which stays the caller's, until its end. A wait for bytes ends with timed_out when one of
// `stops` becomes readable.
std::unique_ptr<byte_source> make_source(int descriptor, std::string name, std::vector<int> stops);

// A descriptor that closes itself.
class open_file {
public:
  // Error: not_found, with the reason.
  static result<open_file> open(const std::string& path);
  open_file(open_file&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  open_file& operator=(open_file&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~open_file();
  [[nodiscard]] int descriptor() const { return descriptor_; }

private:
  explicit open_file(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

} // namespace pessoa::cli
