// The ids of the house. Kafka's names where Kafka has one; UUIDs where identity must survive renaming and re-creation.
//
// A topic is its id, never its name (failures R21); directories, frames and messages carry the id.
#pragma once

#include "schema/strong.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace pessoa {

class random_source;

// 128 random bits (RFC 4122 version 4). All zero means "none". Written as Kafka writes topic ids: 22 characters of
// unpadded URL-safe base64, so that ids compare equal in every tool.
template <class Tag>
class uuid_of {
public:
  using bytes_type = std::array<uint8_t, 16>;

  constexpr uuid_of() = default;
  constexpr explicit uuid_of(const bytes_type& raw) : raw_(raw) {}

  [[nodiscard]] constexpr const bytes_type& raw() const { return raw_; }
  [[nodiscard]] constexpr bool is_nil() const { return raw_ == bytes_type{}; }

  friend constexpr auto operator<=>(const uuid_of&, const uuid_of&) = default;
  friend constexpr bool operator==(const uuid_of&, const uuid_of&) = default;

private:
  bytes_type raw_{};
};

// Draws a version 4 UUID that does not begin with '-' in its text form (so that it can stand as a command argument).
std::array<uint8_t, 16> draw_uuid(random_source& random);
std::string uuid_text(const std::array<uint8_t, 16>& raw);
// Accepts the 22 character form and the 36 character hyphenated form; anything else is nullopt.
std::optional<std::array<uint8_t, 16>> parse_uuid(std::string_view text);

template <class Tag>
std::string to_string(const uuid_of<Tag>& id) { return uuid_text(id.raw()); }
template <class Tag>
std::ostream& operator<<(std::ostream& out, const uuid_of<Tag>& id) { return out << uuid_text(id.raw()); }

using topic_id = uuid_of<struct topic_id_tag>;
using cluster_id = uuid_of<struct cluster_id_tag>;
using directory_id = uuid_of<struct directory_id_tag>; // one per data directory, for as long as its contents live

struct offset_tag : counting_number {};
struct leader_epoch_tag : counting_number {};
struct metadata_index_tag : counting_number {};
struct incarnation_tag : counting_number {};
struct partition_id_tag : plain_number {};
struct node_id_tag : plain_number {};
struct producer_id_tag : plain_number {};
struct producer_epoch_tag : counting_number {};

using offset = strong<offset_tag, int64_t>;                // position of a record in a partition, from 0
using leader_epoch = strong<leader_epoch_tag, int32_t>;    // one leadership of one partition, from 0
using metadata_index = strong<metadata_index_tag, int64_t>;// offset in the metadata log
using incarnation = strong<incarnation_tag, int64_t>;      // one life of a node's process; the registration's index
using partition_id = strong<partition_id_tag, int32_t>;    // index within a topic, from 0
using node_id = strong<node_id_tag, int32_t>;              // Kafka's broker id, from 1
using producer_id = strong<producer_id_tag, int64_t>;      // -1: none
using producer_epoch = strong<producer_epoch_tag, int16_t>;

inline constexpr producer_id no_producer{-1};
inline constexpr offset no_offset{-1};
inline constexpr leader_epoch no_epoch{-1};

// Milliseconds since 1970-01-01 UTC. A wall time: for records and people, never for timeouts (failures N4).
struct timestamp_tag : counting_number {};
using timestamp = strong<timestamp_tag, int64_t>;
inline constexpr timestamp no_timestamp{-1};

// A partition of a topic, by identity.
struct partition_key {
  topic_id topic;
  partition_id index;

  friend auto operator<=>(const partition_key&, const partition_key&) = default;
  friend bool operator==(const partition_key&, const partition_key&) = default;
};
std::string to_string(const partition_key& key); // "TOPICID-INDEX", the name of its directory

} // namespace pessoa

template <class Tag>
struct std::hash<pessoa::uuid_of<Tag>> {
  size_t operator()(const pessoa::uuid_of<Tag>& id) const noexcept {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(id.raw().data()), id.raw().size()});
  }
};
template <>
struct std::hash<pessoa::partition_key> {
  size_t operator()(const pessoa::partition_key& key) const noexcept {
    return std::hash<pessoa::topic_id>{}(key.topic) * 31 + std::hash<pessoa::partition_id>{}(key.index);
  }
};
