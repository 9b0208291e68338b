// The words that all parts of the partition's rules share about a request.
#pragma once

#include <cstdint>

namespace pessoa::protocol {

// Chosen by the caller, unique among what it has open here.
using request_id = uint64_t;

enum class acks : int8_t { all = -1, none = 0, leader = 1 };

} // namespace pessoa::protocol
