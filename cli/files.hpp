// Small files of the command line: profiles. Whole at a time; a write is seen whole or not at all.
#pragma once

#include "schema/result.hpp"

#include <string>

namespace pessoa::cli {

// Errors: not_found; invalid_argument (it cannot be read, with the reason).
result<std::string> read_file(const std::string& path);
// Makes the directories that are missing, writes a neighbour, renames it.
result<void> write_file(const std::string& path, std::string_view text);

} // namespace pessoa::cli
