// What every decompressor owes us, whatever the bytes: never more than the limit, the same answer in one
// piece or in many, and its own output back.
#pragma once

#include "schema/compression.hpp"

#include <algorithm>

namespace pessoa::fuzz {

inline constexpr size_t expanded_bytes_max =
    200'000; // no power of two: growth in steps must not meet it by chance

// Reads in pieces of `piece` bytes, up to the limit. Behind each lie bytes that must stay: Debian's libraries
// are not instrumented, so a write past the end shows only by what it leaves.
inline result<std::vector<uint8_t>> in_pieces(const codec& with, byte_view compressed, size_t piece) {
  auto stream = with.open(compressed);
  constexpr uint8_t mark = 0xa5;
  std::vector<uint8_t> out, part(piece + 64, mark);
  for (;;) {
    auto read = stream->read({part.data(), piece});
    bool kept =
        std::all_of(part.data() + piece, part.data() + part.size(), [](uint8_t x) { return x == mark; });
    PESSOA_ASSERT(kept, piece);
    PESSOA_TRY(size_t got, std::move(read));
    PESSOA_ASSERT(got <= piece, got, piece);
    out.insert(out.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
    if (out.size() > expanded_bytes_max) return error{ec::message_too_large, "more than the limit"};
    if (got < piece) return out;
  }
}

inline void check_round_trip(const codec& with, byte_view data) {
  std::vector<uint8_t> packed;
  with.compress(data, 0, packed);
  auto back = decompress(with.number, packed, data.size());
  PESSOA_ASSERT(back.ok(), to_string(back.error()));
  PESSOA_ASSERT(same_bytes(*back, data));
}

// Returns what the bytes expand to.
inline result<std::vector<uint8_t>> check_codec(compression number, byte_view compressed, size_t piece) {
  const codec& with = **find_codec(number);
  check_round_trip(with, compressed); // any bytes can be compressed
  auto whole = decompress(number, compressed, expanded_bytes_max);
  auto pieces = in_pieces(with, compressed, piece);
  PESSOA_ASSERT(whole.ok() == pieces.ok(), whole.ok(), pieces.ok());
  if (!whole.ok()) {
    // Beyond the limit the two may stop at different places, one of them before the damage.
    bool same = whole.error().code == pieces.error().code;
    PESSOA_ASSERT(same || whole.error().code == ec::message_too_large
                      || pieces.error().code == ec::message_too_large,
                  to_string(whole.error()), to_string(pieces.error()));
    return whole;
  }
  PESSOA_ASSERT(whole->size() <= expanded_bytes_max, whole->size());
  PESSOA_ASSERT(*whole == *pieces);
  check_round_trip(with, *whole);
  return whole;
}

} // namespace pessoa::fuzz
