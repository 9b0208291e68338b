#include "kafka/codec/writer.hpp"

#include <limits>

namespace pessoa::kafka {

namespace {

constexpr size_t frame_length_bytes = 4;

} // namespace

std::vector<uint8_t> encoded::joined() const {
  std::vector<uint8_t> out;
  out.reserve(size);
  for (auto& piece : pieces)
    out.insert(out.end(), piece.view().begin(), piece.view().end());
  return out;
}

writer::writer(framing with) : framing_(with) {
  if (framing_ == framing::length_first) own_.resize(frame_length_bytes);
}

result<encoded> writer::finish() && {
  encoded out;
  out.size = own_.size() + spliced_bytes_;
  if (out.size > std::numeric_limits<int32_t>::max())
    fail(ec::message_too_large, "a message of " + std::to_string(out.size) + " bytes");
  if (wrong_) return *wrong_;
  if (framing_ == framing::length_first)
    store_be(own_.data(), static_cast<int32_t>(out.size - frame_length_bytes));
  auto own = bytes::take(std::move(own_));
  size_t from = 0;
  for (auto& next : splices_) {
    if (next.at > from) out.pieces.push_back(own.slice(from, next.at - from));
    from = next.at;
    out.pieces.push_back(std::move(next.data));
  }
  if (own.size() > from) out.pieces.push_back(own.slice(from, own.size() - from));
  return out;
}

void writer::fail(ec code, std::string what) {
  if (!wrong_) wrong_ = error{code, std::move(what)};
}

void writer::refuse(const char* field, int16_t version) {
  fail(ec::unsupported_version,
       std::string{field} + " is set, and version " + std::to_string(version) + " lacks it");
}

void writer::uvarint(uint32_t x) {
  while (x >= 0x80) {
    own_.push_back(static_cast<uint8_t>(x | 0x80));
    x >>= 7;
  }
  own_.push_back(static_cast<uint8_t>(x));
}

void writer::length(size_t count, size_t fixed_width, bool flexible, const char* field) {
  size_t most = !flexible && fixed_width == 2 ? size_t{std::numeric_limits<int16_t>::max()}
                                              : size_t{std::numeric_limits<int32_t>::max()};
  if (count > most) {
    fail(ec::message_too_large, std::string{field} + " has the length " + std::to_string(count)
                                    + ", the most is " + std::to_string(most));
    return;
  }
  if (flexible)
    uvarint(static_cast<uint32_t>(count) + 1);
  else if (fixed_width == 2)
    value(static_cast<int16_t>(count));
  else
    value(static_cast<int32_t>(count));
}

void writer::null(size_t fixed_width, bool flexible, bool nullable, const char* field) {
  if (!nullable) fail(ec::unsupported_version, std::string{field} + " is null where null cannot be said");
  if (flexible)
    uvarint(0);
  else if (fixed_width == 2)
    value(int16_t{-1});
  else
    value(int32_t{-1});
}

void writer::string(const std::string& text, bool flexible, const char* field) {
  length(text.size(), 2, flexible, field);
  own_.insert(own_.end(), text.begin(), text.end());
}

void writer::string(const std::optional<std::string>& text, bool flexible, bool nullable, const char* field) {
  if (text)
    string(*text, flexible, field);
  else
    null(2, flexible, nullable, field);
}

void writer::blob(const payload& data, bool flexible, const char* field) {
  length(data.size(), 4, flexible, field);
  if (data.size() < payload_bytes_by_reference_min) {
    own_.insert(own_.end(), data.view().begin(), data.view().end());
    return;
  }
  splices_.push_back({own_.size(), data.data()});
  spliced_bytes_ += data.size();
}

void writer::blob(const std::optional<payload>& data, bool flexible, bool nullable, const char* field) {
  if (data)
    blob(*data, flexible, field);
  else
    null(4, flexible, nullable, field);
}

size_t writer::begin_tag(uint32_t tag) {
  uvarint(tag);
  return own_.size();
}

// The size goes before what was written meanwhile. No payload stands there (the generator refuses it), so that no
// splice moves. Unlike other flexible lengths it is not one more than the size: a tagged value is never null.
void writer::end_tag(size_t begin) {
  PESSOA_ASSERT(splices_.empty() || splices_.back().at <= begin);
  std::vector<uint8_t> value(own_.begin() + static_cast<std::ptrdiff_t>(begin), own_.end());
  own_.resize(begin);
  uvarint(static_cast<uint32_t>(value.size())); // finish() refuses what does not fit
  own_.insert(own_.end(), value.begin(), value.end());
}

} // namespace pessoa::kafka
