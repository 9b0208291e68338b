#include "cli/record_format.hpp"

#include "cli/record_json.hpp"

#include <charconv>

namespace pessoa::cli {

namespace {

constexpr std::string_view verbs = "tpokvhd";

error refused(std::string_view spec, size_t position, std::string why) {
  return {ec::invalid_argument, "format '" + show_literal(spec) + "', position "
                                    + std::to_string(position + 1) + ": " + std::move(why)};
}

void append_number(std::string& out, int64_t value) {
  char text[24];
  auto end = std::to_chars(text, text + sizeof text, value);
  out.append(text, static_cast<size_t>(end.ptr - text));
}

void append_bytes(std::string& out, const std::optional<byte_view>& data) {
  if (data) out.append(as_text(*data));
}

void append_headers(std::string& out, const std::vector<header_view>& headers) {
  bool first = true;
  for (auto& header : headers) {
    if (!first) out.push_back(',');
    first = false;
    out.append(header.key).push_back('=');
    append_bytes(out, header.value);
  }
}

} // namespace

std::string show_literal(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
    case '\n':
      out.append("\\n");
      break;
    case '\t':
      out.append("\\t");
      break;
    case '\r':
      out.append("\\r");
      break;
    case '\0':
      out.append("\\0");
      break;
    default:
      out.push_back(c);
    }
  }
  return out;
}

result<std::vector<format_piece>> parse_format(std::string_view spec) {
  std::vector<format_piece> pieces;
  auto literal = [&](char c, size_t position) {
    if (pieces.empty() || pieces.back().verb != 0) pieces.push_back({0, {}, position});
    pieces.back().literal.push_back(c);
  };
  if (spec.empty())
    return error{ec::invalid_argument,
                 "an empty format prints nothing and reads nothing; try '%v\\n' or json"};
  for (size_t i = 0; i < spec.size(); ++i) {
    char c = spec[i];
    if (c != '%' && c != '\\') {
      literal(c, i);
      continue;
    }
    if (i + 1 == spec.size())
      return refused(spec, i,
                     std::string{"'"} + c + "' stands alone at the end; write " + c + c
                         + " for the sign itself");
    char next = spec[i + 1];
    if (c == '\\') {
      switch (next) {
      case 'n':
        literal('\n', i);
        break;
      case 't':
        literal('\t', i);
        break;
      case 'r':
        literal('\r', i);
        break;
      case '0':
        literal('\0', i);
        break;
      case '\\':
        literal('\\', i);
        break;
      default:
        return refused(spec, i,
                       std::string{"unknown escape \\"} + next + "; there are \\n \\t \\r \\0 and \\\\");
      }
    } else if (next == '%') {
      literal('%', i);
    } else if (verbs.find(next) != std::string_view::npos) {
      pieces.push_back({next, {}, i});
    } else if (next == 's' || next == 'T') {
      return refused(spec, i, std::string{"unknown verb %"} + next + ": values are %v, timestamps %d");
    } else {
      return refused(
          spec, i,
          std::string{"unknown verb %"} + next
              + "; there are %t topic, %p partition, %o offset, %k key, %v value, %h headers, %d timestamp");
    }
    ++i;
  }
  return pieces;
}

result<record_printer> record_printer::parse(std::string_view spec) {
  record_printer out;
  if (spec == "json") {
    out.json_ = true;
    return out;
  }
  PESSOA_TRY(out.pieces_, parse_format(spec));
  return out;
}

bool record_printer::shows_content() const {
  for (auto& piece : pieces_)
    if (piece.verb == 'k' || piece.verb == 'v' || piece.verb == 'h') return true;
  return json_;
}

void record_printer::append(std::string& out, const placed_record& placed) const {
  auto& record = *placed.record;
  if (json_) {
    append_json_record(out, placed);
    return;
  }
  for (auto& piece : pieces_) {
    switch (piece.verb) {
    case 0:
      out.append(piece.literal);
      break;
    case 't':
      out.append(placed.topic);
      break;
    case 'p':
      append_number(out, placed.partition.value());
      break;
    case 'o':
      append_number(out, placed.at.value());
      break;
    case 'k':
      append_bytes(out, record.key);
      break;
    case 'v':
      append_bytes(out, record.value);
      break;
    case 'h':
      append_headers(out, record.headers);
      break;
    case 'd':
      append_number(out, record.time.value());
      break;
    }
  }
}

} // namespace pessoa::cli
