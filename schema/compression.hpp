// Codecs of a batch's records, by Kafka's numbers: one table, one file per codec.
//
// Expanding is a stream: the caller asks for as many bytes as it has room for, so its limit holds before
// memory is taken. A codec itself takes at most `codec_bytes_max`, whatever the bytes claim.
#pragma once

#include "schema/bytes.hpp"
#include "schema/record_batch.hpp"
#include "schema/result.hpp"

#include <memory>
#include <span>

namespace pessoa {

// What one open decompressor may hold: zstd's window of 8 MiB (levels up to 19), lz4's two blocks of 4 MiB or
// one block of snappy's, and change.
inline constexpr size_t codec_bytes_max = 9u << 20;

// One compressed blob being expanded. Borrows the blob.
class decompressor {
public:
  virtual ~decompressor() = default;

  // Fills `out` from its front. Fewer bytes than asked for mean that the stream is over and was whole: not
  // cut off, its checksums right, nothing left behind it. Requires: `out` is not empty; no call after the end
  // or an error. Errors: invalid_record (not what the codec writes), unsupported_compression (a legal form
  // that is not read here).
  virtual result<size_t> read(std::span<uint8_t> out) = 0;
};

struct codec {
  compression number;
  std::string_view name; // as in Kafka's compression.type
  int level_min;
  int level_max;

  std::unique_ptr<decompressor> (*open)(byte_view compressed);
  // Appends the compressed form of `data`, of at most 2^31-1 bytes, to `out`. Level 0 is the codec's own default; others are cut to the
  // range.
  void (*compress)(byte_view data, int level, std::vector<uint8_t>& out);
};

// Errors: unsupported_compression. `none` is no codec.
result<const codec*> find_codec(compression number);
// By name, for configuration: "none" and the names of the table. Error: invalid_argument, with the names
// there are.
result<compression> compression_named(std::string_view name);
// "lz4"; "unknown" for numbers without a name.
std::string_view compression_name(compression number);

// Expands a blob whole. The result grows in steps and never beyond `bytes_max`.
// Errors: those of decompressor::read and find_codec; message_too_large beyond `bytes_max`.
result<std::vector<uint8_t>> decompress(compression number, byte_view compressed, size_t bytes_max);

// -- the codecs, for the table
// -----------------------------------------------------------------------------------------

extern const codec gzip_codec;
extern const codec snappy_codec;
extern const codec lz4_codec;
extern const codec zstd_codec;

} // namespace pessoa
