// A directory of a test's own below TMPDIR, removed with everything in it at the end.
#pragma once

#include "schema/assert.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

namespace pessoa::tests {

class temporary_directory {
public:
  temporary_directory() {
    auto* base = std::getenv("TMPDIR");
    path_ = std::string{base && *base ? base : "/tmp"} + "/pessoa-XXXXXX";
    PESSOA_ASSERT(::mkdtemp(path_.data()) != nullptr, path_);
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

private:
  std::string path_;
};

} // namespace pessoa::tests
