// The unit on the wire and on disk: Kafka's record batch, version 2, untouched from client to disk to client.
//
// Layout, all big-endian (Kafka's DefaultRecordBatch; docs/formats/record-batch.md has a worked example):
//
//   0 base_offset i64 | 8 length i32 (bytes after this field) | 12 leader_epoch i32 | 16 magic i8 = 2 | 17 crc u32
//   21 attributes i16 | 23 last_offset_delta i32 | 27 base_timestamp i64 | 35 max_timestamp i64 | 43 producer_id i64
//   51 producer_epoch i16 | 53 base_sequence i32 | 57 record_count i32 | 61 records (one blob when compressed)
//
// The CRC-32C covers bytes 21 to the end, so base offset and leader epoch are stamped without touching it. Only this
// 61-byte header is ever rewritten by a node.
#pragma once

#include "schema/bytes.hpp"
#include "schema/record.hpp"
#include "schema/result.hpp"

#include <cstdint>

namespace pessoa {

inline constexpr size_t batch_header_size = 61;
inline constexpr size_t batch_length_prefix = 12; // base offset and the length field itself

// Attribute bits 0-2; compression.hpp has the table of codecs.
enum class compression : uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

struct batch_header {
  offset base_offset{0};
  int32_t length = 0; // bytes after the length field
  leader_epoch epoch = no_epoch;
  int8_t magic = 2;
  uint32_t crc = 0;
  int16_t attributes = 0;
  int32_t last_offset_delta = 0;
  timestamp base_timestamp = no_timestamp;
  timestamp max_timestamp = no_timestamp;
  producer_id producer = no_producer;
  producer_epoch pepoch{-1};
  int32_t base_sequence = -1;
  int32_t record_count = 0;

  [[nodiscard]] size_t size() const { return batch_length_prefix + static_cast<size_t>(length); }
  [[nodiscard]] uint8_t codec_number() const { return static_cast<uint8_t>(attributes & 0x07); }
  [[nodiscard]] compression codec() const { return static_cast<compression>(codec_number()); }
  [[nodiscard]] bool log_append_time() const { return (attributes & 0x08) != 0; }
  [[nodiscard]] bool transactional() const { return (attributes & 0x10) != 0; }
  [[nodiscard]] bool control() const { return (attributes & 0x20) != 0; }
  [[nodiscard]] bool idempotent() const { return producer != no_producer; }
  [[nodiscard]] offset last_offset() const { return base_offset + last_offset_delta; }
  [[nodiscard]] offset next_offset() const { return base_offset + last_offset_delta + 1; }
  // Sequences wrap from 2^31-1 to 0.
  [[nodiscard]] int32_t last_sequence() const {
    return static_cast<int32_t>((static_cast<int64_t>(base_sequence) + last_offset_delta) & 0x7fffffff);
  }
};

// Reads the header of the batch that begins at data[0]. Checks only what is needed to know where it ends: 61 bytes are
// there, magic is 2, length is at least 49. Does not require the whole batch to be in `data`.
// Errors: corrupt_message (too short, or length below 49), unsupported_version (another magic).
result<batch_header> parse_batch_header(byte_view data);

// Writes the 61 bytes as they are given, CRC included. Requires: room for them.
void write_batch_header(uint8_t* batch, const batch_header& header);
// Sets length and CRC to what the bytes are. Requires: exactly one whole batch, of at most 2^31-1 bytes.
void seal_batch(std::span<uint8_t> batch);

// Is the stored CRC the CRC of bytes 21 to the end? Requires: data holds exactly one whole batch.
[[nodiscard]] bool batch_crc_matches(byte_view batch);

// Writes base offset and leader epoch. Requires: at least 61 bytes. The CRC does not change.
void stamp_batch(uint8_t* batch, offset base, leader_epoch epoch);
// Log-append time: sets attribute bit 3 and max_timestamp, and the CRC anew. Requires: exactly one whole batch.
void stamp_append_time(std::span<uint8_t> batch, timestamp now);
// Create time: corrects max_timestamp, and the CRC anew. Requires: exactly one whole batch.
void stamp_max_timestamp(std::span<uint8_t> batch, timestamp max);

// How much a batch may be, before a byte of it is expanded.
struct batch_limits {
  size_t batch_bytes_max = 1 << 20;            // the whole batch as it comes
  size_t decompressed_bytes_max = 64u << 20;   // its records, expanded; holds before memory is taken
  int32_t records_max = 1 << 20;
};

// What a full check of a batch found.
struct batch_facts {
  batch_header header;
  timestamp max_timestamp = no_timestamp; // over the records; may differ from the header's (then the node restamps it)
  timestamp min_timestamp = no_timestamp;
  size_t decompressed_bytes = 0;
  bool null_key = false;                  // some record has none: refused on compacted topics
};

// The whole of Kafka's checks that need nothing but the batch (docs/guarantees.md): size, magic, CRC, counts, codec, and
// every record inside, read as a stream under the limits. `data` must hold exactly one batch.
// Errors, in this order: message_too_large (the batch), corrupt_message (too short for a header), unsupported_version
// (magic: length and CRC of other versions lie elsewhere), corrupt_message (length, CRC), invalid_record (counts, base
// offset, control bit, producer, sequence), message_too_large (the record count), unsupported_compression; then, whichever
// the stream meets first, invalid_record (inner offsets other than 0..n-1, lying lengths, times before -1, bytes left
// over) or message_too_large (what expands beyond the limit). Of bit 3 and of a base offset above 0 it has no opinion:
// stored batches pass it too. Memory: 64 KiB and what a codec takes (compression.hpp); none without a codec.
// When it is a record that is wrong, `wrong_record` gets its index; else it is left alone.
result<batch_facts> validate_batch(byte_view data, const batch_limits& limits, int32_t* wrong_record = nullptr);

// Reads the records of one batch in order, expanding it under a cap.
class batch_reader {
public:
  // Requires: `batch` holds exactly one batch that passed validate_batch somewhere; still never trusts a length.
  static result<batch_reader> open(byte_view batch, size_t decompressed_bytes_max = 64u << 20);

  struct entry {
    offset at;
    record_view record; // valid as long as the batch, or as the reader (and its copies) when it was compressed
  };
  // The next record; nullopt at the end. Error: invalid_record.
  result<std::optional<entry>> next();
  [[nodiscard]] const batch_header& header() const { return header_; }

private:
  explicit batch_reader(const batch_header& header) : header_(header) {}

  batch_header header_;
  std::shared_ptr<const std::vector<uint8_t>> expanded_; // holds the records when they were compressed
  byte_view rest_;
  int32_t index_ = 0;
};

// Of an idempotent producer; by default of none.
struct batch_identity {
  producer_id producer = no_producer;
  producer_epoch epoch{-1};
  int32_t base_sequence = -1;
};

// Builds one batch. Not thread-safe; reusable after finish().
class batch_builder {
public:
  using identity = batch_identity;

  static constexpr int32_t records_max = 1 << 20;

  // Requires: `codec` can be written (compression.hpp).
  explicit batch_builder(compression codec = compression::none, int level = 0);

  // Appends a record. The first record's time becomes the base timestamp. Requires: record_count() < records_max; a time
  // of -1 or later; at most headers_per_record_max headers; size() + upper_bound(record) <= 2^31-1.
  void add(const record_view& record);
  // What `record` would add at most to the uncompressed size; for "does it still fit?".
  [[nodiscard]] static size_t upper_bound(const record_view& record);

  [[nodiscard]] int32_t record_count() const { return count_; }
  // Uncompressed size of the batch so far, header included.
  [[nodiscard]] size_t size() const { return count_ == 0 ? batch_header_size : batch_.size(); }

  // Compresses, stamps the header (base offset 0, epoch -1) and leaves the builder empty. Requires: a record.
  // When a codec does not make it smaller, the batch is stored uncompressed.
  std::vector<uint8_t> finish(const identity& producer = {});

private:
  compression codec_;
  int level_;
  std::vector<uint8_t> batch_; // room for the header, then the records; given away by finish()
  size_t expected_bytes_ = 0;  // the last batch's size: the next one is reserved at once
  int32_t count_ = 0;
  timestamp base_ = no_timestamp;
  timestamp max_ = no_timestamp;
};

} // namespace pessoa
