// Reads a batch record by record. The grammar is in record_walk.hpp; here is what a record becomes.
#include "schema/compression.hpp"
#include "schema/record_batch.hpp"
#include "schema/record_walk.hpp"

#include <limits>

namespace pessoa {

namespace {

error invalid(int32_t index, std::string_view what) {
  return {ec::invalid_record, "record " + std::to_string(index) + ' ' + std::string{what}};
}

// Collects what walk_record meets.
struct collector {
  int64_t delta = 0;
  record_view& record;

  static std::optional<byte_view> part(bool null, byte_view bytes) {
    return null ? std::nullopt : std::optional<byte_view>{bytes};
  }
  void time_delta(int64_t x) { delta = x; }
  void key(bool null, byte_view bytes) { record.key = part(null, bytes); }
  void value(bool null, byte_view bytes) { record.value = part(null, bytes); }
  void header_count(size_t count) { record.headers.reserve(count); }
  void header(byte_view key, bool null, byte_view value) {
    record.headers.push_back({as_text(key), part(null, value)});
  }
};

} // namespace

result<batch_reader> batch_reader::open(byte_view batch, size_t decompressed_bytes_max) {
  PESSOA_TRY(auto header, parse_batch_header(batch));
  if (header.size() != batch.size())
    return error{ec::corrupt_message, "the batch claims " + std::to_string(header.size())
                                          + " bytes, here are " + std::to_string(batch.size())};
  if (header.record_count < 0 || header.base_offset < offset{0}
      || header.base_offset > offset{std::numeric_limits<int64_t>::max()} - header.record_count)
    return error{ec::invalid_record, "the batch counts " + std::to_string(header.record_count)
                                         + " records from offset "
                                         + std::to_string(header.base_offset.value())};
  batch_reader reader{header};
  reader.rest_ = batch.subspan(batch_header_size);
  if (header.codec_number() != 0) {
    PESSOA_TRY(auto expanded, decompress(header.codec(), reader.rest_, decompressed_bytes_max));
    reader.expanded_ = std::make_shared<const std::vector<uint8_t>>(std::move(expanded));
    reader.rest_ = *reader.expanded_;
  }
  return reader;
}

result<std::optional<batch_reader::entry>> batch_reader::next() {
  if (index_ == header_.record_count) {
    if (!rest_.empty()) return invalid(index_, "is one more than the batch counts");
    return std::optional<entry>{};
  }
  std::optional<entry> found{std::in_place};
  found->at = header_.base_offset + index_;
  collector out{0, found->record};
  detail::span_cursor in{rest_};
  if (auto* wrong = detail::walk_record(in, index_, out)) return invalid(index_, wrong);
  // With log-append time the node's clock speaks for every record, and the deltas say nothing.
  if (header_.log_append_time()) {
    found->record.time = header_.max_timestamp;
  } else {
    int64_t time = 0;
    if (__builtin_add_overflow(header_.base_timestamp.value(), out.delta, &time)
        || time < no_timestamp.value())
      return invalid(index_, "has a time before 1970 or beyond all time");
    found->record.time = timestamp{time};
  }
  rest_ = in.rest();
  ++index_;
  return found;
}

} // namespace pessoa
