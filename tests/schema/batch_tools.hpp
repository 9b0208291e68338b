// Verbs for tests of batches: bytes from hex, records that own what they show, batches put together by hand.
#pragma once

#include "schema/endian.hpp"
#include "schema/record_batch.hpp"
#include "schema/varint.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace pessoa::test {

using raw = std::vector<uint8_t>;

inline raw from_hex(std::string_view text) {
  raw out;
  int high = -1;
  for (char c : text) {
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) continue; // blanks
    if (high < 0) {
      high = digit;
    } else {
      out.push_back(static_cast<uint8_t>(high * 16 + digit));
      high = -1;
    }
  }
  return out;
}

// A record that owns its bytes, comparable.
struct owned_record {
  using part = std::optional<std::string>;
  int64_t time = -1;
  part key;
  part value;
  std::vector<std::pair<std::string, part>> headers;

  friend bool operator==(const owned_record&, const owned_record&) = default;

  [[nodiscard]] record_view view() const {
    auto show = [](const part& p) { return p ? std::optional<byte_view>{as_bytes(*p)} : std::nullopt; };
    record_view v{timestamp{time}, show(key), show(value), {}};
    for (auto& [name, content] : headers)
      v.headers.push_back({name, show(content)});
    return v;
  }
  static owned_record of(const record_view& v) {
    auto own = [](const std::optional<byte_view>& p) { return p ? part{as_text(*p)} : std::nullopt; };
    owned_record r{v.time.value(), own(v.key), own(v.value), {}};
    for (auto& h : v.headers)
      r.headers.emplace_back(h.key, own(h.value));
    return r;
  }
};

inline raw build(const std::vector<owned_record>& records, compression codec = compression::none,
                 const batch_builder::identity& producer = {}) {
  batch_builder builder{codec};
  for (auto& r : records)
    builder.add(r.view());
  return builder.finish(producer);
}

// All records of a batch, or the error that stopped the reading.
inline result<std::vector<owned_record>> read_all(byte_view batch,
                                                  size_t decompressed_bytes_max = 64u << 20) {
  PESSOA_TRY(auto reader, batch_reader::open(batch, decompressed_bytes_max));
  std::vector<owned_record> all;
  for (;;) {
    PESSOA_TRY(auto entry, reader.next());
    if (!entry) return all;
    all.push_back(owned_record::of(entry->record));
  }
}

// -- batches put together by hand: nothing is checked, so that anything can be said
// ------------------------------------

inline void put_varint(raw& out, int32_t x) {
  uint8_t bytes[varint_bytes_max];
  out.insert(out.end(), bytes, write_varint(bytes, x));
}

// A record of `length` (its fields' size unless given) around `fields`.
inline raw record_around(const raw& fields, std::optional<int32_t> length = {}) {
  raw out;
  put_varint(out, length.value_or(static_cast<int32_t>(fields.size())));
  out.insert(out.end(), fields.begin(), fields.end());
  return out;
}

// The smallest record: no key, no value, no headers.
inline raw small_record(int32_t index) {
  raw fields{0, 0};
  put_varint(fields, index);
  fields.insert(fields.end(), {0x01, 0x01, 0x00});
  return record_around(fields);
}

inline raw batch_around(const raw& records, int32_t count, compression codec = compression::none) {
  batch_header header;
  header.attributes = static_cast<int16_t>(codec);
  header.base_timestamp = header.max_timestamp = timestamp{1000};
  header.record_count = count;
  header.last_offset_delta = count - 1;
  raw out(batch_header_size);
  write_batch_header(out.data(), header);
  out.insert(out.end(), records.begin(), records.end());
  seal_batch(out);
  return out;
}

// So many zeros as one block of snappy: one as it is, then copies of it, 64 for 3 bytes, which is the most there is.
inline raw snappy_zeros(size_t size) {
  raw block;
  for (auto rest = size; block.empty() || rest > 0; rest >>= 7)
    block.push_back(static_cast<uint8_t>((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0)));
  block.insert(block.end(), {0x00, 0x00});
  for (size_t left = size - 1; left > 0;) {
    auto count = std::min(left, size_t{64});
    block.insert(block.end(), {static_cast<uint8_t>((count - 1) << 2 | 2), 0x01, 0x00});
    left -= count;
  }
  return block;
}

// The same batch with one header field changed, under a right CRC.
template <class T>
raw with_field(raw batch, size_t at, T value) {
  store_be(batch.data() + at, value);
  seal_batch(batch);
  return batch;
}

} // namespace pessoa::test
