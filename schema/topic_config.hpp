// A topic's settings, under Kafka's names. Every key has a type, a range, a default and a sentence; an unknown key is an
// error that names the nearest known one. What is accepted has its real effect.
#pragma once

#include "schema/ids.hpp"
#include "schema/result.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pessoa {

enum class timestamp_type : uint8_t { create_time, log_append_time };

struct topic_config {
  int64_t retention_ms = 7ll * 24 * 3600 * 1000; // -1: for ever
  int64_t retention_bytes = -1;                  // per partition; -1: no limit
  int64_t segment_bytes = 1ll << 30;             // a segment is rolled before it would exceed this
  int64_t segment_ms = 7ll * 24 * 3600 * 1000;   // or when its first batch is older than this
  int64_t max_message_bytes = 1 << 20;           // of one batch, compressed as it comes
  timestamp_type message_timestamp_type = timestamp_type::create_time;
  int64_t message_timestamp_before_max_ms = INT64_MAX;  // how far in the past a record's time may lie
  int64_t message_timestamp_after_max_ms = 3600 * 1000; // how far in the future
  int32_t min_insync_replicas = 0;                      // 0: follows the factor (rules.md 2)

  // Sets one key from its text. Errors: invalid_config, with the nearest known key or the allowed range.
  result<void> set(std::string_view key, std::string_view value);
  // All keys with their current values as text, in order of name.
  [[nodiscard]] std::map<std::string, std::string> entries() const;

  static result<topic_config> from(const std::map<std::string, std::string>& entries);
  friend bool operator==(const topic_config&, const topic_config&) = default;
};

struct topic_config_key {
  std::string_view name;
  std::string_view type;  // "ms", "bytes", "int", "one of CreateTime, LogAppendTime"
  std::string_view about; // one sentence
  // The ends between which simulated topics draw it, beside the default; empty: they do not.
  std::string_view tiny{}, huge{};
};
const std::vector<topic_config_key>& topic_config_keys();

// `text` is [a-zA-Z0-9._-]{1,249} and neither "." nor "..". The error quotes it, escaped and cut.
result<void> check_topic_name(std::string_view text);
// Client strings in messages and logs: in single quotes, printable ASCII as it is, everything else (and ' and \) escaped
// as \xNN. The whole is at most `bytes_max` long; a text that was cut ends in "..." Requires: bytes_max >= 9.
std::string quoted(std::string_view text, size_t bytes_max = 80);
// The candidate nearest to `word`, the first of equals: within 3 edits (or a third of its length, if that is more), a
// swap of neighbours being one edit, and with at least half of its letters right. Empty if none: for "did you mean".
std::string nearest(std::string_view word, const std::vector<std::string_view>& candidates);

} // namespace pessoa
