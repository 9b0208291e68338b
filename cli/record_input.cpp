#include "cli/record_input.hpp"

#include "schema/limits.hpp"
#include "schema/topic_config.hpp"

#include <charconv>
#include <cstring>

namespace pessoa::cli {

namespace {

constexpr size_t read_bytes = 1 << 20;
// No batch can hold more, so a longer "record" is a file without the separator: say so before memory runs
// out.
constexpr size_t plain_record_bytes_max = message_bytes_max + (1 << 20);
// Base64 and escapes make a record longer, at worst six times.
constexpr size_t json_record_bytes_max = 6 * plain_record_bytes_max;

error bad_spec(std::string_view spec, size_t position, std::string why) {
  return {ec::invalid_argument, "format '" + show_literal(spec) + "', position "
                                    + std::to_string(position + 1) + ": " + std::move(why)};
}

const char* first_match(const char* begin, const char* end, std::string_view what) {
  auto size = static_cast<size_t>(end - begin);
  if (what.size() == 1) return static_cast<const char*>(std::memchr(begin, what.front(), size));
  return static_cast<const char*>(::memmem(begin, size, what.data(), what.size()));
}

} // namespace

result<input_format> input_format::parse(std::string_view spec) {
  input_format out;
  if (spec == "json") {
    out.json_ = true;
    return out;
  }
  PESSOA_TRY(auto pieces, parse_format(spec));
  for (size_t i = 0; i < pieces.size(); ++i) {
    auto& piece = pieces[i];
    if (piece.verb == 0) {
      (out.fields_.empty() ? out.lead_ : out.fields_.back().end) = piece.literal;
      continue;
    }
    if (piece.verb == 't')
      return bad_spec(spec, piece.position, "the topic is named on the command line, not in the input");
    if (piece.verb == 'o')
      return bad_spec(spec, piece.position, "offsets are given by the node, not by the input");
    if (out.reads(piece.verb))
      return bad_spec(spec, piece.position, std::string{"%"} + piece.verb + " is there already");
    if (!out.fields_.empty() && out.fields_.back().end.empty())
      return bad_spec(spec, piece.position,
                      std::string{"%"} + out.fields_.back().verb + " and %" + piece.verb
                          + " need text between them, such as \\t");
    out.fields_.push_back({piece.verb, {}});
  }
  if (out.fields_.empty()) return bad_spec(spec, 0, "there is no field; try '%v\\n' or '%k\\t%v\\n'");
  if (out.fields_.back().end.empty())
    return bad_spec(spec, spec.size(), "a record must end with text; add \\n");
  auto& last = out.fields_.back().end;
  for (size_t i = 0; i + 1 < out.fields_.size(); ++i)
    out.in_order_ = out.in_order_ || out.fields_[i].end.find(last) != std::string::npos;
  out.in_order_ = out.in_order_ || out.lead_.find(last) != std::string::npos;
  return out;
}

bool input_format::reads(char verb) const {
  for (auto& f : fields_)
    if (f.verb == verb) return true;
  return false;
}

record_input::record_input(input_format format, byte_source& source, std::optional<std::string> null_text)
    : format_(std::move(format)), source_(source), null_text_(std::move(null_text)),
      record_bytes_max_(format_.json() ? json_record_bytes_max : plain_record_bytes_max),
      buffer_(new char[read_bytes]), capacity_(read_bytes) {}

error record_input::refused(std::string why) const {
  return {ec::invalid_argument, "record " + std::to_string(count_ + 1) + " of the input: " + std::move(why)};
}

// Makes room and reads more. False at the end of the input.
result<bool> record_input::refill() {
  if (ended_) return false;
  if (begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == capacity_) {
    if (capacity_ >= record_bytes_max_)
      return error{ec::message_too_large,
                   "record " + std::to_string(count_ + 1) + " of the input is longer than "
                       + std::to_string(record_bytes_max_) + " bytes: is the separator right?"};
    std::unique_ptr<char[]> larger{new char[capacity_ * 2]};
    std::memcpy(larger.get(), buffer_.get(), end_);
    buffer_ = std::move(larger);
    capacity_ *= 2;
  }
  PESSOA_TRY(auto count, source_.read(buffer_.get() + end_, capacity_ - end_));
  end_ += count;
  ended_ = count == 0;
  return !ended_;
}

// The bytes up to `end`, which is taken too. At the end of the input: what is left, if `at_end_ok`; nullopt
// otherwise.
result<std::optional<std::string_view>> record_input::take_until(std::string_view end, bool at_end_ok) {
  size_t searched = 0; // of what is not taken: no match begins there
  while (true) {
    auto* base = buffer_.get();
    if (end_ - begin_ >= searched + end.size()) {
      if (auto* at = first_match(base + begin_ + searched, base + end_, end)) {
        std::string_view out{base + begin_, static_cast<size_t>(at - base) - begin_};
        begin_ += out.size() + end.size();
        return std::optional{out};
      }
      searched = end_ - begin_ - (end.size() - 1);
    }
    PESSOA_TRY(bool more, refill());
    if (more) continue;
    if (!at_end_ok || begin_ == end_) return std::optional<std::string_view>{};
    std::string_view out{buffer_.get() + begin_, end_ - begin_};
    begin_ = end_;
    return std::optional{out};
  }
}

result<std::optional<std::string_view>> record_input::next_frame() {
  return take_until(format_.json() ? std::string_view{"\n"} : std::string_view{format_.fields_.back().end},
                    true);
}

bool record_input::has_next_buffered() const {
  std::string_view end =
      format_.json() ? std::string_view{"\n"} : std::string_view{format_.fields_.back().end};
  return first_match(buffer_.get() + begin_, buffer_.get() + end_, end) != nullptr;
}

result<void> record_input::assign(input_record& out, char verb, std::string_view text) {
  auto number = [&]() -> result<int64_t> {
    int64_t value = 0;
    auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
      return refused(std::string{"%"} + verb + " is no whole number: " + pessoa::quoted(text));
    return value;
  };
  bool null = null_text_ && text == *null_text_;
  switch (verb) {
  case 'k':
    out.record.key = null ? std::optional<byte_view>{} : as_bytes(text);
    break;
  case 'v':
    out.record.value = null ? std::optional<byte_view>{} : as_bytes(text);
    break;
  case 'd': {
    PESSOA_TRY(auto millis, number());
    if (millis < 0) return refused("%d is negative: " + pessoa::quoted(text));
    out.record.time = timestamp{millis};
    break;
  }
  case 'p': {
    PESSOA_TRY(auto index, number());
    if (index < 0 || index > INT32_MAX) return refused("%p is no partition: " + pessoa::quoted(text));
    out.partition = static_cast<int32_t>(index);
    break;
  }
  case 'h':
    while (!text.empty()) {
      auto comma = text.find(',');
      auto one = text.substr(0, comma);
      auto equals = one.find('=');
      if (equals == std::string_view::npos)
        return refused("%h is not KEY=VALUE,KEY=VALUE: " + pessoa::quoted(one));
      out.record.headers.push_back({one.substr(0, equals), as_bytes(one.substr(equals + 1))});
      text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    }
    break;
  }
  return {};
}

result<input_record> record_input::split(std::string_view frame) {
  input_record out;
  if (!format_.lead_.empty()) {
    if (!frame.starts_with(format_.lead_))
      return refused("it does not begin with '" + show_literal(format_.lead_)
                     + "': " + pessoa::quoted(frame));
    frame.remove_prefix(format_.lead_.size());
  }
  for (size_t i = 0; i + 1 < format_.fields_.size(); ++i) {
    auto& field = format_.fields_[i];
    auto at = frame.find(field.end);
    if (at == std::string_view::npos)
      return refused(std::string{"no '"} + show_literal(field.end) + "' after %" + field.verb + " in "
                     + pessoa::quoted(frame));
    PESSOA_CHECK(assign(out, field.verb, frame.substr(0, at)));
    frame.remove_prefix(at + field.end.size());
  }
  PESSOA_CHECK(assign(out, format_.fields_.back().verb, frame));
  return out;
}

// Fields whose separators contain the record's end ("%k\n%v\n"). Views into the buffer move when it is
// refilled, so the pieces are found first and looked at once the record is whole.
result<std::optional<input_record>> record_input::next_in_order() {
  struct piece {
    size_t begin;
    size_t size;
  };
  std::vector<piece> pieces;
  size_t at = 0; // relative to begin_, which stays put until the record is whole
  auto until = [&](std::string_view end, bool last) -> result<std::optional<piece>> {
    size_t from = at;
    while (true) {
      auto* base = buffer_.get() + begin_;
      if (auto* found = first_match(base + from, base + (end_ - begin_), end)) {
        piece out{at, static_cast<size_t>(found - base) - at};
        at = out.begin + out.size + end.size();
        return std::optional{out};
      }
      from = std::max(at, end_ - begin_ < end.size() ? 0 : end_ - begin_ - end.size() + 1);
      PESSOA_TRY(bool more, refill());
      if (more) continue;
      if (!last) return std::optional<piece>{};
      piece out{at, end_ - begin_ - at};
      at = end_ - begin_;
      return std::optional{out};
    }
  };
  if (begin_ == end_) {
    PESSOA_TRY(bool more, refill());
    if (!more) return std::optional<input_record>{};
  }
  if (!format_.lead_.empty()) {
    PESSOA_TRY(auto lead, until(format_.lead_, false));
    if (!lead || lead->size != 0)
      return refused("it does not begin with '" + show_literal(format_.lead_) + "'");
  }
  for (size_t i = 0; i < format_.fields_.size(); ++i) {
    auto& field = format_.fields_[i];
    PESSOA_TRY(auto found, until(field.end, i + 1 == format_.fields_.size()));
    if (!found) return refused(std::string{"the input ends within %"} + field.verb);
    pieces.push_back(*found);
  }
  input_record out;
  for (size_t i = 0; i < pieces.size(); ++i)
    PESSOA_CHECK(
        assign(out, format_.fields_[i].verb, {buffer_.get() + begin_ + pieces[i].begin, pieces[i].size}));
  begin_ += at;
  return std::optional{std::move(out)};
}

result<std::optional<input_record>> record_input::next_json() {
  while (true) {
    PESSOA_TRY(auto line, next_frame());
    if (!line) return std::optional<input_record>{};
    if (line->find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto parsed = parse_json_record(*line);
    if (!parsed) return refused(parsed.error().message);
    json_ = std::move(*parsed);
    input_record out;
    out.partition = json_.partition;
    out.record.time = json_.time;
    if (json_.key) out.record.key = as_bytes(*json_.key);
    if (json_.value) out.record.value = as_bytes(*json_.value);
    for (auto& header : json_.headers)
      out.record.headers.push_back({header.key, header.value
                                                    ? std::optional<byte_view>{as_bytes(*header.value)}
                                                    : std::optional<byte_view>{}});
    return std::optional{std::move(out)};
  }
}

result<std::optional<input_record>> record_input::next() {
  auto found = [&]() -> result<std::optional<input_record>> {
    if (format_.json_) return next_json();
    if (format_.in_order_) return next_in_order();
    PESSOA_TRY(auto frame, next_frame());
    if (!frame) return std::optional<input_record>{};
    PESSOA_TRY(auto record, split(*frame));
    return std::optional{std::move(record)};
  }();
  if (found && *found) ++count_;
  return found;
}

} // namespace pessoa::cli
