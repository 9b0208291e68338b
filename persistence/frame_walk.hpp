// Walks over the frames of a file in order, checking each against the one before. Recovery, index and
// snapshot rebuilding, and search by time are all such walks.
#pragma once

#include "persistence/frame.hpp"
#include "persistence/storage_env.hpp"

#include <functional>
#include <optional>

namespace pessoa::persistence {

struct walk_start {
  uint64_t position = 0;
  std::optional<offset> expected;       // base offset of the frame there; nullopt: whatever it says
  std::optional<uint32_t> previous_crc; // nullopt: not known, the first frame's link is not checked
};

enum class walk_depth : uint8_t {
  heads, // headers only: reads little, says nothing about the records
  whole, // every byte is verified
};

struct walk_end {
  uint64_t position = 0;            // where the walk stopped: the end, or the first byte of what is no frame
  std::optional<offset> next;       // one past the last record seen; the start's `expected` if there was none
  std::optional<uint32_t> last_crc; // of the last frame seen, or the start's
  frame_defect defect = frame_defect::none; // why it stopped early
  uint64_t bytes_read = 0;
};

// Called per frame; `frame` holds the head (walk_depth::heads) or all of it. Returning false stops before
// this frame.
using frame_visitor = std::function<bool(const frame_view& view, uint64_t position, byte_view frame)>;

// Walks [start.position, file_end). Errors are those of reading; damage is not an error but an end.
result<walk_end> walk_frames(const random_file& file, const partition_key& key, walk_start start,
                             uint64_t file_end, walk_depth depth, const frame_visitor& visit);

// The largest durable end that any frame header in [from, file_end) recorded; nullopt without one. Looks at
// every multiple of 8, so that no damage hides what comes after it. Bytes read are added to `bytes_read`.
//
// A client that plants bytes like a frame's inside its records can make a torn tail look like loss, never the
// reverse.
result<std::optional<offset>> durable_end_recorded_in(const random_file& file, const partition_key& key,
                                                      uint64_t from, uint64_t file_end, uint64_t& bytes_read);

} // namespace pessoa::persistence
