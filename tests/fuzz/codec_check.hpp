// What every decompressor owes us, whatever the bytes: never more than the limit, the same answer in one
// piece or in many, and its own output back.
#pragma once

#include "schema/compression.hpp"

namespace pessoa::fuzz {

inline constexpr size_t expanded_bytes_max = 256u << 10;

// Reads in pieces of `piece` bytes, up to the limit.
inline result<std::vector<uint8_t>> in_pieces(const codec& with, byte_view compressed, size_t piece) {
  auto stream = with.open(compressed);
  std::vector<uint8_t> out, part(piece);
  for (;;) {
    PESSOA_TRY(size_t got, stream->read(part));
    PESSOA_ASSERT(got <= piece, got, piece);
    out.insert(out.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
    if (out.size() > expanded_bytes_max) return error{ec::message_too_large, "more than the limit"};
    if (got < piece) return out;
  }
}

inline void check_codec(compression number, byte_view compressed, size_t piece) {
  const codec& with = **find_codec(number);
  auto whole = decompress(number, compressed, expanded_bytes_max);
  auto pieces = in_pieces(with, compressed, piece);
  PESSOA_ASSERT(whole.ok() == pieces.ok(), whole.ok(), pieces.ok());
  if (!whole.ok()) {
    // Beyond the limit the two may stop at different places, one of them before the damage.
    bool same = whole.error().code == pieces.error().code;
    PESSOA_ASSERT(same || whole.error().code == ec::message_too_large
                      || pieces.error().code == ec::message_too_large,
                  to_string(whole.error()), to_string(pieces.error()));
    return;
  }
  PESSOA_ASSERT(whole->size() <= expanded_bytes_max, whole->size());
  PESSOA_ASSERT(*whole == *pieces);
  std::vector<uint8_t> again;
  with.compress(*whole, 0, again);
  auto back = decompress(number, again, expanded_bytes_max);
  PESSOA_ASSERT(back.ok() && *back == *whole);
}

} // namespace pessoa::fuzz
