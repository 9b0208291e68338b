#include "cli/record_json.hpp"

#include "schema/topic_config.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace pessoa::cli {

namespace {

using json = nlohmann::json;

constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

error refused(std::string message) { return {ec::invalid_record, std::move(message)}; }

void append_field(std::string& out, std::string_view name, int64_t value) {
  char text[24];
  auto end = std::to_chars(text, text + sizeof text, value);
  out.append(name).append(text, static_cast<size_t>(end.ptr - text));
}

// Strings and {"base64":...}; null where it may be.
result<std::optional<std::string>> read_bytes(const json& value, std::string_view what) {
  if (value.is_null()) return std::optional<std::string>{};
  if (value.is_string()) return std::optional<std::string>{value.get_ref<const std::string&>()};
  if (value.is_object() && value.size() == 1 && value.contains("base64") && value["base64"].is_string()) {
    auto data = from_base64(value["base64"].get_ref<const std::string&>());
    if (data) return std::optional<std::string>{std::move(*data)};
    return refused(std::string{what} + " holds invalid base64");
  }
  return refused(std::string{what} + " is neither a string, nor null, nor {\"base64\":\"...\"}");
}

result<std::vector<json_record::header>> read_headers(const json& value) {
  std::vector<json_record::header> out;
  if (!value.is_array()) return refused("headers is not a list of {\"key\",\"value\"}");
  for (auto& entry : value) {
    if (!entry.is_object() || entry.size() != 2 || !entry.contains("key") || !entry.contains("value"))
      return refused("a header is not {\"key\":...,\"value\":...}");
    PESSOA_TRY(auto key, read_bytes(entry["key"], "a header's key"));
    if (!key) return refused("a header's key is null");
    PESSOA_TRY(auto content, read_bytes(entry["value"], "a header's value"));
    out.push_back({std::move(*key), std::move(content)});
  }
  return out;
}

result<int64_t> read_number(const json& value, std::string_view what, int64_t min, int64_t max) {
  bool fits = value.is_number_integer()
              && !(value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX));
  if (!fits || value.get<int64_t>() < min || value.get<int64_t>() > max)
    return refused(std::string{what} + " is not a whole number from " + std::to_string(min) + " to "
                   + std::to_string(max));
  return value.get<int64_t>();
}

} // namespace

bool is_utf8(std::string_view text) {
  auto* at = reinterpret_cast<const unsigned char*>(text.data());
  auto* end = at + text.size();
  auto follows = [&](size_t count) {
    if (static_cast<size_t>(end - at) <= count) return false;
    for (size_t i = 1; i <= count; ++i)
      if ((at[i] & 0xc0) != 0x80) return false;
    return true;
  };
  while (at != end) {
    // Eight ASCII characters at a time: most records are nothing else.
    while (end - at >= 8) {
      uint64_t word;
      std::memcpy(&word, at, sizeof word);
      if ((word & 0x8080808080808080ull) != 0) break;
      at += 8;
    }
    if (at == end) break;
    unsigned char c = *at;
    if (c < 0x80) {
      at += 1;
    } else if (c >= 0xc2 && c <= 0xdf) {
      if (!follows(1)) return false;
      at += 2;
    } else if (c >= 0xe0 && c <= 0xef) {
      if (!follows(2)) return false;
      if ((c == 0xe0 && at[1] < 0xa0) || (c == 0xed && at[1] > 0x9f)) return false;
      at += 3;
    } else if (c >= 0xf0 && c <= 0xf4) {
      if (!follows(3)) return false;
      if ((c == 0xf0 && at[1] < 0x90) || (c == 0xf4 && at[1] > 0x8f)) return false;
      at += 4;
    } else {
      return false;
    }
  }
  return true;
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  out.push_back('"');
  size_t plain = 0; // begin of what needs no escape
  for (size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
    out.append(text.substr(plain, i - plain));
    plain = i + 1;
    switch (c) {
    case '"':
      out.append("\\\"");
      break;
    case '\\':
      out.append("\\\\");
      break;
    case '\n':
      out.append("\\n");
      break;
    case '\r':
      out.append("\\r");
      break;
    case '\t':
      out.append("\\t");
      break;
    default: {
      char escape[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
      out.append(escape, sizeof escape);
    }
    }
  }
  out.append(text.substr(plain));
  out.push_back('"');
}

void append_json_bytes(std::string& out, const std::optional<byte_view>& data) {
  if (!data) {
    out.append("null");
  } else if (auto text = as_text(*data); is_utf8(text)) {
    append_json_string(out, text);
  } else {
    out.append("{\"base64\":\"").append(base64(text)).append("\"}");
  }
}

void append_json_record(std::string& out, const placed_record& placed) {
  auto& record = *placed.record;
  out.append("{\"topic\":");
  append_json_string(out, placed.topic);
  append_field(out, ",\"partition\":", placed.partition.value());
  append_field(out, ",\"offset\":", placed.at.value());
  append_field(out, ",\"timestamp\":", record.time.value());
  out.append(",\"key\":");
  append_json_bytes(out, record.key);
  out.append(",\"value\":");
  append_json_bytes(out, record.value);
  out.append(",\"headers\":[");
  bool first = true;
  for (auto& header : record.headers) {
    out.append(first ? "{\"key\":" : ",{\"key\":");
    first = false;
    append_json_bytes(out, as_bytes(header.key));
    out.append(",\"value\":");
    append_json_bytes(out, header.value);
    out.push_back('}');
  }
  out.append("]}\n");
}

result<json_record> parse_json_record(std::string_view line) {
  auto parsed = json::parse(line, nullptr, false);
  if (parsed.is_discarded()) return refused("not JSON: " + pessoa::quoted(line));
  if (!parsed.is_object()) return refused("not a JSON object: " + pessoa::quoted(line));
  json_record out;
  if (!parsed.contains("value"))
    return refused("there is no \"value\" (null stands for none): " + pessoa::quoted(line));
  for (auto& field : parsed.items()) {
    auto& name = field.key();
    auto& value = field.value();
    if (name == "value") {
      PESSOA_TRY(out.value, read_bytes(value, "value"));
    } else if (name == "key") {
      PESSOA_TRY(out.key, read_bytes(value, "key"));
    } else if (name == "headers") {
      PESSOA_TRY(out.headers, read_headers(value));
    } else if (name == "timestamp") {
      PESSOA_TRY(auto millis, read_number(value, "timestamp", -1, INT64_MAX));
      out.time = timestamp{millis};
    } else if (name == "partition") {
      PESSOA_TRY(auto index, read_number(value, "partition", 0, INT32_MAX));
      out.partition = static_cast<int32_t>(index);
    } else if (name != "topic" && name != "offset") {
      auto guess = nearest(name, {"topic", "partition", "offset", "timestamp", "key", "value", "headers"});
      return refused("unknown field " + pessoa::quoted(name)
                     + (guess.empty() ? std::string{} : "; did you mean " + guess + "?"));
    }
  }
  return out;
}

std::string base64(std::string_view data) {
  std::string out;
  out.reserve((data.size() + 2) / 3 * 4);
  for (size_t i = 0; i < data.size(); i += 3) {
    uint32_t bits = 0;
    size_t here = std::min<size_t>(3, data.size() - i);
    for (size_t j = 0; j < 3; ++j)
      bits = bits << 8 | (j < here ? static_cast<unsigned char>(data[i + j]) : 0u);
    for (size_t j = 0; j < 4; ++j)
      out.push_back(j <= here ? base64_alphabet[(bits >> (18 - 6 * j)) & 63] : '=');
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  static const auto values = [] {
    std::array<int8_t, 256> out;
    out.fill(-1);
    for (size_t i = 0; i < base64_alphabet.size(); ++i)
      out[static_cast<unsigned char>(base64_alphabet[i])] = static_cast<int8_t>(i);
    return out;
  }();
  if (text.size() % 4 != 0) return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=')
    ++padding;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  int have = 0;
  for (char c : text.substr(0, text.size() - padding)) {
    auto value = values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    have += 6;
    if (have >= 8) {
      have -= 8;
      out.push_back(static_cast<char>(bits >> have & 0xff));
    }
  }
  // The bits that padding leaves over are zero in every honest encoding.
  if ((bits & ((1u << have) - 1)) != 0) return std::nullopt;
  return out;
}

} // namespace pessoa::cli
