#include "schema/producer_table.hpp"

#include "schema/crc32c.hpp"
#include "schema/endian.hpp"

#include <algorithm>

namespace pessoa {

namespace {

// The snapshot, little-endian (docs/formats/producer-snapshot.md): a head, the entries in order of id, a CRC
// of all that.
constexpr uint32_t snapshot_magic = 0x44525050; // "PPRD"
constexpr uint16_t snapshot_version = 1;
constexpr size_t head_bytes = 4 + 2 + 2 + 4;      // magic, version, zero, number of producers
constexpr size_t entry_bytes = 8 + 2 + 1 + 1 + 8; // id, epoch, number of batches, zero, last used
constexpr size_t batch_bytes = 4 + 4 + 8 + 8 + 8; // sequences, offsets, time
constexpr size_t crc_bytes = 4;

template <class T>
void put(std::vector<uint8_t>& out, T x) {
  uint8_t raw[sizeof(T)];
  store_le(raw, x);
  out.insert(out.end(), raw, raw + sizeof(T));
}

template <class T>
T take(byte_view& from) {
  T x = load_le<T>(from.data());
  from = from.subspan(sizeof(T));
  return x;
}

error damaged(std::string_view what) { return {ec::corrupt_data, "producer snapshot: " + std::string{what}}; }

// The records a batch covers, by its sequences; they wrap after 2^31-1.
int64_t sequences(const producer_batch& b) {
  return (static_cast<int64_t>(b.last_sequence) - b.first_sequence + (int64_t{1} << 31)) % (int64_t{1} << 31)
         + 1;
}

result<producer_entry> take_entry(byte_view& from, producer_id& id) {
  producer_entry entry;
  id = producer_id{take<int64_t>(from)};
  entry.epoch = producer_epoch{take<int16_t>(from)};
  entry.count = take<uint8_t>(from);
  auto zero = take<uint8_t>(from);
  entry.last_used = timestamp{take<int64_t>(from)};
  if (id < producer_id{0} || entry.epoch < producer_epoch{0} || zero != 0)
    return damaged("an entry is out of its range");
  if (entry.count == 0 || entry.count > producer_entry::batches_max)
    return damaged("an entry has " + std::to_string(entry.count) + " batches");
  if (from.size() < entry.count * batch_bytes) return damaged("cut off in an entry");
  offset previous{-1};
  for (size_t i = 0; i < entry.count; ++i) {
    auto& b = entry.batches[i];
    b.first_sequence = take<int32_t>(from);
    b.last_sequence = take<int32_t>(from);
    b.first_offset = offset{take<int64_t>(from)};
    b.last_offset = offset{take<int64_t>(from)};
    b.time = timestamp{take<int64_t>(from)};
    if (b.first_sequence < 0 || b.last_sequence < 0 || b.first_offset <= previous
        || b.last_offset < b.first_offset || b.last_offset - b.first_offset != sequences(b) - 1
        || b.time < no_timestamp)
      return damaged("a batch contradicts itself or its neighbour");
    previous = b.last_offset;
  }
  return entry;
}

} // namespace

const producer_batch& producer_entry::newest() const {
  PESSOA_ASSERT(count > 0 && count <= batches_max, +count);
  return batches[count - 1u];
}

void producer_table::apply(const batch_header& header, timestamp now) {
  if (!header.idempotent()) return;
  auto& entry = entries_[header.producer];
  if (entry.count > 0 && header.base_offset <= entry.newest().last_offset) return;
  if (entry.epoch != header.pepoch) {
    entry.epoch = header.pepoch;
    entry.count = 0;
    entry.batches = {};
  }
  if (entry.count == producer_entry::batches_max) {
    std::move(entry.batches.begin() + 1, entry.batches.end(), entry.batches.begin());
    --entry.count;
  }
  entry.batches[entry.count++] = {header.base_sequence, header.last_sequence(), header.base_offset,
                                  header.last_offset(),
                                  header.log_append_time() ? header.max_timestamp : no_timestamp};
  entry.last_used = now;
}

const producer_entry* producer_table::find(producer_id id) const {
  auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

std::vector<std::pair<timestamp, producer_id>> producer_table::uses() const {
  std::vector<std::pair<timestamp, producer_id>> out;
  out.reserve(entries_.size());
  for (auto& [id, entry] : entries_)
    out.emplace_back(entry.last_used, id);
  return out;
}

size_t producer_table::expire(timestamp now, producer_expiry limits, size_t producers_max) {
  auto by_use = uses();
  std::sort(by_use.rbegin(), by_use.rend());
  size_t gone = 0;
  auto age = static_cast<uint64_t>(limits.unused_ms);
  auto later = now - limits.unused_ms;
  for (auto& [used, id] : by_use) {
    // Unsigned: a snapshot may hold any two times.
    if (used < later)
      age += std::min(static_cast<uint64_t>(later.value()) - static_cast<uint64_t>(used.value()),
                      static_cast<uint64_t>(limits.gap_max_ms));
    later = std::min(later, used);
    if (age > static_cast<uint64_t>(limits.age_ms)) gone += entries_.erase(id);
  }
  return gone + crop(producers_max);
}

size_t producer_table::crop(size_t producers_max) {
  if (entries_.size() <= producers_max) return 0;
  auto by_use = uses();
  auto excess = entries_.size() - producers_max;
  std::nth_element(by_use.begin(), by_use.begin() + static_cast<std::ptrdiff_t>(excess) - 1, by_use.end());
  for (size_t i = 0; i < excess; ++i)
    entries_.erase(by_use[i].second);
  return excess;
}

bool producer_table::truncate(offset end) {
  bool whole = true;
  for (auto item = entries_.begin(); item != entries_.end();) {
    auto& entry = item->second;
    bool was_full = entry.count == producer_entry::batches_max;
    bool cut = false;
    while (entry.count > 0 && entry.newest().last_offset >= end) {
      entry.batches[--entry.count] = {};
      cut = true;
    }
    // A full entry may have pushed out older batches; an empty one may have forgotten an older epoch.
    if (cut && (was_full || entry.count == 0)) whole = false;
    item = entry.count == 0 ? entries_.erase(item) : std::next(item);
  }
  return whole;
}

std::vector<uint8_t> producer_table::encode() const {
  std::vector<uint8_t> out;
  out.reserve(head_bytes + entries_.size() * (entry_bytes + producer_entry::batches_max * batch_bytes)
              + crc_bytes);
  put(out, snapshot_magic);
  put(out, snapshot_version);
  put(out, uint16_t{0});
  put(out, static_cast<uint32_t>(entries_.size()));
  for (auto& [id, entry] : entries_) {
    put(out, id.value());
    put(out, entry.epoch.value());
    put(out, entry.count);
    put(out, uint8_t{0});
    put(out, entry.last_used.value());
    for (size_t i = 0; i < entry.count; ++i) {
      auto& b = entry.batches[i];
      put(out, b.first_sequence);
      put(out, b.last_sequence);
      put(out, b.first_offset.value());
      put(out, b.last_offset.value());
      put(out, b.time.value());
    }
  }
  put(out, crc32c(out));
  return out;
}

result<producer_table> producer_table::decode(byte_view data) {
  if (data.size() < head_bytes + crc_bytes) return damaged("only " + std::to_string(data.size()) + " bytes");
  if (load_le<uint32_t>(data.data()) != snapshot_magic) return damaged("not one");
  auto version = load_le<uint16_t>(data.data() + 4);
  if (version > snapshot_version)
    return error{ec::unsupported_version, "producer snapshot: version " + std::to_string(version)
                                              + " is newer than " + std::to_string(snapshot_version)};
  auto body = data.first(data.size() - crc_bytes);
  if (load_le<uint32_t>(data.data() + body.size()) != crc32c(body)) return damaged("its CRC does not match");
  if (version != snapshot_version || load_le<uint16_t>(data.data() + 6) != 0)
    return damaged("its head is wrong");

  auto count = load_le<uint32_t>(data.data() + 8);
  auto rest = body.subspan(head_bytes);
  producer_table table;
  for (uint32_t i = 0; i < count; ++i) {
    if (rest.size() < entry_bytes) return damaged("cut off in an entry");
    producer_id id;
    PESSOA_TRY(auto entry, take_entry(rest, id));
    if (!table.entries_.empty() && id <= table.entries_.rbegin()->first)
      return damaged("producers out of order");
    table.entries_.emplace_hint(table.entries_.end(), id, entry);
  }
  if (!rest.empty()) return damaged(std::to_string(rest.size()) + " bytes are left over");
  return table;
}

} // namespace pessoa
