// Records out of a stream of bytes, in the format language read backwards: "%k\t%v\n".
//
// Separators are literal text; a record ends at the last literal, or at the end of the input. Bytes are kept
// exactly: a carriage return is data, an empty line is an empty value, a last line without newline is a
// record. Gigabytes flow through one buffer: large reads, memchr for the ends, no copy of a record.
#pragma once

#include "cli/record_format.hpp"
#include "cli/record_json.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pessoa::cli {

class byte_source {
public:
  virtual ~byte_source() = default;
  // At least one byte, or 0 at the end. Error: what read() said; timed_out when the wait was broken off.
  virtual result<size_t> read(char* into, size_t size) = 0;
};

// How input is cut into records.
class input_format {
public:
  // A format with %k %v %h %p %d, or the word json. Errors (invalid_argument, with the position): two verbs
  // without text between them, no text at the end, a verb twice, %t or %o, which the command line and the
  // node decide.
  static result<input_format> parse(std::string_view spec);
  [[nodiscard]] bool json() const { return json_; }
  [[nodiscard]] bool reads(char verb) const;

private:
  friend class record_input;
  struct field {
    char verb;
    std::string end; // the literal after it
  };
  std::string lead_; // the literal before the first field
  std::vector<field> fields_;
  bool in_order_ =
      false; // an inner separator contains the last literal: fields must be read one after the other
  bool json_ = false;
};

// One record of the input: views that hold until the next call.
struct input_record {
  record_view record;
  std::optional<int32_t> partition;
};

class record_input {
public:
  // `null_text`: a key or value that is exactly this text is null. Requires: `source` outlives this.
  record_input(input_format format, byte_source& source, std::optional<std::string> null_text = {});

  // The next record; nullopt at the end. Errors: invalid_argument (with the record's number: a separator is
  // missing, a number is none, JSON that is no record), message_too_large, and those of the source.
  result<std::optional<input_record>> next();
  // Records returned so far.
  [[nodiscard]] uint64_t count() const { return count_; }
  // Is there a whole record in the buffer, so that next() returns without reading?
  [[nodiscard]] bool has_next_buffered() const;

private:
  result<std::optional<std::string_view>> next_frame();
  result<std::optional<std::string_view>> take_until(std::string_view end, bool at_end_ok);
  result<bool> refill();
  result<input_record> split(std::string_view frame);
  result<std::optional<input_record>> next_in_order();
  result<void> assign(input_record& out, char verb, std::string_view text);
  result<std::optional<input_record>> next_json();
  [[nodiscard]] error refused(std::string why) const;

  input_format format_;
  byte_source& source_;
  std::optional<std::string> null_text_;
  size_t record_bytes_max_;
  std::unique_ptr<char[]> buffer_;
  size_t capacity_;
  size_t begin_ = 0; // of what is not taken yet
  size_t end_ = 0;
  bool ended_ = false;
  uint64_t count_ = 0;
  json_record json_; // owns the bytes of the last JSON record
};

} // namespace pessoa::cli
