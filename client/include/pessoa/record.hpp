// Records as a program sees them. Null and empty are different things: a record without a key is not one with
// the key "", and a null value is what compaction takes for a deletion.
//
// `record` owns its bytes; `record_ref` borrows them from the caller (sending copies them before it returns,
// so a borrow for the length of the call is enough); `received` borrows them from the `records` that poll()
// returned.
#pragma once

#include <compare>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pessoa::client {

struct topic_partition {
  std::string topic;
  int32_t partition = 0;

  friend auto operator<=>(const topic_partition&, const topic_partition&) = default;
  friend bool operator==(const topic_partition&, const topic_partition&) = default;
};
std::string to_string(const topic_partition& at); // "orders-3"
std::ostream& operator<<(std::ostream& out, const topic_partition& at);

// -- sending ---

struct header {
  std::string key;
  std::optional<std::string> value;
  friend bool operator==(const header&, const header&) = default;
};

struct record {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<header> headers;
  std::optional<int64_t> timestamp_ms; // since 1970; none: the time of sending
  std::optional<int32_t>
      partition; // none: by the key (as Kafka does), and without a key wherever it fits best
  friend bool operator==(const record&, const record&) = default;
};

struct header_ref {
  std::string_view key;
  std::optional<std::string_view> value;
};

// Not an aggregate, so that `send(topic, {.value = ...})` can only mean a `record`.
struct record_ref {
  record_ref() = default;

  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::span<const header_ref> headers;
  std::optional<int64_t> timestamp_ms;
  std::optional<int32_t> partition;
};

// Where a record was stored.
struct delivery {
  int32_t partition = -1;
  int64_t offset = -1;       // -1 with acks=0
  int64_t timestamp_ms = -1; // the one stored: the record's, or the node's with LogAppendTime
  friend bool operator==(const delivery&, const delivery&) = default;
};

// -- receiving ---

struct received {
  std::string_view topic;
  int32_t partition = -1;
  int64_t offset = -1;
  int64_t timestamp_ms = -1;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::vector<header_ref> headers;

  // A copy that outlives the batch.
  [[nodiscard]] record to_record() const;
};

// What one poll() brought, in order of offset within each partition. Keeps the bytes alive that its entries
// show; cheap to move. Empty when nothing came in time.
class records {
public:
  using const_iterator = std::vector<received>::const_iterator;

  records() = default;
  records(std::vector<received> entries, std::vector<std::shared_ptr<const void>> owners)
      : entries_(std::move(entries)), owners_(std::move(owners)) {}

  [[nodiscard]] const_iterator begin() const { return entries_.begin(); }
  [[nodiscard]] const_iterator end() const { return entries_.end(); }
  [[nodiscard]] size_t size() const { return entries_.size(); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] const received& operator[](size_t index) const { return entries_[index]; }

private:
  std::vector<received> entries_;
  std::vector<std::shared_ptr<const void>> owners_;
};

} // namespace pessoa::client
