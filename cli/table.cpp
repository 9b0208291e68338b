#include "cli/table.hpp"

#include "schema/assert.hpp"

#include <algorithm>

namespace pessoa::cli {

table::table(std::vector<std::string> columns) {
  for (auto& name : columns) {
    right_.push_back(!name.empty() && name.front() == '>');
    if (right_.back()) name.erase(0, 1);
  }
  rows_.push_back(std::move(columns));
}

void table::row(std::vector<std::string> cells) {
  PESSOA_ASSERT(cells.size() == right_.size(), cells.size(), right_.size());
  rows_.push_back(std::move(cells));
}

std::string table::text() const {
  std::vector<size_t> widths(right_.size());
  for (auto& cells : rows_)
    for (size_t i = 0; i < cells.size(); ++i)
      widths[i] = std::max(widths[i], cells[i].size());
  std::string out;
  for (auto& cells : rows_) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      std::string space(widths[i] - cells[i].size(), ' ');
      if (i > 0) line.append("  ");
      line.append(right_[i] ? space + cells[i] : cells[i] + space);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out.append(line).push_back('\n');
  }
  return out;
}

} // namespace pessoa::cli
