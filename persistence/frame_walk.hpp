// Walks over the frames of a file in order, checking each against the one before. Recovery, index and
// snapshot rebuilding, and search by time are all such walks.
#pragma once

#include "persistence/frame.hpp"
#include "persistence/read_window.hpp"

#include <functional>
#include <optional>

namespace pessoa::persistence {

struct walk_start {
  uint64_t position = 0;
  std::optional<offset> expected;       // base offset of the frame there; nullopt: whatever it says
  std::optional<uint32_t> previous_crc; // nullopt: not known, the first frame's link is not checked
  // walk_depth::whole: of frames that end at or below `known` only the heads are read, but for those that begin
  // in the last `verified_last` bytes.
  offset known{0};
  uint64_t verified_last = 0;
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

// Called per frame; `frame` holds all of it, or the head if that is what was read. Returning false stops before
// this frame.
using frame_visitor = std::function<bool(const frame_view& view, uint64_t position, byte_view frame)>;

// Walks [start.position, file_end). Errors are those of reading; damage is not an error but an end.
result<walk_end> walk_frames(const random_file& file, const partition_key& key, walk_start start,
                             uint64_t file_end, walk_depth depth, const frame_visitor& visit);
// The same through a window: what it has read already is not read again.
result<walk_end> walk_frames(read_window& bytes, const partition_key& key, walk_start start, walk_depth depth,
                             const frame_visitor& visit);

// About what a walk over heads reads for a frame of that length.
uint64_t head_reading(uint32_t frame_length);

// The largest durable end that any frame header of that generation or a later one recorded, from `from` on; nullopt without
// one. Looks at every multiple of 8, so that no damage hides what comes after it. (Of an older generation it may be what a
// truncation took away, in old blocks; what it left, the truncation itself vouches for.)
//
// A client that plants bytes like a frame's inside its records can make a torn tail look like loss, never the
// reverse.
result<std::optional<offset>> durable_end_recorded_in(read_window& bytes, const partition_key& key,
                                                      uint32_t generation, uint64_t from);

} // namespace pessoa::persistence
