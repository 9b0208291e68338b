// The checks of a batch that need nothing but the batch. Cheap ones first, then the CRC, then every record as
// a stream.
#include "schema/compression.hpp"
#include "schema/record_batch.hpp"
#include "schema/record_walk.hpp"

#include <algorithm>
#include <limits>

namespace pessoa {

namespace {

using detail::span_cursor;
using detail::walk_record;

// Expanded records through a window of fixed size. Same words as span_cursor; runs of bytes are passed over,
// not shown.
class stream_cursor {
public:
  stream_cursor(std::unique_ptr<decompressor> source, size_t bytes_max)
      : source_(std::move(source)), bytes_max_(bytes_max),
        window_(std::make_unique_for_overwrite<uint8_t[]>(window_bytes)), at_(window_.get()), end_(at_) {}

  bool varint(int32_t& x) {
    fill(varint_bytes_max);
    return advance(read_varint(at_, end_, x));
  }
  bool varlong(int64_t& x) {
    fill(varlong_bytes_max);
    return advance(read_varlong(at_, end_, x));
  }
  bool byte(uint8_t& x) {
    fill(1);
    if (at_ == end_) return false;
    x = *at_++;
    return true;
  }
  bool run(size_t count, byte_view&) {
    while (count > in_window()) {
      count -= in_window();
      at_ = end_;
      fill(1);
      if (at_ == end_) return false;
    }
    at_ += count;
    return true;
  }
  [[nodiscard]] int64_t position() const { return static_cast<int64_t>(expanded_ - in_window()); }
  // A record that would pass the limit is refused at its first byte; one that only passes the end shows when
  // it is reached.
  bool holds(size_t count) {
    if (count <= bytes_max_ - static_cast<size_t>(position())) return true;
    stop(too_large());
    return false;
  }

  bool at_end() {
    fill(1);
    return at_ == end_;
  }
  [[nodiscard]] size_t expanded() const { return expanded_; }
  // Why the stream gave less than it was asked for, if that was not its end.
  [[nodiscard]] const error& fault() const { return fault_; }

private:
  static constexpr size_t window_bytes = 64u << 10;

  [[nodiscard]] size_t in_window() const { return static_cast<size_t>(end_ - at_); }
  bool advance(const uint8_t* next) {
    if (next == nullptr) return false;
    at_ = next;
    return true;
  }
  void fill(size_t wanted) {
    if (in_window() < wanted && !ended_) refill();
  }
  // Keeps what is in the window and fills the rest of it, at most one byte beyond the limit.
  void refill() {
    size_t kept = in_window();
    std::memmove(window_.get(), at_, kept);
    at_ = window_.get();
    end_ = at_ + kept;
    size_t room = std::min(window_bytes - kept, bytes_max_ - expanded_ + 1);
    auto got = source_->read({window_.get() + kept, room});
    if (!got) return stop(got.error());
    if (*got > bytes_max_ - expanded_) return stop(too_large());
    ended_ = *got < room;
    end_ += *got;
    expanded_ += *got;
  }

  void stop(error why) {
    fault_ = std::move(why);
    ended_ = true;
  }
  [[nodiscard]] error too_large() const {
    return {ec::message_too_large,
            "the records expand to more than " + std::to_string(bytes_max_) + " bytes"};
  }

  std::unique_ptr<decompressor> source_;
  size_t bytes_max_;
  std::unique_ptr<uint8_t[]> window_;
  const uint8_t* at_;
  const uint8_t* end_;
  size_t expanded_ = 0; // up to end_
  bool ended_ = false;
  error fault_;
};

// What a check wants to know of a record.
struct observer {
  int64_t delta = 0;
  bool null_key = false;

  void time_delta(int64_t x) { delta = x; }
  void key(bool null, byte_view) { null_key |= null; }
  void value(bool, byte_view) {}
  void header_count(size_t) {}
  void header(byte_view, bool, byte_view) {}
};

error invalid(std::string what) { return {ec::invalid_record, std::move(what)}; }

std::string record_text(int32_t index, std::string_view what) {
  return "record " + std::to_string(index) + ' ' + std::string{what};
}

result<void> check_header(const batch_header& h) {
  if (h.record_count <= 0 || static_cast<int64_t>(h.last_offset_delta) + 1 != h.record_count)
    return invalid("the batch counts " + std::to_string(h.record_count) + " records and "
                   + std::to_string(static_cast<int64_t>(h.last_offset_delta) + 1) + " offsets");
  if (h.base_offset < offset{0}
      || h.base_offset > offset{std::numeric_limits<int64_t>::max()} - h.record_count)
    return invalid("the batch begins at offset " + std::to_string(h.base_offset.value()));
  if (h.control()) return invalid("the batch is marked as a control batch, which only a node writes");
  if (h.producer < no_producer)
    return invalid("producer id " + std::to_string(h.producer.value()) + " is negative");
  if (h.idempotent() && (h.base_sequence < 0 || h.pepoch < producer_epoch{0}))
    return invalid("producer " + std::to_string(h.producer.value()) + " has epoch "
                   + std::to_string(h.pepoch.value()) + " and sequence " + std::to_string(h.base_sequence));
  return {};
}

constexpr int32_t none_wrong = -1;

// Walks all records and notes what they are. The cursor's own fault, if it has one, is the caller's to
// report.
template <class Cursor>
result<void> check_records(Cursor& in, batch_facts& facts, int32_t& wrong_record) {
  const auto base = facts.header.base_timestamp.value();
  int64_t earliest = std::numeric_limits<int64_t>::max();
  int64_t latest = no_timestamp.value();
  observer seen;
  for (int32_t i = 0; i < facts.header.record_count; ++i) {
    wrong_record = i;
    if (auto* wrong = walk_record(in, i, seen)) return invalid(record_text(i, wrong));
    int64_t time = 0;
    if (__builtin_add_overflow(base, seen.delta, &time) || time < no_timestamp.value())
      return invalid(record_text(i, "has a time before 1970 or beyond all time"));
    earliest = std::min(earliest, time);
    latest = std::max(latest, time);
  }
  wrong_record = none_wrong;
  facts.null_key = seen.null_key;
  facts.min_timestamp = timestamp{earliest};
  facts.max_timestamp = timestamp{latest};
  return {};
}

result<void> check_plain(byte_view records, batch_facts& facts, int32_t& wrong_record) {
  span_cursor in{records};
  PESSOA_CHECK(check_records(in, facts, wrong_record));
  if (in.left() != 0)
    return invalid(std::to_string(in.left()) + " bytes follow the last of "
                   + std::to_string(facts.header.record_count) + " records");
  facts.decompressed_bytes = records.size();
  return {};
}

result<void> check_compressed(byte_view blob, const codec& with, size_t bytes_max, batch_facts& facts,
                              int32_t& wrong_record) {
  stream_cursor in{with.open(blob), bytes_max};
  auto checked = check_records(in, facts, wrong_record);
  // Reaching the end also makes the codec look at its own checksums.
  bool over = checked.ok() && in.at_end();
  if (in.fault().code != ec::none) {
    wrong_record = none_wrong; // it is the blob's fault
    return in.fault();
  }
  PESSOA_CHECK(std::move(checked));
  if (!over)
    return invalid("bytes follow the last of " + std::to_string(facts.header.record_count) + " records");
  facts.decompressed_bytes = in.expanded();
  return {};
}

} // namespace

result<batch_facts> validate_batch(byte_view data, const batch_limits& limits, int32_t* wrong_record) {
  if (data.size() > limits.batch_bytes_max)
    return error{ec::message_too_large, "a batch of " + std::to_string(data.size())
                                            + " bytes is above the limit of "
                                            + std::to_string(limits.batch_bytes_max)};
  PESSOA_TRY(auto header, parse_batch_header(data));
  if (header.size() != data.size())
    return error{ec::corrupt_message, "the batch claims " + std::to_string(header.size())
                                          + " bytes, here are " + std::to_string(data.size())};
  if (!batch_crc_matches(data))
    return error{ec::corrupt_message, "the batch's CRC-32C does not match its bytes"};
  PESSOA_CHECK(check_header(header));
  if (header.record_count > limits.records_max)
    return error{ec::message_too_large, "a batch of " + std::to_string(header.record_count)
                                            + " records is above the limit of "
                                            + std::to_string(limits.records_max)};
  batch_facts facts;
  facts.header = header;
  auto records = data.subspan(batch_header_size);
  auto wrong = none_wrong;
  result<void> checked;
  if (header.codec_number() == 0) {
    checked = check_plain(records, facts, wrong);
  } else {
    PESSOA_TRY(auto with, find_codec(header.codec()));
    checked = check_compressed(records, *with, limits.decompressed_bytes_max, facts, wrong);
  }
  if (wrong_record != nullptr && wrong != none_wrong) *wrong_record = wrong;
  PESSOA_CHECK(std::move(checked));
  if (header.log_append_time()) facts.min_timestamp = facts.max_timestamp = header.max_timestamp;
  return facts;
}

} // namespace pessoa
