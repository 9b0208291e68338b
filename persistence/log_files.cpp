#include "persistence/log_files.hpp"

#include "schema/crc32c.hpp"

#include <charconv>
#include <cstdio>

namespace pessoa::persistence {

namespace {

constexpr uint32_t small_file_magic = 0x46545350; // "PSTF"
constexpr uint16_t small_file_version = 1;
constexpr size_t prefix_size = 8;
constexpr size_t digits = 20;

} // namespace

std::string file_name(offset base, std::string_view suffix) {
  char number[digits + 1];
  std::snprintf(number, sizeof number, "%020lld", static_cast<long long>(base.value()));
  return std::string{number} + std::string{suffix};
}

std::optional<offset> parse_file_name(std::string_view name, std::string_view suffix) {
  if (name.size() != digits + suffix.size() || name.substr(digits) != suffix) return std::nullopt;
  int64_t value = 0;
  auto parsed = std::from_chars(name.data(), name.data() + digits, value);
  if (parsed.ec != std::errc{} || parsed.ptr != name.data() + digits || offset{value} > offset_max)
    return std::nullopt;
  return offset{value};
}

file_writer::file_writer(file_kind kind) {
  put<uint32_t>(small_file_magic);
  put<uint16_t>(small_file_version);
  put<uint16_t>(static_cast<uint16_t>(kind));
}

std::vector<uint8_t> file_writer::finish() && {
  put<uint32_t>(crc32c(data_));
  return std::move(data_);
}

result<file_reader> file_reader::open(byte_view data, file_kind kind) {
  if (data.size() < prefix_size + 4)
    return error{ec::corrupt_data, "a file of " + std::to_string(data.size()) + " bytes is cut short"};
  auto fields = data.first(data.size() - 4);
  if (load_le<uint32_t>(data.data()) != small_file_magic
      || crc32c(fields) != load_le<uint32_t>(data.data() + fields.size()))
    return error{ec::corrupt_data, "its checksum does not match"};
  auto version = load_le<uint16_t>(data.data() + 4);
  if (version != small_file_version)
    return error{ec::unsupported_version, "it has format version " + std::to_string(version)
                                              + ", this software reads "
                                              + std::to_string(small_file_version)};
  if (load_le<uint16_t>(data.data() + 6) != static_cast<uint16_t>(kind))
    return error{ec::corrupt_data, "it is a file of another kind"};
  return file_reader{fields.subspan(prefix_size)};
}

std::vector<uint8_t> log_state::encode() const {
  file_writer out{file_kind::state};
  out.put<int64_t>(log_start.value());
  out.put<uint32_t>(generation);
  out.put<int64_t>(truncated_to.value());
  out.put<uint8_t>(truncating ? 1 : 0);
  return std::move(out).finish();
}

result<log_state> log_state::decode(byte_view data) {
  PESSOA_TRY(auto in, file_reader::open(data, file_kind::state));
  log_state state;
  state.log_start = offset{in.get<int64_t>()};
  state.generation = in.get<uint32_t>();
  state.truncated_to = offset{in.get<int64_t>()};
  auto truncating = in.get<uint8_t>();
  state.truncating = truncating != 0;
  if (!in.at_end() || state.log_start.value() < 0 || state.log_start > offset_max
      || state.truncated_to.value() < 0 || truncating > 1)
    return error{ec::corrupt_data, "its fields are out of range"};
  return state;
}

std::vector<uint8_t> log_checkpoint::encode() const {
  file_writer out{file_kind::checkpoint};
  out.put<uint32_t>(generation);
  out.put<int64_t>(log_end.value());
  out.put<int64_t>(active_base.value());
  out.put<uint64_t>(active_size);
  out.put<uint32_t>(last_crc);
  out.put<uint8_t>(has_last_crc ? 1 : 0);
  out.put<int64_t>(max_time.value());
  out.put<int64_t>(first_append.value());
  out.put<int64_t>(last_append.value());
  return std::move(out).finish();
}

result<log_checkpoint> log_checkpoint::decode(byte_view data) {
  PESSOA_TRY(auto in, file_reader::open(data, file_kind::checkpoint));
  log_checkpoint c;
  c.generation = in.get<uint32_t>();
  c.log_end = offset{in.get<int64_t>()};
  c.active_base = offset{in.get<int64_t>()};
  c.active_size = in.get<uint64_t>();
  c.last_crc = in.get<uint32_t>();
  c.has_last_crc = in.get<uint8_t>() != 0;
  c.max_time = timestamp{in.get<int64_t>()};
  c.first_append = timestamp{in.get<int64_t>()};
  c.last_append = timestamp{in.get<int64_t>()};
  if (!in.at_end() || c.log_end < c.active_base || c.log_end > offset_max || c.active_base.value() < 0)
    return error{ec::corrupt_data, "its fields are out of range"};
  return c;
}

} // namespace pessoa::persistence
