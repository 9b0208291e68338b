// CRC-32C (Castagnoli): the checksum of Kafka's batches and of our own frames and snapshots.
//
// Promises: incremental, so that a checksum over scattered pieces needs no copy:
// crc32c(b, crc32c(a)) is the CRC of a followed by b, and crc32c of nothing is `before` itself.
// Uses the processor's instructions through isa-l where it is installed, a table otherwise (or when
// PESSOA_PORTABLE_CRC32C is defined). It detects accidents; it is no protection against intent.
#pragma once

#include "schema/bytes.hpp"

namespace pessoa {

[[nodiscard]] uint32_t crc32c(byte_view data, uint32_t before = 0);

// The same function from tables alone: the fallback, and the witness in the tests.
[[nodiscard]] uint32_t crc32c_portable(byte_view data, uint32_t before = 0);

} // namespace pessoa
