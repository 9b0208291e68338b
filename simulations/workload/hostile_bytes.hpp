// What a hostile client says: requests that are valid on one of a node's ports, and what can be done to them.
//
// A damaged request must change nothing whatever becomes of it: batches in it carry a checksum that is wrong in every bit,
// and nothing asks for a topic to be made or to go.
#pragma once

#include "schema/seams/random.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace pessoa::sim {

using raw_bytes = std::vector<uint8_t>;

enum class hostile_port : uint16_t { rpc = 18880, http = 18882, kafka = 9092 };
hostile_port draw_port(random_source& random);
// Another one.
hostile_port other_port(random_source& random, hostile_port than);

// One that the port's protocol allows; for rpc two or three messages, as a client sends them when it logs in.
raw_bytes valid_request(random_source& random, hostile_port port, const std::vector<std::string>& topics);
// Asks a Kafka listener for everything there is, from the start.
raw_bytes hungry_request(random_source& random, const std::vector<std::string>& topics);

// At most 4 KiB.
raw_bytes noise(random_source& random);
// Some bits flipped, the end cut off, or both.
raw_bytes damaged(random_source& random, raw_bytes request);
// A beginning that claims a length: none, tiny, huge, negative. Something follows, not as much as it said.
raw_bytes lying(random_source& random, hostile_port port);

} // namespace pessoa::sim
