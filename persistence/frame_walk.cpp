#include "persistence/frame_walk.hpp"

#include "schema/endian.hpp"
#include "schema/plants.hpp"

#include <algorithm>

namespace pessoa::persistence {

namespace {

constexpr size_t chunk_whole = 256u << 10;
constexpr size_t chunk_heads = 64u << 10;
// From this length on, heads are read one by one.
constexpr uint32_t frames_apart = 2u << 10;

frame_defect follows(const frame_view& view, const walk_end& before) {
  const bool linked = before.last_crc && view.header.previous_crc == *before.last_crc;
  if (before.next && view.header.base != *before.next)
    return linked ? frame_defect::false_end : frame_defect::wrong_offset;
  if (before.last_crc && !linked && !PESSOA_PLANT("skip_previous_crc")) return frame_defect::broken_chain;
  return frame_defect::none;
}

} // namespace

uint64_t head_reading(uint32_t frame_length) {
  return frame_length < frames_apart ? frame_length : frame_head_size;
}

result<walk_end> walk_frames(const random_file& file, const partition_key& key, walk_start start,
                             uint64_t file_end, walk_depth depth, const frame_visitor& visit) {
  read_window bytes{file, file_end};
  return walk_frames(bytes, key, start, depth, visit);
}

result<walk_end> walk_frames(read_window& bytes, const partition_key& key, walk_start start, walk_depth depth,
                             const frame_visitor& visit) {
  walk_end at{start.position, start.expected, start.previous_crc};
  auto file_end = bytes.end();
  auto read_before = bytes.bytes_read();
  bool apart = true; // frames are large, as far as is known
  while (at.position < file_end) {
    // Small frames are better read many at a time, large ones one head at a time.
    bool known = depth == walk_depth::heads
                 || (at.next && *at.next < start.known && file_end - at.position > start.verified_last);
    size_t ahead = !known ? chunk_whole : apart ? frame_head_size : chunk_heads;
    PESSOA_TRY(auto head, bytes.at(at.position, frame_head_size, ahead));
    frame_view view;
    at.defect = parse_frame_head(head, key, view);
    if (at.defect == frame_defect::none) at.defect = follows(view, at);
    if (at.defect == frame_defect::none && view.header.frame_length > file_end - at.position)
      at.defect = frame_defect::incomplete;
    byte_view frame = head;
    bool whole = depth == walk_depth::whole && !(known && view.next_offset() <= start.known);
    if (at.defect == frame_defect::none && whole) {
      PESSOA_TRY(frame, bytes.at(at.position, view.header.frame_length, chunk_whole));
      at.defect = parse_frame(frame, key, view);
    }
    if (at.defect != frame_defect::none || !visit(view, at.position, frame)) break;
    at.position += view.header.frame_length;
    at.next = view.next_offset();
    at.last_crc = view.header.header_crc;
    apart = view.header.frame_length >= frames_apart;
  }
  at.bytes_read = bytes.bytes_read() - read_before;
  return at;
}

result<std::optional<offset>> durable_end_recorded_in(read_window& bytes, const partition_key& key,
                                                      uint32_t generation, uint64_t from) {
  std::optional<offset> found;
  uint64_t position = (from + frame_alignment - 1) / frame_alignment * frame_alignment;
  while (position + frame_header_size <= bytes.end()) {
    PESSOA_TRY(auto view, bytes.at(position, chunk_whole, chunk_whole));
    size_t at = 0;
    for (; at + frame_header_size <= view.size(); at += frame_alignment) {
      if (load_le<uint32_t>(view.data() + at) != frame_magic) continue;
      frame_header header;
      if (parse_frame_header(view.subspan(at), key, header) != frame_defect::none) continue;
      if (header.generation < generation) continue;
      if (!found || header.durable_end > *found) found = header.durable_end;
    }
    if (at == 0) break;
    position += at;
  }
  return found;
}

} // namespace pessoa::persistence
