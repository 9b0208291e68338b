#include "schema/compression.hpp"

#include <algorithm>
#include <array>

namespace pessoa {

namespace {

constexpr std::array<std::string_view, 5> names = {"none", "gzip", "snappy", "lz4", "zstd"};

const std::array<const codec*, 4> table = {&gzip_codec, &snappy_codec, &lz4_codec, &zstd_codec};

constexpr size_t first_step_bytes = 64u << 10;

error too_large(size_t bytes_max) {
  return {ec::message_too_large, "the records expand to more than " + std::to_string(bytes_max) + " bytes"};
}

} // namespace

std::string_view compression_name(compression number) {
  auto index = static_cast<size_t>(number);
  return index < names.size() ? names[index] : "unknown";
}

result<const codec*> find_codec(compression number) {
  for (const codec* c : table)
    if (c->number == number) return c;
  std::string known;
  for (const codec* c : table)
    known.append(known.empty() ? "" : ", ").append(c->name);
  return error{ec::unsupported_compression, "codec " + std::to_string(static_cast<int>(number)) + " ("
                                                + std::string{compression_name(number)} + ") is not one of "
                                                + known};
}

result<compression> compression_named(std::string_view name) {
  if (name == names[0]) return compression::none;
  std::string known{names[0]};
  for (const codec* c : table) {
    if (c->name == name) return c->number;
    known.append(", ").append(c->name);
  }
  return error{ec::invalid_argument,
               "no codec is named '" + std::string{name.substr(0, 40)} + "': there are " + known};
}

result<std::vector<uint8_t>> decompress(compression number, byte_view compressed, size_t bytes_max) {
  PESSOA_TRY(auto found, find_codec(number));
  auto stream = found->open(compressed);
  std::vector<uint8_t> out;
  size_t filled = 0;
  for (;;) {
    if (filled == bytes_max) {
      // Full to the brim: legal only when nothing follows.
      uint8_t one_more = 0;
      PESSOA_TRY(size_t got, stream->read({&one_more, 1}));
      if (got != 0) return too_large(bytes_max);
      break;
    }
    // Doubling from what has really come out: a small blob that claims much gets little.
    size_t step = std::min(std::max(first_step_bytes, filled), bytes_max - filled);
    out.resize(filled + step);
    PESSOA_TRY(size_t got, stream->read({out.data() + filled, step}));
    filled += got;
    if (got < step) break;
  }
  out.resize(filled);
  return out;
}

} // namespace pessoa
