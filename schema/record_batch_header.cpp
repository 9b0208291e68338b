// The 61 bytes in front of a batch, and what a node may change in them.
#include "schema/crc32c.hpp"
#include "schema/endian.hpp"
#include "schema/record_batch.hpp"

#include <limits>

namespace pessoa {

namespace {

// Where each field lies (record_batch.hpp has the picture).
constexpr size_t at_base_offset = 0;
constexpr size_t at_length = 8;
constexpr size_t at_epoch = 12;
constexpr size_t at_magic = 16;
constexpr size_t at_crc = 17;
constexpr size_t at_attributes = 21; // the CRC covers what begins here
constexpr size_t at_last_offset_delta = 23;
constexpr size_t at_base_timestamp = 27;
constexpr size_t at_max_timestamp = 35;
constexpr size_t at_producer = 43;
constexpr size_t at_producer_epoch = 51;
constexpr size_t at_base_sequence = 53;
constexpr size_t at_record_count = 57;
static_assert(at_record_count + sizeof(int32_t) == batch_header_size);
static_assert(at_length + sizeof(int32_t) == batch_length_prefix);

constexpr int8_t magic = 2;
constexpr int16_t bit_log_append_time = 0x08;

uint32_t crc_of(byte_view batch) { return crc32c(batch.subspan(at_attributes)); }

} // namespace

result<batch_header> parse_batch_header(byte_view data) {
  if (data.size() < batch_header_size)
    return error{ec::corrupt_message,
                 "a batch takes at least 61 bytes, here are " + std::to_string(data.size())};
  const uint8_t* at = data.data();
  batch_header h;
  h.magic = load_be<int8_t>(at + at_magic);
  if (h.magic != magic)
    return error{ec::unsupported_version, "batch format " + std::to_string(h.magic) + " is not 2"};
  h.length = load_be<int32_t>(at + at_length);
  if (h.length < static_cast<int32_t>(batch_header_size - batch_length_prefix))
    return error{ec::corrupt_message,
                 "the batch claims " + std::to_string(h.length) + " bytes after its length, fewer than 49"};
  h.base_offset = offset{load_be<int64_t>(at + at_base_offset)};
  h.epoch = leader_epoch{load_be<int32_t>(at + at_epoch)};
  h.crc = load_be<uint32_t>(at + at_crc);
  h.attributes = load_be<int16_t>(at + at_attributes);
  h.last_offset_delta = load_be<int32_t>(at + at_last_offset_delta);
  h.base_timestamp = timestamp{load_be<int64_t>(at + at_base_timestamp)};
  h.max_timestamp = timestamp{load_be<int64_t>(at + at_max_timestamp)};
  h.producer = producer_id{load_be<int64_t>(at + at_producer)};
  h.pepoch = producer_epoch{load_be<int16_t>(at + at_producer_epoch)};
  h.base_sequence = load_be<int32_t>(at + at_base_sequence);
  h.record_count = load_be<int32_t>(at + at_record_count);
  return h;
}

void write_batch_header(uint8_t* batch, const batch_header& h) {
  store_be(batch + at_base_offset, h.base_offset.value());
  store_be(batch + at_length, h.length);
  store_be(batch + at_epoch, h.epoch.value());
  store_be(batch + at_magic, h.magic);
  store_be(batch + at_crc, h.crc);
  store_be(batch + at_attributes, h.attributes);
  store_be(batch + at_last_offset_delta, h.last_offset_delta);
  store_be(batch + at_base_timestamp, h.base_timestamp.value());
  store_be(batch + at_max_timestamp, h.max_timestamp.value());
  store_be(batch + at_producer, h.producer.value());
  store_be(batch + at_producer_epoch, h.pepoch.value());
  store_be(batch + at_base_sequence, h.base_sequence);
  store_be(batch + at_record_count, h.record_count);
}

void seal_batch(std::span<uint8_t> batch) {
  PESSOA_ASSERT(batch.size() >= batch_header_size, batch.size());
  PESSOA_ASSERT(batch.size() <= static_cast<size_t>(std::numeric_limits<int32_t>::max()), batch.size());
  store_be(batch.data() + at_length, static_cast<int32_t>(batch.size() - batch_length_prefix));
  store_be(batch.data() + at_crc, crc_of(batch));
}

bool batch_crc_matches(byte_view batch) {
  PESSOA_ASSERT(batch.size() >= batch_header_size, batch.size());
  return load_be<uint32_t>(batch.data() + at_crc) == crc_of(batch);
}

void stamp_batch(uint8_t* batch, offset base, leader_epoch epoch) {
  PESSOA_ASSERT(base >= offset{0}, base);
  store_be(batch + at_base_offset, base.value());
  store_be(batch + at_epoch, epoch.value());
}

void stamp_append_time(std::span<uint8_t> batch, timestamp now) {
  PESSOA_ASSERT(batch.size() >= batch_header_size, batch.size());
  auto attributes = load_be<int16_t>(batch.data() + at_attributes);
  store_be(batch.data() + at_attributes, static_cast<int16_t>(attributes | bit_log_append_time));
  store_be(batch.data() + at_max_timestamp, now.value());
  store_be(batch.data() + at_crc, crc_of(batch));
}

void stamp_max_timestamp(std::span<uint8_t> batch, timestamp max) {
  PESSOA_ASSERT(batch.size() >= batch_header_size, batch.size());
  store_be(batch.data() + at_max_timestamp, max.value());
  store_be(batch.data() + at_crc, crc_of(batch));
}

} // namespace pessoa
