// The bytes of the journal (docs/formats/journal.md): files of records, each a partition's frames of one
// round.
//
//   file header, 32 bytes: 0 magic u32 | 4 version u16 | 6 header size u16 | 8 file number u64
//                         16 bytes of the file before that count u64 | 24 zero u32 | 28 CRC-32C of bytes
//                         0..28
//   record header, 80 bytes:
//      0 magic u32 | 4 version u16 | 6 kind u16 (1 frames, 2 forget) | 8 record length u32 | 12 frame count
//      u32
//     16 topic id | 32 partition i32 | 36 generation u32 | 40 base offset i64 | 48 end offset i64
//     56 bytes of this file known durable u64 | 64 file number u64 | 72 CRC of the previous record u32
//     76 CRC-32C of bytes 0..76
//
// Little-endian; lengths are multiples of 8. The frames follow as they lie in the segment. The first record
// is chained to the file header.
#pragma once

#include "schema/bytes.hpp"
#include "schema/ids.hpp"

#include <optional>
#include <string>

namespace pessoa::persistence {

inline constexpr size_t journal_file_header_size = 32;
inline constexpr size_t journal_record_header_size = 80;
// Each life of a node numbers its files from the next multiple of this, its series. A life removes its own oldest files
// first; those of an earlier one stay as long as a log that may need them could not be opened. So files may be missing
// between two series, and never within one.
inline constexpr uint64_t journal_series_files = 1u << 20;

enum class journal_kind : uint16_t {
  frames = 1,
  forget = 2, // what came before for this partition belongs to a log that was closed or deleted
};

struct journal_record {
  journal_kind kind = journal_kind::frames;
  uint32_t length = journal_record_header_size; // with header
  uint32_t frame_count = 0;
  partition_key key;
  uint32_t generation = 0;
  offset base{0};
  offset end{0};
  uint64_t durable_bytes = 0;
  uint64_t file_number = 0;
  uint32_t previous_crc = 0;
  uint32_t crc = 0;
};

// Writes 80 bytes and fills in crc.
void encode_journal_record(journal_record& record, uint8_t* out);
// nullopt if it is no whole record header of that file.
std::optional<journal_record> parse_journal_record(byte_view data, uint64_t file_number);

struct journal_file_header {
  uint64_t number = 0;
  uint64_t previous_bytes = 0; // where the file before ended when this one was begun: all of that was durable
  uint32_t crc = 0;
};
std::vector<uint8_t> encode_journal_file_header(journal_file_header& header);
// nullopt if it is not the header of that file.
std::optional<journal_file_header> parse_journal_file_header(byte_view data, uint64_t file_number);
[[nodiscard]] bool is_newer_journal_version(byte_view file_header);

std::string journal_file_name(uint64_t number); // "0000000000000001.journal"
std::optional<uint64_t> parse_journal_file_name(std::string_view name);

} // namespace pessoa::persistence
