#include "persistence/journal_format.hpp"

#include "schema/crc32c.hpp"
#include "schema/endian.hpp"

#include <charconv>
#include <cstdio>

namespace pessoa::persistence {

namespace {

constexpr uint32_t file_magic = 0x464a5350;   // "PSJF"
constexpr uint32_t record_magic = 0x524a5350; // "PSJR"
constexpr uint16_t version = 1;
constexpr size_t file_crc_at = 28;
constexpr size_t record_crc_at = 76;
constexpr std::string_view suffix = ".journal";

} // namespace

void encode_journal_record(journal_record& r, uint8_t* out) {
  PESSOA_ASSERT(r.length % 8 == 0 && r.base <= r.end, r.length, r.base, r.end);
  store_le<uint32_t>(out, record_magic);
  store_le<uint16_t>(out + 4, version);
  store_le<uint16_t>(out + 6, static_cast<uint16_t>(r.kind));
  store_le<uint32_t>(out + 8, r.length);
  store_le<uint32_t>(out + 12, r.frame_count);
  std::memcpy(out + 16, r.key.topic.raw().data(), 16);
  store_le<int32_t>(out + 32, r.key.index.value());
  store_le<uint32_t>(out + 36, r.generation);
  store_le<int64_t>(out + 40, r.base.value());
  store_le<int64_t>(out + 48, r.end.value());
  store_le<uint64_t>(out + 56, r.durable_bytes);
  store_le<uint64_t>(out + 64, r.file_number);
  store_le<uint32_t>(out + 72, r.previous_crc);
  r.crc = crc32c({out, record_crc_at});
  store_le<uint32_t>(out + record_crc_at, r.crc);
}

std::optional<journal_record> parse_journal_record(byte_view data, uint64_t file_number) {
  if (data.size() < journal_record_header_size) return std::nullopt;
  auto* p = data.data();
  journal_record r;
  r.crc = load_le<uint32_t>(p + record_crc_at);
  if (load_le<uint32_t>(p) != record_magic || crc32c(data.first(record_crc_at)) != r.crc) return std::nullopt;
  auto kind = load_le<uint16_t>(p + 6);
  r.length = load_le<uint32_t>(p + 8);
  r.frame_count = load_le<uint32_t>(p + 12);
  std::array<uint8_t, 16> topic;
  std::memcpy(topic.data(), p + 16, topic.size());
  r.key = {topic_id{topic}, partition_id{load_le<int32_t>(p + 32)}};
  r.generation = load_le<uint32_t>(p + 36);
  r.base = offset{load_le<int64_t>(p + 40)};
  r.end = offset{load_le<int64_t>(p + 48)};
  r.durable_bytes = load_le<uint64_t>(p + 56);
  r.file_number = load_le<uint64_t>(p + 64);
  r.previous_crc = load_le<uint32_t>(p + 72);
  bool fits = load_le<uint16_t>(p + 4) == version && (kind == 1 || kind == 2)
              && r.length >= journal_record_header_size && r.length % 8 == 0 && r.base.value() >= 0
              && r.base <= r.end && r.file_number == file_number;
  if (!fits) return std::nullopt;
  r.kind = static_cast<journal_kind>(kind);
  return r;
}

std::vector<uint8_t> encode_journal_file_header(journal_file_header& header) {
  std::vector<uint8_t> out(journal_file_header_size);
  store_le<uint32_t>(out.data(), file_magic);
  store_le<uint16_t>(out.data() + 4, version);
  store_le<uint16_t>(out.data() + 6, journal_file_header_size);
  store_le<uint64_t>(out.data() + 8, header.number);
  store_le<uint64_t>(out.data() + 16, header.previous_bytes);
  header.crc = crc32c(byte_view{out}.first(file_crc_at));
  store_le<uint32_t>(out.data() + file_crc_at, header.crc);
  return out;
}

std::optional<journal_file_header> parse_journal_file_header(byte_view data, uint64_t file_number) {
  if (data.size() < journal_file_header_size) return std::nullopt;
  journal_file_header header{file_number, load_le<uint64_t>(data.data() + 16), 0};
  auto expected = encode_journal_file_header(header);
  if (!same_bytes(data.first(expected.size()), expected)) return std::nullopt;
  return header;
}

bool is_newer_journal_version(byte_view data) {
  return data.size() >= journal_file_header_size && load_le<uint32_t>(data.data()) == file_magic
         && crc32c(data.first(file_crc_at)) == load_le<uint32_t>(data.data() + file_crc_at)
         && load_le<uint16_t>(data.data() + 4) > version;
}

std::string journal_file_name(uint64_t number) {
  char text[24];
  std::snprintf(text, sizeof text, "%016llu", static_cast<unsigned long long>(number));
  return text + std::string{suffix};
}

std::optional<uint64_t> parse_journal_file_name(std::string_view name) {
  if (name.size() != 16 + suffix.size() || name.substr(16) != suffix) return std::nullopt;
  uint64_t number = 0;
  auto parsed = std::from_chars(name.data(), name.data() + 16, number);
  if (parsed.ec != std::errc{} || parsed.ptr != name.data() + 16) return std::nullopt;
  return number;
}

} // namespace pessoa::persistence
