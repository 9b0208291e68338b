#include "kafka/codec/reader.hpp"

#include <algorithm>
#include <limits>

namespace pessoa::kafka {

namespace {

size_t memory_limit(size_t message_bytes, const decode_limits& limits) {
  PESSOA_ASSERT(limits.memory_factor > 0);
  size_t room = std::numeric_limits<size_t>::max() - limits.memory_allowance;
  return limits.memory_allowance
         + (message_bytes > room / limits.memory_factor ? room : message_bytes * limits.memory_factor);
}

} // namespace

reader::reader(bytes message, const decode_limits& limits)
    : message_(std::move(message)), at_(message_.data()), end_(at_ + message_.size()), limits_(limits),
      memory_max_(memory_limit(message_.size(), limits)) {}

result<void> reader::finish() {
  if (ok() && left() > 0) fail(std::to_string(left()) + " bytes are left over");
  return status();
}

result<void> reader::status() const {
  if (!ok()) return {ec::malformed_message, what_};
  return {};
}

void reader::fail(std::string what) {
  if (ok()) what_ = "at byte " + std::to_string(position()) + ": " + std::move(what);
  end_ = at_;
}

bool reader::need(size_t count, const char* what) {
  if (count <= left()) return true;
  fail(std::string{what} + " of " + std::to_string(count) + " bytes, but only " + std::to_string(left())
       + " are left");
  return false;
}

bool reader::charge(size_t count) {
  if (count <= memory_max_ - memory_) {
    memory_ += count;
    return true;
  }
  fail("its parts would take " + std::to_string(memory_ + count) + " bytes of memory, the limit is "
       + std::to_string(memory_max_));
  return false;
}

// -- numbers ---

void reader::value(topic_id& out) {
  topic_id::bytes_type raw;
  if (!need(raw.size(), "an id")) return;
  std::copy_n(at_, raw.size(), raw.begin());
  at_ += raw.size();
  out = topic_id{raw};
}

uint32_t reader::uvarint() {
  uint32_t number = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    if (!need(1, "a variable-length number")) return 0;
    uint8_t byte = *at_++;
    if (shift == 28 && byte > 0x0f) {
      fail("a variable-length number of more than 32 bits");
      return 0;
    }
    number |= static_cast<uint32_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) {
      if (byte != 0 || shift == 0) return number;
      break;
    }
  }
  fail("a variable-length number that is longer than it must be");
  return 0;
}

// -- strings and payloads ---

// The length of a string, payload or array; nullopt for null, and after a mistake.
std::optional<size_t> reader::length(bool flexible, size_t fixed_width, bool nullable, const char* what) {
  int64_t count = 0;
  if (flexible) {
    count = int64_t{uvarint()} - 1;
    if (!ok()) return std::nullopt;
  } else if (fixed_width == 2) {
    int16_t short_count = 0;
    value(short_count);
    count = short_count;
  } else {
    int32_t long_count = 0;
    value(long_count);
    count = long_count;
  }
  if (!ok() || (count == -1 && nullable)) return std::nullopt;
  if (count == -1) {
    fail(std::string{what} + " that is null where null is not allowed");
    return std::nullopt;
  }
  if (count < 0 || count > std::numeric_limits<int32_t>::max()) {
    fail(std::string{what} + " of the length " + std::to_string(count));
    return std::nullopt;
  }
  return static_cast<size_t>(count);
}

void reader::string(std::string& out, bool flexible) {
  auto size = length(flexible, 2, false, "a string");
  if (!size || !need(*size, "a string") || !charge(*size)) return;
  out.assign(as_text({at_, *size}));
  at_ += *size;
}

void reader::string(std::optional<std::string>& out, bool flexible, bool nullable) {
  auto size = length(flexible, 2, nullable, "a string");
  out.reset();
  if (!size || !need(*size, "a string") || !charge(*size)) return;
  out.emplace(as_text({at_, *size}));
  at_ += *size;
}

void reader::blob(payload& out, bool flexible) {
  auto size = length(flexible, 4, false, "bytes");
  if (!size || !need(*size, "bytes")) return;
  out = message_.slice(position(), *size);
  at_ += *size;
}

void reader::blob(std::optional<payload>& out, bool flexible, bool nullable) {
  auto size = length(flexible, 4, nullable, "bytes");
  out.reset();
  if (!size || !need(*size, "bytes")) return;
  out = message_.slice(position(), *size);
  at_ += *size;
}

// -- arrays ---

std::optional<size_t> reader::array_count(bool flexible, size_t element_bytes_min, size_t element_size,
                                          bool nullable) {
  PESSOA_ASSERT(element_bytes_min > 0);
  auto count = length(flexible, 4, nullable, "an array");
  if (!count) return std::nullopt;
  if (*count > left() / element_bytes_min) {
    fail("an array of " + std::to_string(*count) + " elements, for which " + std::to_string(left())
         + " bytes cannot be enough");
    return std::nullopt;
  }
  if (*count > limits_.elements_max) {
    fail("an array of " + std::to_string(*count) + " elements, the limit is "
         + std::to_string(limits_.elements_max));
    return std::nullopt;
  }
  // Both factors are bounded: the count by the message's size, an element by its type.
  if (!charge(*count * element_size)) return std::nullopt;
  return count;
}

// -- tagged fields ---

reader::tag_walk reader::tags() {
  tag_walk at;
  at.left = uvarint();
  if (ok() && at.left > left() / 2)
    fail(std::to_string(at.left) + " tagged fields in " + std::to_string(left()) + " bytes");
  return at;
}

bool reader::next(tag_walk& at) {
  if (at.open && ok()) {
    if (left() > 0)
      fail(std::to_string(left()) + " bytes are left over in the tagged field " + std::to_string(at.tag));
    else
      end_ = at.outer_end;
    at.open = false;
  }
  if (!ok() || at.left == 0) return false;
  --at.left;
  uint32_t tag = uvarint();
  if (ok() && !at.first && tag <= at.tag)
    fail("the tagged field " + std::to_string(tag) + " after " + std::to_string(at.tag)
         + ": tags must ascend");
  uint32_t size = uvarint();
  if (!ok() || !need(size, "a tagged field")) return false;
  at.tag = tag;
  at.first = false;
  at.open = true;
  at.outer_end = end_;
  end_ = at_ + size;
  return true;
}

} // namespace pessoa::kafka
