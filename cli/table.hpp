// A table for people: columns as wide as their widest cell, two spaces between, numbers to the right.
#pragma once

#include <string>
#include <vector>

namespace pessoa::cli {

class table {
public:
  // A column whose name begins with '>' is aligned to the right.
  explicit table(std::vector<std::string> columns);
  void row(std::vector<std::string> cells); // Requires: as many cells as columns
  [[nodiscard]] std::string text() const;   // with the head, a newline after each line

private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

} // namespace pessoa::cli
