#include "schema/compression.hpp"

#include "schema/seams/random.hpp"
#include "tests/schema/batch_tools.hpp"

#include <catch2/catch.hpp>

#include <lz4frame.h>
#include <zstd.h>

using namespace pessoa;
using namespace pessoa::test;

namespace {

raw squeezed(compression number, byte_view data, int level = 0) {
  raw out;
  (*find_codec(number))->compress(data, level, out);
  return out;
}

result<raw> in_pieces(compression number, byte_view compressed, size_t piece) {
  auto stream = (*find_codec(number))->open(compressed);
  raw out;
  for (;;) {
    raw part(piece);
    PESSOA_TRY(size_t got, stream->read(part));
    out.insert(out.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
    if (got < piece) return out;
  }
}

const std::string snappy_header = "82534e4150505900 00000001 00000001";
const std::string gzip_plain =
    "1f8b08000000000000ffcb57c84d2c52284ecd5548cbcc55485528c82f2a294d2f4d2d56c8a7aa0c007a60b34868000000";
const std::string gzip_stored =
    "1f8b08000000000000ff01680097ff6f206d61722073656d2066696d206520706f72747567756573206f206d61722073656d"
    "2066696d206520706f72747567756573206f206d61722073656d2066696d206520706f72747567756573206f206d61722073"
    "656d2066696d206520706f72747567756573207a60b34868000000";
const std::string gzip_named =
    "1f8b081e0000000000ff030078797a61206e616d65006120636f6d6d656e7400c653cb57c84d2c52284ecd5548cbcc554855"
    "28c82f2a294d2f4d2d56c8a7aa0c007a60b34868000000";

raw prose(size_t size) {
  seeded_random random{size};
  raw out(size);
  for (auto& byte : out)
    byte = static_cast<uint8_t>("aaaabcde \n"[random.below(10)]);
  return out;
}

} // namespace

TEST_CASE("compression: what goes in comes out, at every size and level", "[schema][compression]") {
  auto number = GENERATE(compression::gzip, compression::snappy, compression::lz4, compression::zstd);
  for (size_t size :
       {size_t{0}, size_t{1}, size_t{100}, size_t{65'535}, size_t{65'536}, size_t{65'537}, size_t{1} << 20}) {
    auto data = prose(size);
    for (int level : {0, 1, 9, -1000, 1000}) {
      auto small = squeezed(number, data, level);
      REQUIRE(*decompress(number, small, size) == data);
      if (size > 0) REQUIRE(decompress(number, small, size - 1).error().code == ec::message_too_large);
      if (size > 1000) REQUIRE(small.size() < size);
    }
  }
}

TEST_CASE("compression: each level of gzip is its own", "[schema][compression][gzip]") {
  auto data = prose(100'000);
  auto size_at = [&](int level) { return squeezed(compression::gzip, data, level).size(); };
  CHECK(size_at(1) > size_at(9));
  CHECK(size_at(0) == size_at(6)); // the default
  CHECK(size_at(-5) == size_at(1));
  CHECK(size_at(22) == size_at(9));
}

TEST_CASE("compression: reading in pieces of any size gives the same bytes", "[schema][compression]") {
  auto number = GENERATE(compression::gzip, compression::snappy, compression::lz4, compression::zstd);
  auto data = prose(150'000);
  auto small = squeezed(number, data);
  for (size_t piece :
       {size_t{1}, size_t{7}, size_t{4096}, size_t{65'536}, size_t{150'000}, size_t{200'000}}) {
    auto out = in_pieces(number, small, piece);
    REQUIRE(out.ok());
    REQUIRE(*out == data);
  }
}

TEST_CASE("compression: a frame cut off anywhere is refused", "[schema][compression]") {
  auto number = GENERATE(compression::gzip, compression::lz4, compression::zstd); // snappy: see below
  auto small = squeezed(number, prose(3000));
  for (size_t size = 0; size < small.size(); ++size)
    REQUIRE(decompress(number, byte_view{small}.first(size), 1 << 20).error().code == ec::invalid_record);
}

TEST_CASE("compression: bytes behind the frame are refused, another frame too", "[schema][compression]") {
  auto number = GENERATE(compression::gzip, compression::snappy, compression::lz4, compression::zstd);
  auto small = squeezed(number, prose(3000));
  auto longer = small;
  longer.push_back(0);
  CHECK(decompress(number, longer, 1 << 20).error().code == ec::invalid_record);
  auto twice = small;
  twice.insert(twice.end(), small.begin(), small.end());
  CHECK(decompress(number, twice, 1 << 20).error().code == ec::invalid_record);
  // A user frame carries nothing, in both formats.
  raw user{0x50, 0x2a, 0x4d, 0x18, 0x03, 0, 0, 0, 1, 2, 3};
  auto wrapped = user;
  wrapped.insert(wrapped.end(), small.begin(), small.end());
  CHECK(decompress(number, wrapped, 1 << 20).error().code == ec::invalid_record);
}

TEST_CASE("compression: a flipped bit gives one verdict, whatever the pieces", "[schema][compression]") {
  auto number = GENERATE(compression::gzip, compression::snappy, compression::lz4, compression::zstd);
  auto data = prose(700);
  auto small = squeezed(number, data);
  size_t refused = 0;
  for (size_t bit = 0; bit < 8 * small.size(); ++bit) {
    auto changed = small;
    changed[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    auto whole = decompress(number, changed, 1 << 20);
    auto pieces = in_pieces(number, changed, 13);
    INFO("bit " << bit);
    REQUIRE(whole.ok() == pieces.ok());
    if (whole.ok()) {
      REQUIRE(*whole == *pieces);
      if (number == compression::gzip) REQUIRE(*whole == data); // flags and times, which nothing depends on
    } else {
      REQUIRE(whole.error().code == pieces.error().code);
      REQUIRE(
          (whole.error().code == ec::invalid_record || whole.error().code == ec::unsupported_compression));
      ++refused;
    }
  }
  CHECK(refused > (number == compression::gzip ? 7 * small.size() : small.size()));
}

TEST_CASE("compression: gzip by another implementation is read, with every part a header may have",
          "[schema][compression][gzip]") {
  // Python 3.11's zlib: deflated, stored, and with extra field, name, comment and header checksum.
  std::string_view text = "o mar sem fim e portugues o mar sem fim e portugues o mar sem fim e portugues o "
                          "mar sem fim e portugues ";
  for (auto& hex : {gzip_plain, gzip_stored, gzip_named}) {
    auto blob = from_hex(hex);
    auto got = decompress(compression::gzip, blob, text.size());
    REQUIRE(got.ok());
    CHECK(as_text(*got) == text);
    CHECK(decompress(compression::gzip, blob, text.size() - 1).error().code == ec::message_too_large);
    for (size_t size = 0; size < blob.size(); ++size)
      REQUIRE(decompress(compression::gzip, byte_view{blob}.first(size), 1 << 20).error().code
              == ec::invalid_record);
    for (size_t at = blob.size() - 8; at < blob.size(); ++at) { // checksum and length
      auto changed = blob;
      changed[at] ^= 0x10;
      REQUIRE(decompress(compression::gzip, changed, 1 << 20).error().code == ec::invalid_record);
    }
  }
}

TEST_CASE("compression: of gzip only one member is read, and nothing beside gzip",
          "[schema][compression][gzip]") {
  auto one = from_hex(gzip_plain);
  auto with_tail = [&](std::string_view hex) {
    auto all = one;
    auto tail = from_hex(hex);
    all.insert(all.end(), tail.begin(), tail.end());
    return decompress(compression::gzip, all, 1 << 20);
  };
  CHECK(with_tail("").ok());
  CHECK(with_tail(gzip_plain).error().code == ec::invalid_record); // librdkafka would lose it
  CHECK(with_tail("00").error().message == "gzip: 1 bytes follow the stream");
  CHECK(with_tail("00000000").error().code == ec::invalid_record); // padding, as tapes have it
  // The same in zlib's wrapping, and bare.
  auto zlib = from_hex("78dacb57c84d2c52284ecd5548cbcc55485528c82f2a294d2f4d2d56c8a7aa0c008dd5250d");
  CHECK(decompress(compression::gzip, zlib, 1 << 20).error().code == ec::invalid_record);
  CHECK(decompress(compression::gzip, byte_view{zlib}.subspan(2), 1 << 20).error().code
        == ec::invalid_record);
}

TEST_CASE("compression: a gzip stream that reaches back before its begin is refused however it is read",
          "[schema][compression][gzip]") {
  // One literal, then a copy from 2 back; and the same from 1 back, which is "aaaa".
  for (bool good : {false, true}) {
    auto blob = from_hex(good ? "1f8b08000000000000ff 4b040200 45e598ad 04000000"
                              : "1f8b08000000000000ff 4b046200 45e598ad 04000000");
    for (size_t piece : {size_t{1}, size_t{2}, size_t{3}, size_t{70'000}}) {
      auto got = in_pieces(compression::gzip, blob, piece);
      CAPTURE(good, piece);
      if (good)
        CHECK(as_text(*got) == "aaaa");
      else
        CHECK(got.error().code == ec::invalid_record);
    }
  }
}

TEST_CASE("compression: snappy is read as a raw block and in chunks, every element of it",
          "[schema][compression][snappy]") {
  auto raw_block = [](std::string_view hex) {
    return decompress(compression::snappy, from_hex(hex), 1 << 20);
  };
  auto text = [&](std::string_view hex) {
    auto got = raw_block(hex);
    return got.ok() ? std::string{as_text(*got)} : to_string(got.error());
  };
  CHECK(text("00") == "");
  CHECK(text("03 08 616263") == "abc");   // a literal
  CHECK(text("03 f002 616263") == "abc"); // its length in a byte, in two, three, four
  CHECK(text("03 f40200 616263") == "abc");
  CHECK(text("03 f8020000 616263") == "abc");
  CHECK(text("03 fc02000000 616263") == "abc");
  CHECK(text("07 08 616263 01 03") == "abcabca");      // a copy of 4 from 3 back
  CHECK(text("06 08 616263 0a 0300") == "abcabc");     // of 3, distance in two bytes
  CHECK(text("06 08 616263 0b 03000000") == "abcabc"); // in four
  CHECK(text("09 00 61 1e 0100") == "aaaaaaaaa");      // a run: from 1 back
  // Chunks as snappy-java writes them.
  CHECK(text(snappy_header + "00000005 03 08 616263") == "abc");
  CHECK(text(snappy_header + "00000005 03 08 616263 00000005 03 08 646566") == "abcdef");
  CHECK(text(snappy_header + "00000001 00 00000005 03 08 616263 00000001 00") == "abc");
  CHECK(text(snappy_header) == "");

  for (auto* bad : {"", "80", "ffffffffff", "ffffffff7f 00 61", // no length
                    "03", "03 08", "03 08 6162", "04 08 616263", "02 08 616263", "03 08 616263 00",
                    "03 08 616263 00 61", "07 08 616263 01 00", "07 08 616263 01 04",
                    "07 01 03 08 616263", // from 0 and 4 back; before any byte
                    "03 fc02000080 616263", "03 fcffffffff 616263", "06 08 616263 0b 03000080"}) {
    CAPTURE(bad);
    CHECK(raw_block(bad).error().code == ec::invalid_record);
  }
}

TEST_CASE("compression: snappy's chunks must be whole and of the one version there is",
          "[schema][compression][snappy]") {
  auto verdict = [](const std::string& hex) {
    auto got = decompress(compression::snappy, from_hex(hex), 1 << 20);
    return got.ok() ? ec::none : got.error().code;
  };
  const std::string chunk = "00000005 03 08 616263";
  CHECK(verdict(snappy_header + chunk) == ec::none);
  for (auto* bad : {"00", "000000", "00000000", "00000001", "00000006 03 08 616263", "00000004 03 08 616263",
                    "80000005 03 08 616263", "ffffffff 03 08 616263", "00000005 03 08 616263 00"}) {
    CAPTURE(bad);
    CHECK(verdict(snappy_header + bad) == ec::invalid_record);
    CHECK(verdict(snappy_header + chunk + bad) == ec::invalid_record);
  }
  CHECK(verdict(snappy_header + chunk + snappy_header + chunk)
        == ec::invalid_record); // only new snappy-java reads it
  const std::string magic = "82534e4150505900";
  for (size_t bytes = 0; bytes < 16; ++bytes)
    CHECK(verdict(snappy_header.substr(0, 2 * bytes)) == ec::invalid_record);
  for (auto* versions : {"00000000 00000000", "00000000 00000001", "00000001 00000000", "00000002 00000001",
                         "00000001 00000002", "01000000 01000000"})
    CHECK(verdict(magic + versions + chunk) == ec::unsupported_compression);
  // Another magic makes a raw block of it, and a bad one: its first element copies from before the begin.
  CHECK(verdict("82534e4150505901 00000001 00000001" + chunk) == ec::invalid_record);
}

TEST_CASE(
    "compression: snappy cut between two chunks is whole to the codec, and short of records to the batch",
    "[schema][compression][snappy]") {
  raw records;
  for (int32_t i = 0; i < 12'000; ++i) {
    auto record = small_record(i);
    records.insert(records.end(), record.begin(), record.end());
  }
  auto small = squeezed(compression::snappy, records);
  std::vector<size_t> boundaries; // chunks begin there
  for (size_t at = 16; at < small.size(); at += 4 + load_be<uint32_t>(small.data() + at))
    boundaries.push_back(at);
  REQUIRE(boundaries.size() == 4);
  auto cut_at = [&](size_t size) {
    raw cut{small.begin(), small.begin() + static_cast<std::ptrdiff_t>(size)};
    REQUIRE(validate_batch(batch_around(cut, 12'000, compression::snappy), {}).error().code
            == ec::invalid_record);
    return decompress(compression::snappy, cut, 1 << 20);
  };
  for (size_t i = 0; i < boundaries.size(); ++i) {
    auto got = cut_at(boundaries[i]);
    REQUIRE(got.ok());
    REQUIRE(got->size() == i << 15);
    REQUIRE(same_bytes(*got, byte_view{records}.first(got->size())));
  }
  for (size_t size = 0; size < small.size(); size += 1 + (size > 200 ? size % 97 : 0))
    if (std::find(boundaries.begin(), boundaries.end(), size) == boundaries.end())
      REQUIRE(cut_at(size).error().code == ec::invalid_record);
  CHECK(validate_batch(batch_around(small, 12'000, compression::snappy), {}).ok());
}

TEST_CASE("compression: snappy's claims are judged before memory is taken", "[schema][compression][snappy]") {
  auto said = [](const raw& blob) { return decompress(compression::snappy, blob, size_t{1} << 30).error(); };
  CHECK(said(from_hex("ffffffff0f 00 61")).message == "snappy: a block of 7 bytes claims to hold 4294967295");
  CHECK(said(from_hex(snappy_header + "00000007 ffffffff0f 00 61")).code == ec::invalid_record);
  // 64 zeros for 3 bytes is the most there is. 8 MiB of them are read, a byte more is not.
  auto most = decompress(compression::snappy, snappy_zeros(8u << 20), 8u << 20);
  REQUIRE(most.ok());
  CHECK(*most == raw(8u << 20));
  CHECK(decompress(compression::snappy, snappy_zeros(8u << 20), (8u << 20) - 1).error().code
        == ec::message_too_large);
  CHECK(said(snappy_zeros((8u << 20) + 1)).code == ec::unsupported_compression);
}

TEST_CASE("compression: snappy is written in chunks of 32 KiB behind snappy-java's header",
          "[schema][compression][snappy]") {
  for (size_t size : {size_t{0}, size_t{1}, size_t{32'768}, size_t{32'769}, size_t{100'000}}) {
    auto small = squeezed(compression::snappy, prose(size));
    REQUIRE(same_bytes(byte_view{small}.first(16), from_hex(snappy_header)));
    size_t at = 16, chunks = 0;
    for (; at < small.size(); ++chunks)
      at += 4 + load_be<uint32_t>(small.data() + at);
    CHECK(at == small.size());
    CHECK(chunks == (size + 32'767) / 32'768);
  }
}

TEST_CASE("compression: blocks that depend on one another are refused, as no Kafka client reads them",
          "[schema][compression]") {
  auto data = prose(200'000);
  LZ4F_preferences_t how{};
  how.frameInfo.blockMode = LZ4F_blockLinked;
  raw frame(LZ4F_compressFrameBound(data.size(), &how));
  auto size = LZ4F_compressFrame(frame.data(), frame.size(), data.data(), data.size(), &how);
  REQUIRE_FALSE(LZ4F_isError(size));
  frame.resize(size);
  CHECK(decompress(compression::lz4, frame, 1 << 20).error().code == ec::unsupported_compression);
}

TEST_CASE("compression: a window above 8 MiB is refused before it is taken", "[schema][compression]") {
  raw data(1 << 20, 'x'), out(ZSTD_compressBound(data.size()));
  auto* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 27);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  ZSTD_inBuffer in{data.data(), data.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  // Two steps, so that the size of the source is not known when the window is chosen.
  REQUIRE_FALSE(ZSTD_isError(ZSTD_compressStream2(context, &to, &in, ZSTD_e_flush)));
  REQUIRE(ZSTD_compressStream2(context, &to, &in, ZSTD_e_end) == 0);
  ZSTD_freeCCtx(context);
  out.resize(to.pos);
  CHECK(decompress(compression::zstd, out, 2u << 20).error().code == ec::unsupported_compression);
}

TEST_CASE("compression: whether a frame is good does not depend on how it is read", "[schema][compression]") {
  // Found by zstd_fuzz, where the library's readers of streams and of whole frames disagree: an empty raw
  // block under a promise of 42 bytes, and an empty compressed block.
  for (auto* hex : {"28b52ffd 20 2a 010000", "28b52ffd 20 00 050000"}) {
    auto frame = from_hex(hex);
    for (size_t piece : {size_t{1}, size_t{64}, size_t{70'000}}) {
      auto stream = (*find_codec(compression::zstd))->open(frame);
      raw out(piece);
      auto got = stream->read(out);
      REQUIRE_FALSE(got.ok());
      CHECK(got.error().code == ec::invalid_record);
    }
  }
  auto wide = from_hex("28b52ffd 40 88 0000 010000"); // 256 bytes promised
  for (size_t limit : {size_t{1}, size_t{1} << 20})
    CHECK(decompress(compression::zstd, wide, limit).error().code == ec::unsupported_compression);
}

TEST_CASE("compression: names and numbers are Kafka's", "[schema][compression]") {
  CHECK(*compression_named("none") == compression::none);
  CHECK(*compression_named("gzip") == compression::gzip);
  CHECK(*compression_named("snappy") == compression::snappy);
  CHECK(*compression_named("lz4") == compression::lz4);
  CHECK(*compression_named("zstd") == compression::zstd);
  CHECK(compression_named("brotli").error().message
        == "no codec is named 'brotli': there are none, gzip, snappy, lz4, zstd");
  CHECK(compression_name(compression::snappy) == "snappy");
  CHECK(compression_name(static_cast<compression>(6)) == "unknown");
  CHECK(find_codec(compression::none).error().code == ec::unsupported_compression);
  for (int number = 1; number <= 4; ++number) {
    auto* found = *find_codec(static_cast<compression>(number));
    CHECK(found->number == static_cast<compression>(number));
    CHECK(found->name == compression_name(found->number));
    CHECK(*compression_named(found->name) == found->number);
  }
  CHECK(find_codec(static_cast<compression>(5)).error().code == ec::unsupported_compression);
}
