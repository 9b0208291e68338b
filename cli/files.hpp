// Small files of the command line: profiles. Whole at a time; a write is seen whole or not at all.
#pragma once

#include "schema/result.hpp"

#include <string>

namespace pessoa::cli {

// Errors of both, with the reason: not_found, denied, disk_full, storage_failed.
result<std::string> read_file(const std::string& path, size_t offset = 0); // from `offset` on
// Makes the directories that are missing, writes a neighbour, renames it.
result<void> write_file(const std::string& path, std::string_view text);

} // namespace pessoa::cli
