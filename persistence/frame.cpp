#include "persistence/frame.hpp"

#include "schema/crc32c.hpp"
#include "schema/endian.hpp"
#include "schema/plants.hpp"

namespace pessoa::persistence {

namespace {

constexpr size_t crc_at = 76;

frame_defect check_batch_head(const frame_header& h, const batch_header& b) {
  bool same = b.base_offset == h.base && b.epoch == h.epoch && b.crc == h.batch_crc
              && b.size() == h.batch_length && b.last_offset_delta >= 0;
  return same ? frame_defect::none : frame_defect::wrong_batch;
}

} // namespace

uint64_t topic_hash(const topic_id& topic) {
  // The id is random; mixing only guards against ids that somebody numbered by hand.
  uint64_t x =
      load_le<uint64_t>(topic.raw().data()) ^ byte_swapped(load_le<uint64_t>(topic.raw().data() + 8));
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

void encode_frame_header(frame_header& h, uint8_t* out) {
  PESSOA_ASSERT(h.frame_length == frame_length_of(h.batch_length), h.frame_length, h.batch_length);
  PESSOA_ASSERT(h.synced_end <= h.durable_end && h.durable_end <= h.base, h.synced_end, h.durable_end,
                h.base);
  store_le<uint32_t>(out, frame_magic);
  store_le<uint16_t>(out + 4, frame_version);
  store_le<uint16_t>(out + 6, frame_header_size);
  store_le<uint32_t>(out + 8, h.frame_length);
  store_le<uint32_t>(out + 12, h.batch_length);
  store_le<uint64_t>(out + 16, h.topic_hash);
  store_le<int32_t>(out + 24, h.partition.value());
  store_le<int32_t>(out + 28, h.epoch.value());
  store_le<int64_t>(out + 32, h.base.value());
  store_le<int64_t>(out + 40, h.append_time.value());
  store_le<int64_t>(out + 48, h.durable_end.value());
  store_le<int64_t>(out + 56, h.synced_end.value());
  store_le<uint32_t>(out + 64, h.generation);
  store_le<uint32_t>(out + 68, h.previous_crc);
  store_le<uint32_t>(out + 72, h.batch_crc);
  h.header_crc = crc32c({out, crc_at});
  store_le<uint32_t>(out + crc_at, h.header_crc);
}

const char* to_string(frame_defect defect) {
  switch (defect) {
  case frame_defect::none:
    return "whole";
  case frame_defect::incomplete:
    return "incomplete";
  case frame_defect::bad_header:
    return "its header is damaged";
  case frame_defect::unsupported:
    return "written by a newer version";
  case frame_defect::wrong_log:
    return "it belongs to another partition";
  case frame_defect::wrong_batch:
    return "the batch contradicts its header";
  case frame_defect::bad_batch:
    return "the batch is damaged";
  case frame_defect::wrong_offset:
    return "it does not begin where the one before ended";
  case frame_defect::broken_chain:
    return "it does not follow the one before";
  case frame_defect::false_end:
    return "the batch before it says that it ends elsewhere";
  }
  return "?";
}

frame_defect parse_frame_header(byte_view data, const partition_key& key, frame_header& h) {
  if (data.size() < frame_header_size) return frame_defect::incomplete;
  const uint8_t* p = data.data();
  if (load_le<uint32_t>(p) != frame_magic) return frame_defect::bad_header;
  h.header_crc = load_le<uint32_t>(p + crc_at);
  if (crc32c({p, crc_at}) != h.header_crc && !PESSOA_PLANT("accept_bad_frame_crc"))
    return frame_defect::bad_header;
  if (load_le<uint16_t>(p + 4) != frame_version) return frame_defect::unsupported;
  h.frame_length = load_le<uint32_t>(p + 8);
  h.batch_length = load_le<uint32_t>(p + 12);
  h.topic_hash = load_le<uint64_t>(p + 16);
  h.partition = partition_id{load_le<int32_t>(p + 24)};
  h.epoch = leader_epoch{load_le<int32_t>(p + 28)};
  h.base = offset{load_le<int64_t>(p + 32)};
  h.append_time = timestamp{load_le<int64_t>(p + 40)};
  h.durable_end = offset{load_le<int64_t>(p + 48)};
  h.synced_end = offset{load_le<int64_t>(p + 56)};
  h.generation = load_le<uint32_t>(p + 64);
  h.previous_crc = load_le<uint32_t>(p + 68);
  h.batch_crc = load_le<uint32_t>(p + 72);
  bool lengths = load_le<uint16_t>(p + 6) == frame_header_size && h.batch_length >= batch_header_size
                 && h.batch_length <= framed_batch_bytes_max
                 && h.frame_length == frame_length_of(h.batch_length);
  // The last check keeps next_offset() inside int64 for every count a batch can claim.
  bool ends = h.epoch.value() >= 0 && h.append_time >= no_timestamp && h.synced_end.value() >= 0
              && h.synced_end <= h.durable_end && h.durable_end <= h.base && h.base <= frame_offset_max;
  if (!lengths || !ends) return frame_defect::bad_header;
  if (h.topic_hash != topic_hash(key.topic) || h.partition != key.index) return frame_defect::wrong_log;
  return frame_defect::none;
}

frame_defect parse_frame_head(byte_view data, const partition_key& key, frame_view& out) {
  if (auto defect = parse_frame_header(data, key, out.header); defect != frame_defect::none) return defect;
  if (data.size() < frame_head_size) return frame_defect::incomplete;
  auto batch = parse_batch_header(data.subspan(frame_header_size));
  if (!batch.ok()) return frame_defect::wrong_batch;
  out.batch = *batch;
  return check_batch_head(out.header, out.batch);
}

frame_defect parse_frame(byte_view data, const partition_key& key, frame_view& out) {
  if (auto defect = parse_frame_head(data, key, out); defect != frame_defect::none) return defect;
  if (data.size() < out.header.frame_length) return frame_defect::incomplete;
  if (!batch_crc_matches(data.subspan(frame_header_size, out.header.batch_length)))
    if (!PESSOA_PLANT("accept_bad_batch_crc")) return frame_defect::bad_batch;
  for (size_t i = frame_header_size + out.header.batch_length; i < out.header.frame_length; ++i)
    if (data[i] != 0) return frame_defect::bad_batch;
  return frame_defect::none;
}

} // namespace pessoa::persistence
