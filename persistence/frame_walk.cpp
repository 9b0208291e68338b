#include "persistence/frame_walk.hpp"

#include "persistence/plants.hpp"
#include "schema/endian.hpp"

#include <algorithm>

namespace pessoa::persistence {

namespace {

constexpr size_t chunk_whole = 256u << 10;
constexpr size_t chunk_heads = 4u << 10;

// A window over a file that moves forward.
class window {
public:
  window(const random_file& file, uint64_t file_end) : file_(file), file_end_(file_end) {}

  // Up to `wanted` bytes from `position`; fewer at the end of the file. Reads `ahead` bytes when it must
  // read.
  result<byte_view> at(uint64_t position, size_t wanted, size_t ahead) {
    wanted = static_cast<size_t>(std::min<uint64_t>(wanted, file_end_ - position));
    if (position < begin_ || position + wanted > begin_ + size_) {
      auto size = static_cast<size_t>(std::min<uint64_t>(std::max(wanted, ahead), file_end_ - position));
      if (buffer_.size() < size) buffer_.resize(size);
      PESSOA_TRY(size_, file_.read_at(position, buffer_.data(), size));
      begin_ = position;
      bytes_read += size_;
    }
    size_t skip = position - begin_;
    return byte_view{buffer_.data() + skip, std::min(wanted, size_ - std::min(skip, size_))};
  }
  uint64_t bytes_read = 0;

private:
  const random_file& file_;
  uint64_t file_end_;
  uint64_t begin_ = 0;
  size_t size_ = 0;
  std::vector<uint8_t> buffer_;
};

frame_defect follows(const frame_view& view, const walk_end& before) {
  if (before.next && view.header.base != *before.next) return frame_defect::wrong_offset;
  if (before.last_crc && view.header.previous_crc != *before.last_crc && !PESSOA_PLANT("skip_previous_crc"))
    return frame_defect::broken_chain;
  return frame_defect::none;
}

} // namespace

result<walk_end> walk_frames(const random_file& file, const partition_key& key, walk_start start,
                             uint64_t file_end, walk_depth depth, const frame_visitor& visit) {
  walk_end at{start.position, start.expected, start.previous_crc};
  window bytes{file, file_end};
  size_t ahead = depth == walk_depth::whole ? chunk_whole : chunk_heads;
  while (at.position < file_end) {
    PESSOA_TRY(auto head, bytes.at(at.position, frame_head_size, ahead));
    frame_view view;
    at.defect = parse_frame_head(head, key, view);
    if (at.defect == frame_defect::none) at.defect = follows(view, at);
    if (at.defect == frame_defect::none && view.header.frame_length > file_end - at.position)
      at.defect = frame_defect::incomplete;
    byte_view frame = head;
    if (at.defect == frame_defect::none && depth == walk_depth::whole) {
      PESSOA_TRY(frame, bytes.at(at.position, view.header.frame_length, ahead));
      at.defect = parse_frame(frame, key, view);
    }
    if (at.defect != frame_defect::none || !visit(view, at.position, frame)) break;
    at.position += view.header.frame_length;
    at.next = view.next_offset();
    at.last_crc = view.header.header_crc;
    // Small frames are better read many at a time, large ones one head at a time.
    if (depth == walk_depth::heads)
      ahead = view.header.frame_length < chunk_heads ? chunk_whole / 4 : chunk_heads;
  }
  at.bytes_read = bytes.bytes_read;
  return at;
}

result<std::optional<offset>> durable_end_recorded_in(const random_file& file, const partition_key& key,
                                                      uint64_t from, uint64_t file_end,
                                                      uint64_t& bytes_read) {
  std::optional<offset> found;
  window bytes{file, file_end};
  uint64_t position = (from + frame_alignment - 1) / frame_alignment * frame_alignment;
  while (position + frame_header_size <= file_end) {
    PESSOA_TRY(auto view, bytes.at(position, chunk_whole, chunk_whole));
    size_t at = 0;
    for (; at + frame_header_size <= view.size(); at += frame_alignment) {
      if (load_le<uint32_t>(view.data() + at) != frame_magic) continue;
      frame_header header;
      if (parse_frame_header(view.subspan(at), key, header) != frame_defect::none) continue;
      if (!found || header.durable_end > *found) found = header.durable_end;
    }
    if (at == 0) break;
    position += at;
  }
  bytes_read += bytes.bytes_read;
  return found;
}

} // namespace pessoa::persistence
