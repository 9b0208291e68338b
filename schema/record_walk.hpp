// The grammar of one record inside a batch, written once for those who read it and those who only check it.
//
// A record: length varint | attributes i8 | time delta varlong | offset delta varint | key | value | header
// count varint | headers; key, value and a header's two parts are a varint length (-1: null) and that many
// bytes.
//
// Nothing is believed: every length is compared with what its record has left before a byte is touched or
// memory is taken. Internal to schema/.
#pragma once

#include "schema/limits.hpp"
#include "schema/record.hpp"
#include "schema/varint.hpp"

namespace pessoa::detail {

// Bytes that lie in one piece. A cursor is what walk_record needs: numbers, a byte, and a run of bytes.
class span_cursor {
public:
  explicit span_cursor(byte_view data) : begin_(data.data()), at_(begin_), end_(begin_ + data.size()) {}

  bool varint(int32_t& x) { return advance(read_varint(at_, end_, x)); }
  bool varlong(int64_t& x) { return advance(read_varlong(at_, end_, x)); }
  bool byte(uint8_t& x) {
    if (at_ == end_) return false;
    x = *at_++;
    return true;
  }
  // The next `count` bytes, or false.
  bool run(size_t count, byte_view& out) {
    if (count > left()) return false;
    out = {at_, count};
    at_ += count;
    return true;
  }
  [[nodiscard]] int64_t position() const { return at_ - begin_; }
  // Can this many bytes follow at all?
  [[nodiscard]] bool holds(size_t count) const { return count <= left(); }
  [[nodiscard]] size_t left() const { return static_cast<size_t>(end_ - at_); }
  [[nodiscard]] byte_view rest() const { return {at_, left()}; }

private:
  bool advance(const uint8_t* next) {
    if (next == nullptr) return false;
    at_ = next;
    return true;
  }
  const uint8_t* begin_;
  const uint8_t* at_;
  const uint8_t* end_;
};

// A length and its bytes. False when they pass `end`; `null` when the length is -1.
template <class Cursor>
[[gnu::always_inline]] inline bool walk_bytes(Cursor& in, int64_t end, bool& null, byte_view& out) {
  int32_t length = 0;
  if (!in.varint(length)) return false;
  null = length == -1;
  if (null) return true;
  return length >= 0 && length <= end - in.position() && in.run(static_cast<size_t>(length), out);
}

// Reads one record and tells `out` about it: time_delta(int64_t), key(bool null, byte_view), value(...),
// header_count(size_t), header(byte_view key, bool null, byte_view value).
// Returns nullptr, or what is wrong with it (the rest of a sentence that begins with "record N").
template <class Cursor, class Out>
const char* walk_record(Cursor& in, int32_t index, Out& out) {
  int32_t length = 0;
  if (!in.varint(length)) return "is cut off in its length";
  if (length < 0 || !in.holds(static_cast<size_t>(length))) return "is longer than the bytes that are left";
  const int64_t end = in.position() + length;

  uint8_t attributes = 0; // unused so far; a later version may give it a meaning
  int64_t time_delta = 0;
  int32_t offset_delta = 0;
  if (!in.byte(attributes) || !in.varlong(time_delta) || !in.varint(offset_delta))
    return "is cut off in its first fields";
  if (offset_delta != index) return "has an offset delta that is not its place in the batch";
  out.time_delta(time_delta);

  bool null = false;
  byte_view part;
  if (!walk_bytes(in, end, null, part)) return "has a key that passes its end";
  out.key(null, part);
  part = {};
  if (!walk_bytes(in, end, null, part)) return "has a value that passes its end";
  out.value(null, part);

  int32_t headers = 0;
  if (!in.varint(headers)) return "is cut off in its header count";
  // A header takes at least two bytes: a count beyond that is a lie.
  if (headers < 0 || headers > (end - in.position()) / 2) return "has more headers than its bytes can hold";
  if (static_cast<size_t>(headers) > headers_per_record_max) return "has too many headers";
  out.header_count(static_cast<size_t>(headers));
  for (int32_t i = 0; i < headers; ++i) {
    byte_view key, value;
    if (!walk_bytes(in, end, null, key)) return "has a header key that passes its end";
    if (null) return "has a header without a key";
    if (!walk_bytes(in, end, null, value)) return "has a header value that passes its end";
    out.header(key, null, value);
  }
  if (in.position() != end) return "has fields that do not add up to its length";
  return nullptr;
}

} // namespace pessoa::detail
