// The little language in which records are printed and read: "%k\t%v\n".
//
// Verbs: %t topic, %p partition, %o offset, %k key, %v value, %h headers (k=v,k=v), %d timestamp in
// milliseconds, %% a percent sign. Escapes: \n \t \r \0 \\. Everything else stands for itself. The word json
// is a format of its own (cli/record_json.hpp). Words of other tools are answered: %s and %T lead to %v and
// %d.
#pragma once

#include "schema/record.hpp"
#include "schema/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace pessoa::cli {

// A piece of a format: a verb, or (verb 0) text that stands for itself.
struct format_piece {
  char verb = 0;
  std::string literal;
  size_t position = 0; // where it stands in the spec, from 0
};

// Neighbouring literals are one piece. Error: invalid_argument with the position, counted from 1.
result<std::vector<format_piece>> parse_format(std::string_view spec);
// For messages: "\t" for a tab.
std::string show_literal(std::string_view text);

// A record at its place.
struct placed_record {
  std::string_view topic;
  partition_id partition;
  offset at{0};
  const record_view* record = nullptr;
};

// Prints records in one format.
class record_printer {
public:
  // `spec` is a format or the word json.
  static result<record_printer> parse(std::string_view spec);
  void append(std::string& out, const placed_record& placed) const;
  [[nodiscard]] bool json() const { return json_; }
  // Does it print key, value or headers, so that they must be kept until then?
  [[nodiscard]] bool shows_content() const;

private:
  std::vector<format_piece> pieces_;
  bool json_ = false;
};

} // namespace pessoa::cli
