// Every cap on what comes from outside, in one place, with the relations between them checked at compile time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pessoa {

inline constexpr size_t topic_name_bytes_max = 249; // Kafka's
inline constexpr int32_t partitions_per_topic_max = 10'000;
inline constexpr size_t partitions_per_node_max =
    20'000; // replicas on one node; each is a log, two actors and a route
inline constexpr size_t parked_calls_max =
    16'384; // of one connection: calls that wait for something to happen
// Kafka has no such limit; without one, 64 MiB of expanded zeros would be 32 million headers for the reader to hold.
inline constexpr size_t headers_per_record_max = 65'536;
inline constexpr size_t rpc_segments_max = 16; // of one incoming Cap'n Proto message
inline constexpr size_t rpc_bytes_before_login_max = 1u << 20;
inline constexpr size_t rpc_message_bytes_max =
    8u << 20; // replies stay below it, so that every language can read them
inline constexpr size_t message_bytes_max = 7u << 20; // the highest max.message.bytes a topic may have
inline constexpr size_t fetch_bytes_max = 4u << 20; // what one fetch returns, unless a single batch is larger
// One Kafka request: the batches of several partitions, and room around them.
inline constexpr size_t kafka_request_bytes_max = 16u << 20;
// Until the first answer. Not less: some clients write on a connection of its own, whose first words are a produce request,
// as large as they come. What strangers may hold together is bounded by the listener's budgets.
inline constexpr size_t kafka_bytes_before_first_max = kafka_request_bytes_max;
inline constexpr size_t node_bytes_budget_default = 256u << 20;
inline constexpr size_t connection_bytes_budget = 32u << 20;

// One topic fits on one node, and a consumer may wait for all of it on one connection.
static_assert(partitions_per_node_max >= size_t{partitions_per_topic_max});
static_assert(parked_calls_max > size_t{partitions_per_topic_max});
// After login a message may be twice the largest batch: the batch, and room for everything around it.
static_assert(rpc_message_bytes_max * 2 >= message_bytes_max + (1u << 20));
// A fetch reply holds at least one whole batch.
static_assert(message_bytes_max + (64u << 10) < rpc_message_bytes_max && fetch_bytes_max < message_bytes_max);
static_assert(connection_bytes_budget >= 2 * rpc_message_bytes_max);
static_assert(kafka_request_bytes_max >= 2 * message_bytes_max
              && kafka_bytes_before_first_max <= kafka_request_bytes_max);
static_assert(connection_bytes_budget >= 2 * kafka_request_bytes_max);
static_assert(node_bytes_budget_default >= 4 * connection_bytes_budget);

} // namespace pessoa
