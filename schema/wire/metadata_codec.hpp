// Metadata records to bytes and back: the only code that translates metadata.capnp.
//
// A record is one single-segment Cap'n Proto message as a flat array. Decoding trusts nothing: lists are bounded, and an
// unknown kind of record is an error, because skipping a decision would fork the state (failures C11).
#pragma once

#include "schema/bytes.hpp"
#include "schema/metadata_records.hpp"
#include "schema/result.hpp"

namespace pessoa::wire {

std::vector<uint8_t> encode_metadata(const metadata_record& record);
// Errors: corrupt_data (not such a message, or a value out of its range), unsupported_version (a kind or version that a
// newer release wrote).
result<metadata_record> decode_metadata(byte_view data);

} // namespace pessoa::wire
