#include "persistence/table_head.hpp"

#include "schema/crc32c.hpp"
#include "schema/endian.hpp"

#include <array>

namespace pessoa::persistence {

namespace {

constexpr uint32_t magic = 0x42415450; // "PTAB"
constexpr uint16_t format_version = 1;
constexpr size_t head_bytes = 40;
constexpr size_t head_bytes_min = 12; // of any version: magic, version, checksum
constexpr uint16_t has_position = 1;

// FNV-1a, 64 bits.
uint64_t fold(uint64_t hash, byte_view data) {
  for (auto byte : data)
    hash = (hash ^ byte) * 0x100000001b3ull;
  return hash;
}

} // namespace

uint64_t entry_digest(byte_view key, byte_view value) {
  std::array<uint8_t, 8> length;
  store_le<uint64_t>(length.data(), key.size());
  auto hash = fold(fold(fold(0xcbf29ce484222325ull, length), key), value);
  // Spread the bits, so that sums of many digests do not cancel out in patterns.
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdull;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53ull;
  return hash ^ (hash >> 33);
}

void table_head::add(byte_view key, byte_view value) {
  ++entries;
  digest += entry_digest(key, value);
}

void table_head::remove(byte_view key, byte_view value) {
  PESSOA_ASSERT(entries > 0);
  --entries;
  digest -= entry_digest(key, value);
}

std::string table_head::encode() const {
  std::array<uint8_t, head_bytes> out{};
  store_le<uint32_t>(out.data(), magic);
  store_le<uint16_t>(out.data() + 4, format_version);
  store_le<uint16_t>(out.data() + 6, applied ? has_position : 0);
  store_le<int64_t>(out.data() + 8, applied.value_or(0));
  store_le<uint64_t>(out.data() + 16, entries);
  store_le<uint64_t>(out.data() + 24, digest);
  store_le<uint32_t>(out.data() + 36, crc32c({out.data(), 36}));
  return std::string{as_text(out)};
}

result<table_head> table_head::decode(byte_view data) {
  if (data.size() < head_bytes_min || load_le<uint32_t>(data.data()) != magic)
    return {ec::corrupt_data, "not the head of a table"};
  // At the same place from the end in every version, so that rot is not taken for a newer one.
  auto body = data.first(data.size() - 4);
  if (load_le<uint32_t>(body.data() + body.size()) != crc32c(body))
    return {ec::corrupt_data, "the head of the table contradicts its checksum"};
  if (auto version = load_le<uint16_t>(data.data() + 4); version > format_version)
    return {ec::unsupported_version, "the table has format " + std::to_string(version)
                                         + ", this software knows " + std::to_string(format_version)};
  if (data.size() != head_bytes) return {ec::corrupt_data, "the head of the table has another size"};
  table_head head;
  if (load_le<uint16_t>(data.data() + 6) & has_position) head.applied = load_le<int64_t>(data.data() + 8);
  head.entries = load_le<uint64_t>(data.data() + 16);
  head.digest = load_le<uint64_t>(data.data() + 24);
  return head;
}

std::ostream& operator<<(std::ostream& out, const table_head& head) {
  out << "position ";
  if (head.applied) {
    out << *head.applied;
  } else {
    out << "none";
  }
  return out << ", " << head.entries << " entries, digest " << std::hex << head.digest << std::dec;
}

} // namespace pessoa::persistence
