// What is known about a segment without reading it: a sparse index by offset and time, and a durable mark. It
// is advice: whoever uses an entry checks it against the frame it points to, and it is rebuilt when in doubt
// (docs/formats/segment.md).
//
//   header, 64 bytes: 0 magic u32 | 4 version u16 | 6 entry size u16 | 8 topic id hash u64 | 16 partition i32
//   | 20 zero
//                    24 base offset i64 | 32 zero u64 | 40 CRC-32C of bytes 0..40 | 44 zero
//                    48 durable mark i64 | 56 zero u32 | 60 CRC-32C of bytes 48..60
//   entry, 40 bytes: 0 offset i64 | 8 position u64 | 16 largest record time before it i64 | 24 largest append
//   time before
//                    it i64 | 32 kind u32 (1 a frame begins here, 2 the segment ends here) | 36 CRC-32C,
//                    seeded with the header's
//
// Losing it costs time, never data, so writing it never fails a log. Thread-safe.
#pragma once

#include "persistence/storage_env.hpp"
#include "schema/ids.hpp"

#include <mutex>
#include <optional>

namespace pessoa::persistence {

enum class index_kind : uint32_t { frame = 1, end = 2 };

struct index_entry {
  offset at{0};
  uint64_t position = 0;
  timestamp max_time_before = no_timestamp;
  timestamp max_append_before = no_timestamp;
  index_kind kind = index_kind::frame;

  friend bool operator==(const index_entry&, const index_entry&) = default;
};

class segment_index {
public:
  segment_index(storage_env& env, std::string path, const partition_key& key, offset base);

  // Reads the file if it is not in memory. A missing or foreign file, and what follows the first damaged
  // entry, count as not there; `damaged` says whether something was dropped.
  void load();
  [[nodiscard]] bool damaged() const;
  [[nodiscard]] bool usable() const; // no write to the file has failed
  [[nodiscard]] size_t size();
  [[nodiscard]] std::vector<index_entry> entries();
  // The newest entry with offset <= `at`, resp. such that every record before it is older than `at`.
  [[nodiscard]] std::optional<index_entry> find(offset at);
  [[nodiscard]] std::optional<index_entry> find_time(timestamp at);
  // The `end` entry that a sealed segment has, read without loading the rest.
  [[nodiscard]] std::optional<index_entry> sealed_end();

  // Appends in memory; the file follows with flush(). An entry that does not ascend is dropped.
  void add(const index_entry& entry);
  void flush();
  void sync();
  // Forgets what was added since the last flush: the file stays as it is.
  void drop_unwritten();
  // Keeps the first `count` entries, in memory and in the file.
  void keep(size_t count);

  // Everything below was durable when it was written. Overwritten in place; itself never synced on the hot
  // path.
  void set_durable_mark(offset end);
  [[nodiscard]] std::optional<offset> durable_mark();

  // Flushes, closes the file and forgets the entries; they are read again on demand.
  void release();

private:
  static constexpr size_t pending_max = 64; // entries kept back before a flush

  random_file* file(); // null once the file cannot be used
  void load_locked();
  void flush_locked();
  random_file* file_to_write();
  [[nodiscard]] std::vector<uint8_t> encode(const index_entry& entry) const;
  [[nodiscard]] std::optional<index_entry> decode(byte_view data) const;

  mutable std::mutex mutex_;
  storage_env& env_;
  std::string path_;
  std::vector<uint8_t> header_; // its 48 constant bytes
  uint32_t seed_ = 0;
  std::unique_ptr<random_file> file_;
  std::vector<index_entry> entries_;
  size_t in_file_ = 0; // entries that the file holds
  std::optional<offset> mark_;
  bool mark_written_ = false; // by this object, not only read
  bool loaded_ = false;
  bool damaged_ = false;
  bool headless_ = false; // the file has no header of ours
  bool stale_ = false;    // the file goes on behind what counts
  bool broken_ = false;   // a write failed: memory only from then on
};

} // namespace pessoa::persistence
