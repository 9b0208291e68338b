// The frame: what surrounds a batch on disk, so that recovery needs to trust nothing else
// (docs/formats/segment.md).
//
//    0 magic u32 | 4 version u16 | 6 header size u16 | 8 frame length u32 | 12 batch length u32
//   16 topic id hash u64 | 24 partition i32 | 28 leader epoch i32 | 32 base offset i64 | 40 append time i64
//   48 durable end i64 | 56 synced end i64 | 64 generation u32 | 68 CRC of the previous frame u32
//   72 batch's own CRC u32 | 76 CRC-32C of bytes 0..76
//
// Little-endian. The batch follows untouched, then zeros up to a multiple of 8, so that frames begin at
// multiples of 8. Every byte of the batch is covered: its first 21 bytes by comparison with this header, the
// rest by its own CRC, which this header's CRC includes. The chain (the previous frame's CRC is that frame's
// header CRC) shows a frame that was lost, repeated or put elsewhere.
//
// Pure: bytes in, values out.
#pragma once

#include "schema/ids.hpp"
#include "schema/limits.hpp"
#include "schema/record_batch.hpp"

namespace pessoa::persistence {

inline constexpr uint32_t frame_magic = 0x4d465350; // "PSFM" as it lies in the file
inline constexpr uint16_t frame_version = 1;
inline constexpr size_t frame_header_size = 80;
inline constexpr size_t frame_alignment = 8;
// What must be read to know everything about a frame but whether its records are whole.
inline constexpr size_t frame_head_size = frame_header_size + batch_header_size;
// Above what any topic accepts; a longer length field is damage.
inline constexpr size_t framed_batch_bytes_max = 64u << 20;
static_assert(framed_batch_bytes_max >= message_bytes_max);
// So that next_offset() stays an offset for every count that a batch can claim.
inline constexpr offset frame_offset_max{INT64_MAX - (int64_t{1} << 32)};

struct frame_header {
  uint32_t frame_length = 0; // header, batch and padding
  uint32_t batch_length = 0;
  uint64_t topic_hash = 0;
  partition_id partition{0};
  leader_epoch epoch = no_epoch;
  offset base{0};
  timestamp append_time = no_timestamp;
  offset durable_end{0};     // known durable when this was written, in the segment or in the journal
  offset synced_end{0};      // known durable when this was written, in the segments alone
  uint32_t generation = 0;   // truncations of this log before it was written
  uint32_t previous_crc = 0; // header_crc of the frame before; 0 for the first of a log
  uint32_t batch_crc = 0;
  uint32_t header_crc = 0;
};

uint64_t topic_hash(const topic_id& topic);
constexpr size_t padding_of(size_t batch_length) {
  return (frame_alignment - (frame_header_size + batch_length) % frame_alignment) % frame_alignment;
}
constexpr size_t frame_length_of(size_t batch_length) {
  return frame_header_size + batch_length + padding_of(batch_length);
}

// Writes the header to out[0..80) and fills in header_crc.
void encode_frame_header(frame_header& header, uint8_t* out);

// Why bytes are no frame. `unsupported` is a whole header of a version we do not know.
enum class frame_defect : uint8_t {
  none,
  incomplete, // the data ends inside it
  bad_header, // magic, lengths or CRC
  unsupported,
  wrong_log,    // another topic or partition
  wrong_batch,  // the batch's first bytes contradict the header
  bad_batch,    // the batch's CRC, or padding that is not zero
  wrong_offset, // it does not begin where the one before ended
  broken_chain, // it does not follow the one before
  false_end,    // it follows the one before, whose batch says that it ends elsewhere: rot, never a torn tail
};
const char* to_string(frame_defect defect);

struct frame_view {
  frame_header header;
  batch_header batch;

  [[nodiscard]] offset next_offset() const { return batch.next_offset(); }
};

// Reads the header of the frame at data[0]; checks its CRC and that it belongs to `key`.
frame_defect parse_frame_header(byte_view data, const partition_key& key, frame_header& out);
// And the first 61 bytes of the batch. Needs frame_head_size bytes.
frame_defect parse_frame_head(byte_view data, const partition_key& key, frame_view& out);
// And every byte of it. Needs the whole frame.
frame_defect parse_frame(byte_view data, const partition_key& key, frame_view& out);

} // namespace pessoa::persistence
