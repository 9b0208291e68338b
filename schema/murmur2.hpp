// Kafka's hash of a record's key, so that a key lies in the partition where every other client looks for it.
#pragma once

#include "schema/bytes.hpp"
#include "schema/ids.hpp"

namespace pessoa {

// Austin Appleby's MurmurHash2 with Kafka's seed, as a signed number as Kafka's clients print it.
[[nodiscard]] int32_t murmur2(byte_view data);

// The partition of a key. Requires: partitions > 0.
[[nodiscard]] partition_id partition_of_key(byte_view key, int32_t partitions);

} // namespace pessoa
