// Reads the parts of a Kafka message from foreign bytes.
//
// It never reads past the end and takes no memory that the bytes left do not justify: a count is compared with the
// bytes left divided by the least an element takes, and what decoded values occupy is charged against `decode_limits`
// before it is allocated. The first mistake is kept; from then on every read gives zeros and `left()` is 0, so that
// generated code needs no test after each field. Whoever decodes asks `finish()` at the end, which refuses what is left
// over. Stricter than Kafka in one thing: a variable-length number must have its shortest form.
//
// Strings are copied, `payload`s are slices of the message.
#pragma once

#include "kafka/codec/payload.hpp"
#include "schema/endian.hpp"
#include "schema/ids.hpp"
#include "schema/result.hpp"

#include <concepts>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace pessoa::kafka {

struct decode_limits {
  size_t elements_max = 100'000; // of one array
  // What decoded values may occupy: this many times the message, beside a fixed allowance. The allowance covers small
  // messages of many empty parts; in a large one, names and numbers are long enough for the factor.
  size_t memory_factor = 16;
  size_t memory_allowance = 256u << 10;
};

class reader {
public:
  explicit reader(bytes message, const decode_limits& limits = {});

  [[nodiscard]] bool ok() const { return what_.empty(); }
  [[nodiscard]] size_t left() const { return static_cast<size_t>(end_ - at_); }
  [[nodiscard]] size_t position() const { return static_cast<size_t>(at_ - message_.data()); }
  [[nodiscard]] size_t memory() const { return memory_; } // charged so far
  // malformed_message with the first mistake, or when bytes are left over.
  [[nodiscard]] result<void> finish();
  // The first mistake only: for a head, behind which a body follows.
  [[nodiscard]] result<void> status() const;

  // -- numbers ---

  template <std::integral T>
  void value(T& out) {
    if (!need(sizeof(T), "a number")) return;
    out = load_be<T>(at_);
    at_ += sizeof(T);
  }
  // Any byte but 0 is true, as in Kafka.
  void value(bool& out) {
    uint8_t byte = 0;
    value(byte);
    out = byte != 0;
  }
  void value(topic_id& out);
  uint32_t uvarint();

  // -- strings and payloads: `flexible` has a compact length. Null where it is not allowed is a mistake. ---

  void string(std::string& out, bool flexible);
  void string(std::optional<std::string>& out, bool flexible, bool nullable);
  void blob(payload& out, bool flexible);
  void blob(std::optional<payload>& out, bool flexible, bool nullable);

  // -- arrays. Requires: `element_bytes_min` > 0, the least an element takes. ---

  template <class T>
  void array(std::vector<T>& out, int16_t version, bool flexible, size_t element_bytes_min) {
    auto count = array_count(flexible, element_bytes_min, sizeof(T), false);
    if (count) elements(out, *count, version, flexible);
  }
  template <class T>
  void array(std::optional<std::vector<T>>& out, int16_t version, bool flexible, size_t element_bytes_min,
             bool nullable) {
    auto count = array_count(flexible, element_bytes_min, sizeof(T), nullable);
    if (count)
      elements(out.emplace(), *count, version, flexible);
    else
      out.reset();
  }

  // -- tagged fields. for (auto at = in.tags(); in.next(at);) then read at.tag's value whole, or skip(at). ---

  struct tag_walk {
    uint32_t tag = 0;
    uint32_t left = 0;
    bool first = true, open = false;
    const uint8_t* outer_end = nullptr;
  };
  [[nodiscard]] tag_walk tags();
  // False at the end, and after a mistake: tags that do not ascend, a value that was not read to its end.
  [[nodiscard]] bool next(tag_walk& at);
  void skip(tag_walk&) { at_ = end_; } // within next(): the end is the value's
  void skip_tags() {
    for (auto at = tags(); next(at);)
      skip(at);
  }

private:
  bool need(size_t count, const char* what);
  bool charge(size_t count);
  void fail(std::string what);
  std::optional<size_t> length(bool flexible, size_t fixed_width, bool nullable, const char* what);
  std::optional<size_t> array_count(bool flexible, size_t element_bytes_min, size_t element_size,
                                    bool nullable);

  template <class T>
  void elements(std::vector<T>& out, size_t count, int16_t version, bool flexible) {
    out.resize(count);
    for (auto& element : out) {
      if (!ok()) return;
      if constexpr (std::is_same_v<T, std::string>)
        string(element, flexible);
      else if constexpr (std::integral<T> || std::is_same_v<T, topic_id>)
        value(element);
      else
        element.decode(*this, version);
    }
  }

  bytes message_;
  const uint8_t* at_;
  const uint8_t* end_;
  decode_limits limits_;
  size_t memory_ = 0, memory_max_;
  std::string what_; // the first mistake; empty: none
};

} // namespace pessoa::kafka
