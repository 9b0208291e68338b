// The metadata log on disk: the same segments and frames as any partition's, under a topic id of its own. One batch is
// one proposal; a record's offset is its metadata index.
#pragma once

#include "persistence/commit_service.hpp"
#include "persistence/partition_log.hpp"
#include "schema/metadata_records.hpp"

#include <memory>
#include <vector>

namespace pessoa::actors {

// The key under which frames of the metadata log are written. No topic ever has this id (draw_uuid sets version bits).
partition_key metadata_key();

struct metadata_log {
  std::unique_ptr<persistence::partition_log> log;
  std::vector<metadata_record> history; // every committed record, from index 0
};

// Opens, recovers and reads the whole log. Blocking. Errors as partition_log::open, and corrupt_data or
// unsupported_version for a record that cannot be read.
result<metadata_log> open_metadata_log(persistence::storage_env& disk, const std::string& directory,
                                       persistence::commit_service& commits, bool clean_stop,
                                       persistence::recovery_report& report);

// One proposal as a stamped batch, ready for the commit service. Requires: records.
persistence::frame_input encode_proposal(const std::vector<metadata_record>& records, offset base, leader_epoch epoch,
                                         timestamp now);

} // namespace pessoa::actors
