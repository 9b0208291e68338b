// What a node that was killed could not know to be durable in a log's segments, found from the files alone: written apart
// from the product's recovery, so that the two can disagree (docs/life_of_a_record.md, hop 20).
#pragma once

#include <filesystem>

namespace pessoa::bench {

// Each frame says which offset was synced in the segments when it was written. Of the newest segment, the bytes from the first
// frame that no frame calls synced to the end of the file. 0 for a log without segments. Throws when it cannot be read.
double bytes_in_doubt(const std::filesystem::path& log_directory);

} // namespace pessoa::bench
