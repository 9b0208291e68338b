// Any bytes as a snapshot of a producer table. Input: a choice, a number, then the snapshot without its CRC,
// which is written behind it; magic and version too, if the choice says so.
//
// What is decoded encodes to the same bytes: no two snapshots mean the same table. Truncated or expired, it
// is still one.
#include "schema/crc32c.hpp"
#include "schema/endian.hpp"
#include "schema/producer_table.hpp"
#include "tests/fuzz/byte_source.hpp"

using namespace pessoa;

namespace {

void check_whole(const producer_table& table) {
  auto again = producer_table::decode(table.encode());
  PESSOA_ASSERT(again.ok(), to_string(again.error()));
  PESSOA_ASSERT(*again == table);
  for (auto& [id, entry] : table.entries()) {
    PESSOA_ASSERT(table.find(id) == &entry);
    PESSOA_ASSERT(entry.newest().first_offset <= entry.newest().last_offset);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::byte_source in{data, size};
  uint8_t choice = in.byte();
  uint16_t number = in.number();
  auto rest = in.rest();
  std::vector<uint8_t> snapshot{rest.begin(), rest.end()};
  if (choice % 4 != 0 && snapshot.size() >= 6) {
    store_le(snapshot.data(), uint32_t{0x44525050});
    store_le(snapshot.data() + 4, uint16_t{1});
  }
  if (choice % 8 != 1) {
    auto body = snapshot.size();
    snapshot.resize(body + 4);
    store_le(snapshot.data() + body, crc32c(byte_view{snapshot}.first(body)));
  }
  snapshot = fuzz::exact(snapshot);
  auto table = producer_table::decode(snapshot);
  if (!table.ok()) return 0;
  PESSOA_ASSERT(table->encode() == snapshot);

  auto cut = *table;
  cut.truncate(offset{number});
  for (auto& [id, entry] : cut.entries())
    PESSOA_ASSERT(entry.newest().last_offset < offset{number}, id);
  check_whole(cut);

  auto fewer = *table;
  size_t gone = fewer.expire(timestamp{number}, producer_expiry::after(number), number % 4);
  PESSOA_ASSERT(fewer.size() + gone == table->size() && fewer.size() <= number % 4u);
  check_whole(fewer);
  return 0;
}
