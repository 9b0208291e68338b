// The files of a log's directory besides segments: their names, and how the small ones are encoded.
//
//   00000000000000000000.log      segment, named by its base offset      segment.hpp
//   00000000000000000000.index    what is known about it                 segment_index.hpp
//   state                         log start and truncations              log_state
//   epochs                        where each leadership epoch began      epoch_lineage.hpp
//   checkpoint                    for a start after a clean stop         log_checkpoint
//   00000000000000000000.producers  producers as of that offset          producer_snapshots.hpp
//
// A small file is: magic u32, version u16, kind u16, fields, CRC-32C of all before it; little-endian.
#pragma once

#include "persistence/storage_env.hpp"
#include "schema/endian.hpp"
#include "schema/ids.hpp"

#include <optional>

namespace pessoa::persistence {

inline constexpr std::string_view segment_suffix = ".log";
inline constexpr std::string_view index_suffix = ".index";
inline constexpr std::string_view producers_suffix = ".producers";

// No log gets here; larger numbers in files are damage, and arithmetic below cannot overflow.
inline constexpr offset offset_max{INT64_MAX - (int64_t{1} << 33)};

std::string file_name(offset base, std::string_view suffix);
// The offset in `name` if it has that suffix.
std::optional<offset> parse_file_name(std::string_view name, std::string_view suffix);

enum class file_kind : uint16_t { state = 1, epochs = 2, checkpoint = 3 };

class file_writer {
public:
  explicit file_writer(file_kind kind);
  template <class T>
  void put(T value) {
    data_.resize(data_.size() + sizeof(T));
    store_le<T>(data_.data() + data_.size() - sizeof(T), value);
  }
  std::vector<uint8_t> finish() &&;

private:
  std::vector<uint8_t> data_;
};

class file_reader {
public:
  // Checks magic, version, kind and CRC. Errors: corrupt_data, unsupported_version.
  static result<file_reader> open(byte_view data, file_kind kind);
  // Zero once the data is used up; good() is false then.
  template <class T>
  T get() {
    if (data_.size() - at_ < sizeof(T)) {
      good_ = false;
      return T{};
    }
    at_ += sizeof(T);
    return load_le<T>(data_.data() + at_ - sizeof(T));
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool at_end() const { return good_ && at_ == data_.size(); }

private:
  explicit file_reader(byte_view fields) : data_(fields) {}
  byte_view data_;
  size_t at_ = 0;
  bool good_ = true;
};

// What was decided about a log and cannot be read from its frames: one record per decision (failures R26).
// Replaced as a whole, durably, before what was decided is done.
struct log_state {
  offset log_start{0};
  uint32_t generation = 0;
  offset truncated_to{0};
  bool truncating = false; // the truncation to truncated_to may not have been finished

  [[nodiscard]] std::vector<uint8_t> encode() const;
  static result<log_state> decode(byte_view data);
  friend bool operator==(const log_state&, const log_state&) = default;
};

// No file of a log but its segments and indexes is larger.
constexpr size_t small_file_bytes_max = 16u << 20;

// What a clean stop leaves, so that the next start reads no segment.
struct log_checkpoint {
  uint32_t generation = 0;
  offset log_end{0};
  offset active_base{0};
  uint64_t active_size = 0;
  uint32_t last_crc = 0;
  bool has_last_crc = false;
  timestamp max_time = no_timestamp;
  timestamp first_append = no_timestamp;
  timestamp last_append = no_timestamp;

  [[nodiscard]] std::vector<uint8_t> encode() const;
  static result<log_checkpoint> decode(byte_view data);
};

} // namespace pessoa::persistence
