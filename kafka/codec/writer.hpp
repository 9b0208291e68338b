// Writes the parts of a Kafka message; its result is a list of pieces.
//
// Payloads of some size are not copied: they stand in the list as they were given, sharing their owner, between pieces
// of the writer's own bytes. Send the pieces in order (writev) and keep the list until they are sent.
//
// What cannot be said in the version (a null, a value of a field the version lacks, a string beyond its length field)
// is kept as the first mistake, and finish() returns it; nothing half-made comes out.
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

// Smaller payloads are copied: a piece of its own costs more than the copy.
inline constexpr size_t payload_bytes_by_reference_min = 512;

struct encoded {
  std::vector<bytes> pieces;
  size_t size = 0; // of all pieces

  [[nodiscard]] std::vector<uint8_t> joined() const;
};

class writer {
public:
  // Whether the message's length stands before it (int32), as on a connection.
  enum class framing : uint8_t { none, length_first };
  explicit writer(framing with = framing::none);

  // Errors: unsupported_version for what the version cannot say, message_too_large for what no length field can.
  [[nodiscard]] result<encoded> finish() &&;

  template <std::integral T>
  void value(T x) {
    size_t at = own_.size();
    own_.resize(at + sizeof(T));
    store_be(own_.data() + at, x);
  }
  void value(bool x) { own_.push_back(x ? 1 : 0); }
  void value(const topic_id& id) { own_.insert(own_.end(), id.raw().begin(), id.raw().end()); }
  void uvarint(uint32_t x);

  // `field` is a literal that names the field in an error.
  void string(const std::string& text, bool flexible, const char* field);
  void string(const std::optional<std::string>& text, bool flexible, bool nullable, const char* field);
  void blob(const payload& data, bool flexible, const char* field);
  void blob(const std::optional<payload>& data, bool flexible, bool nullable, const char* field);

  template <class T>
  void array(const std::vector<T>& from, int16_t version, bool flexible, const char* field) {
    length(from.size(), 4, flexible, field);
    for (auto& element : from) {
      if constexpr (std::is_same_v<T, std::string>)
        string(element, flexible, field);
      else if constexpr (std::integral<T> || std::is_same_v<T, topic_id>)
        value(element);
      else
        element.encode(*this, version);
    }
  }
  template <class T>
  void array(const std::optional<std::vector<T>>& from, int16_t version, bool flexible, bool nullable,
             const char* field) {
    if (from)
      array(*from, version, flexible, field);
    else
      null(4, flexible, nullable, field);
  }

  // auto at = out.begin_tag(0); the value; out.end_tag(at); with ascending tags, after their number as uvarint.
  [[nodiscard]] size_t begin_tag(uint32_t tag);
  void end_tag(size_t begin);
  void no_tags() { uvarint(0); }

  // The version has no such field, and dropping its value would change the meaning.
  void refuse(const char* field, int16_t version);

private:
  struct splice {
    size_t at; // in own_
    bytes data;
  };
  void length(size_t count, size_t fixed_width, bool flexible, const char* field);
  void null(size_t fixed_width, bool flexible, bool nullable, const char* field);
  void fail(ec code, std::string what);

  framing framing_;
  std::vector<uint8_t> own_;
  std::vector<splice> splices_;
  size_t spliced_bytes_ = 0;
  std::optional<error> wrong_;
};

} // namespace pessoa::kafka
