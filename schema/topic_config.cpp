#include "schema/topic_config.hpp"

#include "schema/limits.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace pessoa {

namespace {

constexpr int64_t no_maximum = std::numeric_limits<int64_t>::max();
constexpr int64_t int32_highest = std::numeric_limits<int32_t>::max();

// Java's Long.parseLong after String.trim, which is how Kafka reads a number.
result<int64_t> parse_number(std::string_view key, std::string_view text, int64_t low, int64_t high) {
  auto refuse = [&] {
    std::string range = high == no_maximum ? "of at least " + std::to_string(low)
                                           : "from " + std::to_string(low) + " to " + std::to_string(high);
    return error{ec::invalid_config,
                 std::string{key} + '=' + quoted(text) + " is not a whole number " + range};
  };
  auto digits = text;
  if (digits.size() > 1 && digits[0] == '+' && digits[1] != '-') digits.remove_prefix(1);
  int64_t number = 0;
  auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (problem != std::errc{} || end != digits.data() + digits.size()) return refuse();
  if (number < low || number > high) return refuse();
  return number;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && static_cast<uint8_t>(text.front()) <= ' ')
    text.remove_prefix(1);
  while (!text.empty() && static_cast<uint8_t>(text.back()) <= ' ')
    text.remove_suffix(1);
  return text;
}

// One key: what people read, how it is set, how it is shown.
struct row {
  topic_config_key key;
  result<void> (*set)(topic_config&, std::string_view name, std::string_view text);
  std::string (*show)(const topic_config&);
};

template <auto Member, int64_t Low, int64_t High>
result<void> set_number(topic_config& config, std::string_view name, std::string_view text) {
  PESSOA_TRY(auto number, parse_number(name, text, Low, High));
  using field = std::remove_reference_t<decltype(config.*Member)>;
  static_assert(Low >= std::numeric_limits<field>::min() && High <= std::numeric_limits<field>::max());
  config.*Member = static_cast<field>(number);
  return {};
}

template <auto Member>
std::string show_number(const topic_config& config) {
  return std::to_string(config.*Member);
}

template <auto Member, int64_t Low, int64_t High>
row number(std::string_view name, std::string_view type, std::string_view about, std::string_view tiny,
           std::string_view huge) {
  return {{name, type, about, tiny, huge}, set_number<Member, Low, High>, show_number<Member>};
}

constexpr std::string_view create_time = "CreateTime";
constexpr std::string_view log_append_time = "LogAppendTime";

result<void> set_timestamp_type(topic_config& config, std::string_view name, std::string_view text) {
  if (text == create_time) {
    config.message_timestamp_type = timestamp_type::create_time;
  } else if (text == log_append_time) {
    config.message_timestamp_type = timestamp_type::log_append_time;
  } else {
    return error{ec::invalid_config,
                 std::string{name} + '=' + quoted(text) + " is neither CreateTime nor LogAppendTime"};
  }
  return {};
}

std::string show_timestamp_type(const topic_config& config) {
  return std::string{config.message_timestamp_type == timestamp_type::create_time ? create_time
                                                                                  : log_append_time};
}

// Keys that have one value until the software behind the others exists. Refusing is better than a setting
// without effect.
result<void> only(std::string_view name, std::string_view text, std::string_view value,
                  const std::vector<std::string_view>& later) {
  if (text == value) return {};
  auto what = std::string{name} + '=' + quoted(text);
  if (std::find(later.begin(), later.end(), text) != later.end())
    return error{ec::invalid_config, what + " is not there yet: only " + std::string{value} + " is"};
  return error{ec::invalid_config,
               what + " is not " + std::string{value} + ", the only value there is so far"};
}

result<void> set_cleanup_policy(topic_config&, std::string_view name, std::string_view text) {
  return only(name, text, "delete", {"compact", "compact,delete", "delete,compact"});
}

result<void> set_compression_type(topic_config&, std::string_view name, std::string_view text) {
  return only(name, text, "producer", {"uncompressed", "gzip", "snappy", "lz4", "zstd"});
}

// What this software does anyway, under the names by which tools ask for it.
template <const std::string_view& Value, const std::string_view& Other>
row fixed(std::string_view name, std::string_view type, std::string_view about) {
  return {{name, type, about},
          [](topic_config&, std::string_view key, std::string_view text) {
            return only(key, text, Value, {Other});
          },
          [](const topic_config&) { return std::string{Value}; }};
}
constexpr std::string_view off = "false", on = "true", one = "1";

// Settings of Kafka's whose effect is not there. Tools send some of them by themselves, so the refusal says what to do.
constexpr std::string_view without_effect[] = {
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.ms",
    "follower.replication.throttled.replicas",
    "index.interval.bytes",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "message.downconversion.enable",
    "message.format.version",
    "message.timestamp.difference.max.ms",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "remote.storage.enable",
    "segment.index.bytes",
    "segment.jitter.ms",
};

// In order of name.
const std::vector<row>& rows() {
  using t = topic_config;
  static const std::vector<row> all = {
      {{"cleanup.policy", "one of delete", "what happens to old records: whole segments are deleted"},
       set_cleanup_policy,
       [](const t&) { return std::string{"delete"}; }},
      {{"compression.type", "one of producer", "batches keep the codec their producer chose"},
       set_compression_type,
       [](const t&) { return std::string{"producer"}; }},
      fixed<one, one>("flush.messages", "one of 1", "every record that is acknowledged has been synced"),
      number<&t::max_message_bytes, 1024, message_bytes_max>(
          "max.message.bytes", "bytes", "the largest batch accepted, compressed as it comes", "8192",
          "7340032"),
      number<&t::message_timestamp_after_max_ms, 0, no_maximum>(
          "message.timestamp.after.max.ms", "ms", "how far in the future a record's time may lie", "600000",
          "9223372036854775807"),
      number<&t::message_timestamp_before_max_ms, 0, no_maximum>(
          "message.timestamp.before.max.ms", "ms", "how far in the past a record's time may lie", "600000",
          "9223372036854775807"),
      {{"message.timestamp.type", "one of CreateTime, LogAppendTime",
        "whose clock dates a record: the producer's or the node's"},
       set_timestamp_type,
       show_timestamp_type},
      number<&t::min_insync_replicas, 0, 32767>(
          "min.insync.replicas", "int",
          "replicas that must have synced an acks=all record (0: follows the factor)", "1", "32767"),
      fixed<off, on>("preallocate", "one of false", "segments grow with what is written to them"),
      number<&t::retention_bytes, -1, no_maximum>(
          "retention.bytes", "bytes", "a partition's size above which its oldest segments go (-1: no limit)",
          "20000", "1099511627776"),
      number<&t::retention_ms, -1, no_maximum>("retention.ms", "ms",
                                               "the age at which a segment goes (-1: it stays for ever)",
                                               "4000", "315360000000"),
      // Kafka 4 wants 1 MiB at least; smaller segments let people watch retention at work.
      number<&t::segment_bytes, 16 << 10, int32_highest>(
          "segment.bytes", "bytes", "a new segment begins before one would exceed this size", "16384",
          "2147483647"),
      number<&t::segment_ms, 1, no_maximum>("segment.ms", "ms",
                                            "a new segment begins when the first batch of one is this old",
                                            "500", "315360000000"),
      fixed<off, on>("unclean.leader.election.enable", "one of false",
                     "a replica that may lack acknowledged records never leads"),
  };
  return all;
}

const row* find_row(std::string_view key) {
  for (auto& r : rows())
    if (r.key.name == key) return &r;
  return nullptr;
}

error unknown(std::string_view key) {
  std::vector<std::string_view> names;
  for (auto& r : rows())
    names.push_back(r.key.name);
  if (std::find(std::begin(without_effect), std::end(without_effect), key) != std::end(without_effect))
    return {ec::invalid_config,
            std::string{key} + " is a setting of Kafka that has no effect here yet: leave it out"};
  auto text = "no topic setting is called " + quoted(key);
  if (auto near = nearest(key, names); !near.empty()) text.append(", did you mean ").append(near).append("?");
  return {ec::invalid_config, std::move(text)};
}

} // namespace

const std::vector<topic_config_key>& topic_config_keys() {
  static const auto keys = [] {
    std::vector<topic_config_key> list;
    for (auto& r : rows())
      list.push_back(r.key);
    return list;
  }();
  return keys;
}

result<void> topic_config::set(std::string_view key, std::string_view value) {
  auto* found = find_row(key);
  if (found == nullptr) return unknown(key);
  return found->set(*this, key, trimmed(value));
}

std::map<std::string, std::string> topic_config::entries() const {
  std::map<std::string, std::string> all;
  for (auto& r : rows())
    all.emplace(r.key.name, r.show(*this));
  return all;
}

result<topic_config> topic_config::from(const std::map<std::string, std::string>& entries) {
  topic_config config;
  for (auto& [key, value] : entries)
    PESSOA_CHECK(config.set(key, value));
  return config;
}

} // namespace pessoa
